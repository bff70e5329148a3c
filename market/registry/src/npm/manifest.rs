//! One version's manifest: what is refused, and the pieces of JSON that are prepared of it at publish.

use serde_json::{Map, Value, json};

use super::tarball::Contents;
use crate::NpmName;
use crate::version::check_version;

/// The most entries in one list or map of a manifest; the longest real ones have a few hundred.
const MAX_ENTRIES: usize = 5_000;
/// The largest manifest without its README, in bytes.
const MAX_MANIFEST_BYTES: usize = 2 << 20;

/// What the server sets, or keeps elsewhere: whatever a client says here is dropped.
const NOT_KEPT: &[&str] = &[
    "readme",
    "dist",
    "deprecated",
    "_id",
    "_rev",
    "_npmUser",
    "_attachments",
    "_integrity",
    "_resolved",
    "_from",
    "_hasShrinkwrap",
    "hasInstallScript",
    "integrity",
    "shasum",
    "maintainers",
    "time",
    "users",
];

/// What an installer needs of a manifest, as the abbreviated form has it.
const ABBREVIATED: &[&str] = &[
    "name",
    "version",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "engines",
    "os",
    "cpu",
    "libc",
    "funding",
    "hasInstallScript",
    "_hasShrinkwrap",
];

/// What a package shows of its latest version.
const HEAD: &[&str] =
    &["description", "keywords", "homepage", "repository", "bugs", "license", "author", "contributors"];

/// Maps of package names to ranges.
const DEPENDENCIES: &[&str] =
    &["dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "acceptDependencies"];

/// A manifest that may be published.
#[derive(Debug)]
pub struct Manifest {
    /// Its version.
    pub version: String,
    /// The README that the client sent along.
    pub readme: Option<String>,
    /// What the client says the tarball's digests are.
    pub stated: Stated,
    fields: Map<String, Value>,
}

/// Digests as a client states them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// Subresource integrity: one or several `algorithm-base64`.
    pub integrity: Option<String>,
    /// SHA-1 in hexadecimal.
    pub shasum: Option<String>,
}

/// What is stored of a manifest; each text is a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The whole manifest.
    pub metadata: String,
    /// What an installer needs.
    pub abbreviated: String,
    /// Digests, sizes and counts, without the tarball's address.
    pub dist: String,
    /// What the package shows when this is its latest version.
    pub head: String,
    /// One line about the package.
    pub description: String,
    /// Its keywords, separated by spaces.
    pub keywords: String,
    /// Set when the manifest itself says so.
    pub deprecated: Option<String>,
}

/// Digests of the tarball's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarballDigests {
    /// SHA-1 in hexadecimal, npm's `shasum`.
    pub sha1: String,
    /// `sha512-` and base64, npm's `integrity`.
    pub integrity: String,
}

impl Manifest {
    /// Checks the manifest that the document has under `version`.
    ///
    /// # Errors
    /// What is wrong with it, for the one who publishes.
    pub fn parse(name: &NpmName, version: &str, text: &str) -> Result<Self, String> {
        let mut fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("The manifest cannot be read: {error}."))?;
        check_version(version)?;
        if field(&fields, "name") != Some(name.as_str()) || field(&fields, "version") != Some(version) {
            return Err(format!("The manifest is not that of {name}@{version}."));
        }
        if fields.get("private") == Some(&Value::Bool(true)) {
            return Err("This package has been marked as private. Remove the \"private\" field from package.json to publish it.".to_owned());
        }
        let stated = fields.get("dist").map(stated).unwrap_or_default();
        let readme = fields.get("readme").and_then(Value::as_str).map(str::to_owned);
        let deprecated = fields.remove("deprecated");
        fields.retain(|key, _| !NOT_KEPT.contains(&key.as_str()));
        if let Some(Value::String(text)) = deprecated.filter(|text| text != "") {
            fields.insert("deprecated".to_owned(), Value::String(text));
        }
        check_fields(&fields)?;
        Ok(Self { version: version.to_owned(), readme, stated, fields })
    }

    /// Prepares what is stored, from the manifest and what its tarball really holds.
    ///
    /// # Errors
    /// When it is too large.
    pub fn prepare(
        mut self,
        name: &NpmName,
        publisher: &str,
        contents: &Contents,
        digests: &TarballDigests,
    ) -> Result<Prepared, String> {
        let deprecated = match self.fields.remove("deprecated") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        if let Some(bundled) = self.fields.remove("bundledDependencies") {
            self.fields.entry("bundleDependencies").or_insert(bundled);
        }
        if has_install_script(&self.fields, contents.has_binding_gyp) {
            self.fields.insert("hasInstallScript".to_owned(), Value::Bool(true));
        }
        if contents.has_shrinkwrap {
            self.fields.insert("_hasShrinkwrap".to_owned(), Value::Bool(true));
        }
        let person = json!({"name": publisher, "email": ""});
        self.fields.insert("_id".to_owned(), Value::String(format!("{name}@{}", self.version)));
        self.fields.insert("maintainers".to_owned(), Value::Array(vec![person.clone()]));
        self.fields.insert("_npmUser".to_owned(), person);
        let dist = json!({
            "integrity": digests.integrity,
            "shasum": digests.sha1,
            "fileCount": contents.file_count,
            "unpackedSize": contents.unpacked_bytes,
        });
        let metadata = object(&self.fields);
        if metadata.len() > MAX_MANIFEST_BYTES {
            return Err(format!("The manifest is larger than {MAX_MANIFEST_BYTES} bytes."));
        }
        Ok(Prepared {
            metadata,
            abbreviated: picked(&self.fields, ABBREVIATED),
            dist: dist.to_string(),
            head: picked(&self.fields, HEAD),
            description: cut(field(&self.fields, "description").unwrap_or_default(), 500),
            keywords: cut(&keywords(&self.fields), 1000),
            deprecated,
        })
    }
}

