//! Provenance: signed statements about how a version was built, which npm, pnpm and Berry send with a publish.
//!
//! The bundle is kept byte for byte and served; clients verify its signature. What is checked here is that the
//! statement is about this very tarball.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::document::Attachment;
use crate::NpmName;

/// The largest bundle; real ones have about 15 kB.
const MAX_BUNDLE_BYTES: usize = 512 << 10;

/// A statement about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// What kind of statement, such as `https://slsa.dev/provenance/v1`.
    pub predicate_type: String,
    /// The bundle as it was published.
    pub bundle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
}

/// An in-toto statement (v0.1 and v1 agree in these fields).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha512: String,
}

/// Reads the bundle in `attachment` and checks that it is about the tarball with this SHA-512.
///
/// # Errors
/// What is wrong with it, for the one who publishes.
pub fn read(
    attachment: &Attachment,
    name: &NpmName,
    version: &str,
    sha512: &[u8],
) -> Result<Provenance, String> {
    if attachment.data.len() > MAX_BUNDLE_BYTES {
        return Err(format!("The provenance bundle is larger than {MAX_BUNDLE_BYTES} bytes."));
    }
    let unreadable =
        |error: &dyn std::fmt::Display| format!("The provenance bundle cannot be read: {error}.");
    let bundle: Bundle = serde_json::from_str(&attachment.data).map_err(|error| unreadable(&error))?;
    let payload = STANDARD.decode(&bundle.dsse_envelope.payload).map_err(|error| unreadable(&error))?;
    let statement: Statement = serde_json::from_slice(&payload).map_err(|error| unreadable(&error))?;
    let [subject] = statement.subject.as_slice() else {
        return Err("The provenance statement must have one subject.".to_owned());
    };
    if subject.name != name.purl(version) {
        return Err(format!(
            "The provenance statement is about {}, not {}.",
            subject.name,
            name.purl(version)
        ));
    }
    if !subject.digest.sha512.eq_ignore_ascii_case(&hex::encode(sha512)) {
        return Err("The provenance statement is about another tarball: its sha512 differs.".to_owned());
    }
    Ok(Provenance { predicate_type: statement.predicate_type, bundle: attachment.data.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn attachment(name: &str, sha512: &str) -> Attachment {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha512": sha512}}],
            "predicateType": "https://slsa.dev/provenance/v1",
        });
        let payload = STANDARD.encode(statement.to_string());
        let data = json!({"dsseEnvelope": {"payload": payload, "signatures": []}}).to_string();
        Attachment { content_type: String::new(), data, length: None }
    }

    #[test]
    fn only_statements_about_this_tarball_are_kept() {
        let name = NpmName::parse("@s/n").unwrap();
        let right = attachment("pkg:npm/%40s/n@1.0.0", "0102");
        let read_right = read(&right, &name, "1.0.0", &[1, 2]).unwrap();
        assert_eq!(read_right.predicate_type, "https://slsa.dev/provenance/v1");
        assert_eq!(read_right.bundle, right.data);
        assert!(read(&right, &name, "1.0.1", &[1, 2]).is_err());
        assert!(read(&right, &name, "1.0.0", &[1, 3]).is_err());
        let empty = Attachment { content_type: String::new(), data: "{}".to_owned(), length: None };
        assert!(read(&empty, &name, "1.0.0", &[1, 2]).is_err());
    }
}