impl Stated {
    /// Compares with the tarball's own digests.
    ///
    /// # Errors
    /// Which one differs.
    pub fn check(&self, digests: &TarballDigests) -> Result<(), String> {
        if let Some(integrity) = &self.integrity {
            let strong = integrity.split_ascii_whitespace().filter(|one| one.starts_with("sha512-"));
            for one in strong {
                // Options may follow a question mark (W3C Subresource Integrity).
                let one = one.split('?').next().unwrap_or(one);
                if one != digests.integrity {
                    return Err(format!(
                        "The tarball's integrity is {}, the document says {one}.",
                        digests.integrity
                    ));
                }
            }
        }
        match &self.shasum {
            Some(shasum) if !shasum.eq_ignore_ascii_case(&digests.sha1) => {
                Err(format!("The tarball's shasum is {}, the document says {shasum}.", digests.sha1))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that the tarball's own `package.json` is of this name and version.
///
/// # Errors
/// What differs.
pub fn check_tarball_manifest(manifest: &[u8], name: &NpmName, version: &str) -> Result<(), String> {
    // Editors on Windows begin a file with a byte order mark; npm skips it too.
    let text = manifest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(manifest);
    let own: Map<String, Value> = serde_json::from_slice(text)
        .map_err(|error| format!("The tarball's package.json cannot be read: {error}."))?;
    let own_version = field(&own, "version").map(|own| own.trim_start_matches(['v', '=', ' ']).trim());
    // npm drops build metadata from what it publishes, but not from the file in the tarball.
    let own_version = own_version.map(|own| own.split('+').next().unwrap_or(own));
    if field(&own, "name") != Some(name.as_str()) || own_version != Some(version) {
        return Err(format!(
            "The tarball's package.json is of {}@{}, the document of {name}@{version}.",
            field(&own, "name").unwrap_or("(no name)"),
            own_version.unwrap_or("(no version)")
        ));
    }
    Ok(())
}

fn field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    fields.get(key).and_then(Value::as_str)
}

fn stated(dist: &Value) -> Stated {
    let text = |key| dist.get(key).and_then(Value::as_str).map(str::to_owned);
    Stated { integrity: text("integrity"), shasum: text("shasum") }
}

fn check_fields(fields: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in fields {
        let entries = value.as_array().map(Vec::len).or(value.as_object().map(Map::len));
        if entries.is_some_and(|entries| entries > MAX_ENTRIES) {
            return Err(format!("\"{key}\" has more than {MAX_ENTRIES} entries."));
        }
    }
    for key in DEPENDENCIES {
        let right = match fields.get(*key) {
            None => true,
            Some(Value::Object(ranges)) => ranges.values().all(Value::is_string),
            Some(_) => false,
        };
        if !right {
            return Err(format!("\"{key}\" must be an object whose values are texts."));
        }
    }
    Ok(())
}

/// Whether installing runs code of the package: npm's own rule.
fn has_install_script(fields: &Map<String, Value>, has_binding_gyp: bool) -> bool {
    let script = |key: &str| {
        let text = fields.get("scripts").and_then(|scripts| scripts.get(key)).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    let compiles = has_binding_gyp
        && !script("install")
        && !script("preinstall")
        && fields.get("gypfile") != Some(&Value::Bool(false));
    compiles || ["preinstall", "install", "postinstall"].into_iter().any(script)
}

fn keywords(fields: &Map<String, Value>) -> String {
    match fields.get("keywords") {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::String(words)) => words.clone(),
        _ => String::new(),
    }
}

fn picked(fields: &Map<String, Value>, keys: &[&str]) -> String {
    let chosen: Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), fields.get(*key)?.clone()))).collect();
    object(&chosen)
}

fn object(fields: &Map<String, Value>) -> String {
    serde_json::to_string(fields).unwrap_or_else(|_| "{}".to_owned())
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name() -> NpmName {
        NpmName::parse("@s/n").unwrap()
    }

    fn parse(fields: Value) -> Result<Manifest, String> {
        let mut whole = json!({"name": "@s/n", "version": "1.0.0"});
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Manifest::parse(&name(), "1.0.0", &whole.to_string())
    }

    fn digests() -> TarballDigests {
        TarballDigests { sha1: "ab".repeat(20), integrity: "sha512-x==".to_owned() }
    }

    #[test]
    fn what_the_server_sets_is_not_taken_from_the_client() {
        let manifest = parse(json!({
            "dist": {"integrity": "sha512-x==", "shasum": "AB".repeat(20), "tarball": "http://evil.example.com/"},
            "_npmUser": {"name": "mallory"}, "maintainers": [], "_id": "x", "hasInstallScript": true,
            "deprecated": "old", "readme": "# n", "custom": {"kept": [1]},
            "dependencies": {"a": "^1"}, "bundledDependencies": ["a"], "keywords": ["x", 3, "y"],
            "description": "About", "license": "MIT",
        }));
        let manifest = manifest.unwrap();
        assert_eq!(manifest.readme.as_deref(), Some("# n"));
        assert!(manifest.stated.check(&digests()).is_ok());
        let contents =
            Contents { file_count: 2, unpacked_bytes: 30, has_binding_gyp: true, ..Contents::default() };
        let prepared = manifest.prepare(&name(), "ada", &contents, &digests()).unwrap();
        let metadata: Value = serde_json::from_str(&prepared.metadata).unwrap();
        assert_eq!(metadata["_npmUser"], json!({"name": "ada", "email": ""}));
        assert_eq!(metadata["_id"], "@s/n@1.0.0");
        assert_eq!(metadata["custom"], json!({"kept": [1]}));
        assert!(metadata.get("dist").is_none() && metadata.get("readme").is_none());
        let abbreviated: Value = serde_json::from_str(&prepared.abbreviated).unwrap();
        let expected = json!({"name": "@s/n", "version": "1.0.0", "dependencies": {"a": "^1"},
            "bundleDependencies": ["a"], "hasInstallScript": true});
        assert_eq!(abbreviated, expected);
        assert_eq!(
            prepared.dist,
            format!(
                r#"{{"integrity":"sha512-x==","shasum":"{}","fileCount":2,"unpackedSize":30}}"#,
                "ab".repeat(20)
            )
        );
        assert_eq!(prepared.head, r#"{"description":"About","keywords":["x",3,"y"],"license":"MIT"}"#);
        assert_eq!((prepared.keywords.as_str(), prepared.deprecated.as_deref()), ("x y", Some("old")));
    }

    #[test]
    fn wrong_manifests_are_refused() {
        for fields in [
            json!({"name": "other"}),
            json!({"version": "1.0.1"}),
            json!({"private": true}),
            json!({"dependencies": []}),
            json!({"peerDependencies": {"a": 1}}),
            json!({"keywords": vec!["x"; 5001]}),
        ] {
            assert!(parse(fields.clone()).is_err(), "{fields}");
        }
        assert!(Manifest::parse(&name(), "1.0", r#"{"name":"@s/n","version":"1.0"}"#).is_err());
    }

    #[test]
    fn other_digests_are_refused() {
        let stated = |integrity: &str, shasum: &str| Stated {
            integrity: Some(integrity.to_owned()),
            shasum: Some(shasum.to_owned()),
        };
        let sha1 = "ab".repeat(20);
        assert!(stated("sha1-q sha512-x==?opt", &sha1).check(&digests()).is_ok());
        assert!(stated("sha512-y==", &sha1).check(&digests()).is_err());
        assert!(stated("sha512-x==", "00").check(&digests()).is_err());
    }

    #[test]
    fn the_manifest_in_the_tarball_must_agree() {
        let check = |text: &str| check_tarball_manifest(text.as_bytes(), &name(), "1.0.0");
        assert!(check("\u{feff}{\"name\":\"@s/n\",\"version\":\"v1.0.0+build\"}").is_ok());
        for text in [
            "",
            "[]",
            r#"{"name":"@s/n"}"#,
            r#"{"name":"n","version":"1.0.0"}"#,
            r#"{"name":"@s/n","version":"1.0.1"}"#,
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn install_scripts_by_npms_rule() {
        let check = |fields: Value, gyp| has_install_script(fields.as_object().unwrap(), gyp);
        assert!(check(json!({"scripts": {"postinstall": "x"}}), false));
        assert!(check(json!({}), true));
        assert!(!check(json!({"gypfile": false}), true));
        assert!(!check(json!({"scripts": {"test": "x", "install": ""}}), false));
    }
}
