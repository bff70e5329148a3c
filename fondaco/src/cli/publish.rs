//! `publish`: a file made by `npm pack`, or a folder that npm packs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha512;

use super::args::{Access, Global, Publish};
use super::client::Client;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::config::round_size;

/// The largest `package.json` that is read.
const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;
/// More files than any package has.
const MAX_FILES: usize = 100_000;
/// How much of the file is encoded at once: a multiple of 3, so that the pieces make one base64 text.
const PIECE_BYTES: usize = 48 * 1024;

/// A packed package, read once.
#[derive(Debug)]
struct Packed {
    path: PathBuf,
    manifest: Map<String, Value>,
    name: String,
    version: String,
    /// Path and size in bytes of each file.
    files: Vec<(String, u64)>,
    size_bytes: u64,
    integrity: String,
    shasum: String,
}

/// Shows what would be published, then publishes it.
pub(crate) async fn publish(terminal: &Terminal, global: &Global, args: &Publish) -> Result<(), Failure> {
    if semver::VersionReq::parse(&args.tag).is_ok() {
        return Err(Failure::usage(format!("`{}` reads as a version, so it cannot be a tag.", args.tag)));
    }
    let scratch = tempfile::tempdir()?;
    let file = if args.path.is_dir() { pack(&args.path, scratch.path()).await? } else { args.path.clone() };
    let packed = tokio::task::spawn_blocking(move || read(&file))
        .await
        .map_err(|error| Failure::local("The file cannot be read", error))??;
    show(terminal, &packed);
    if packed.manifest.get("private").and_then(Value::as_bool) == Some(true) {
        return Err(Failure::usage("package.json says \"private\": true, so nothing was published.")
            .next("remove that line if it is meant to be published"));
    }
    let client = Client::new(global)?;
    if args.dry_run {
        terminal.say(format!("Nothing was published: this was a dry run for {}.", client.session.server));
        return Ok(());
    }
    if client.session.token.is_none() {
        let detail = format!("Publishing to {} needs an account.", client.session.server);
        return Err(Failure::sign_in(detail));
    }
    terminal.confirm(&format!("Publish this to {}?", client.session.server))?;
    send(terminal, &client, args, &packed).await?;
    let (name, version) = (&packed.name, &packed.version);
    let page = client.session.api(&format!("/packages/{name}"));
    if terminal.json {
        terminal.data_json(
            &json!({"name": name, "version": version, "tag": args.tag, "integrity": packed.integrity,
            "sizeBytes": packed.size_bytes, "files": packed.files.len(), "url": page}),
        );
    } else {
        terminal.data(format!("{name}@{version}"));
    }
    terminal.done(format!("Published {name}@{version} with the tag {}.", args.tag));
    terminal.hint(format!("npm install {name}@{}   ({page})", args.tag));
    Ok(())
}

/// npm knows best which files belong to a package: it runs `prepack`, and reads `files`, `.npmignore`, `bin`, …
async fn pack(folder: &Path, into: &Path) -> Result<PathBuf, Failure> {
    if !folder.join("package.json").is_file() {
        return Err(Failure::usage(format!("{} has no package.json.", folder.display())).next("npm init"));
    }
    let run = tokio::process::Command::new("npm")
        .args(["pack", "--silent", "--pack-destination"])
        .arg(into)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await;
    let output = run.map_err(|error| {
        Failure::local("The folder cannot be packed", format!("npm cannot be started: {error}."))
            .next("install npm, or give a .tgz file")
    })?;
    let mut made = std::fs::read_dir(into)?.filter_map(Result::ok).map(|entry| entry.path());
    match made.find(|path| path.extension().is_some_and(|kind| kind == "tgz")) {
        Some(path) if output.status.success() => Ok(path),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Failure::local("The folder cannot be packed", format!("npm pack failed: {}", said.trim())))
        }
    }
}

/// Reads the file for its manifest, its list and its sums.
fn read(path: &Path) -> Result<Packed, Failure> {
    let cannot = |detail: String| {
        Failure::local("The package cannot be read", format!("{}: {detail}", path.display()))
    };
    let explain = |error: std::io::Error| cannot(format!("{error}."));
    let (mut sha512, mut sha1, mut size_bytes) = (Sha512::new(), Sha1::new(), 0);
    let mut file = std::fs::File::open(path).map_err(explain)?;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut buffer).map_err(explain)?;
        if count == 0 {
            break;
        }
        sha512.update(&buffer[..count]);
        sha1.update(&buffer[..count]);
        size_bytes += count as u64;
    }
    let file = std::fs::File::open(path).map_err(explain)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let (mut files, mut manifest) = (Vec::new(), None);
    for entry in archive.entries().map_err(explain)? {
        let mut entry = entry.map_err(explain)?;
        let inside = entry.path().map_err(explain)?.components().skip(1).collect::<PathBuf>();
        if files.len() >= MAX_FILES {
            return Err(cannot(format!("it has more than {MAX_FILES} files.")));
        }
        if entry.header().entry_type().is_file() {
            files.push((inside.display().to_string(), entry.size()));
        }
        if inside == Path::new("package.json") {
            let mut text = Vec::new();
            (&mut entry).take(MAX_MANIFEST_BYTES).read_to_end(&mut text).map_err(explain)?;
            let parsed = serde_json::from_slice(&text);
            manifest =
                Some(parsed.map_err(|error| cannot(format!("package.json is no JSON object: {error}.")))?);
        }
    }
    let manifest: Map<String, Value> =
        manifest.ok_or_else(|| cannot("it has no package.json.".to_owned()))?;
    let field = |name: &str| manifest.get(name).and_then(Value::as_str).map(str::to_owned);
    let missing = |name: &str| cannot(format!("package.json has no {name}."));
    Ok(Packed {
        name: field("name").ok_or_else(|| missing("name"))?,
        version: field("version").ok_or_else(|| missing("version"))?,
        integrity: format!("sha512-{}", STANDARD.encode(sha512.finalize())),
        shasum: hex::encode(sha1.finalize()),
        path: path.to_owned(),
        manifest,
        files,
        size_bytes,
    })
}

fn show(terminal: &Terminal, packed: &Packed) {
    const MOST: usize = 40;
    terminal.say(format!("{}@{}", packed.name, packed.version));
    for (path, size) in packed.files.iter().take(MOST) {
        terminal.say(format!("  {:>9}  {}", round_size(*size), super::terminal::plain(path)));
    }
    if packed.files.len() > MOST {
        terminal.say(format!("  {:>9}  and {} more", "", packed.files.len() - MOST));
    }
    let unpacked: u64 = packed.files.iter().map(|(_, size)| size).sum();
    let count = packed.files.len();
    let files = if count == 1 { "file" } else { "files" };
    terminal.say(format!(
        "  {count} {files}, {} packed, {} unpacked",
        round_size(packed.size_bytes),
        round_size(unpacked)
    ));
}

/// The publish document of the npm protocol, its one attachment streamed from the file.
async fn send(terminal: &Terminal, client: &Client, args: &Publish, packed: &Packed) -> Result<(), Failure> {
    let (head, tail) = document(&client.session.registry, args, packed);
    let encoded = packed.size_bytes.div_ceil(3) * 4;
    let length = head.len() as u64 + encoded + tail.len() as u64;
    let bar = terminal.progress(Some(packed.size_bytes));
    let file = tokio::fs::File::open(&packed.path).await?;
    let body = stream(head, file, tail, bar.clone());
    let address = client.session.npm(&packed.name.replace('/', "%2f"));
    let request = client
        .request(Method::PUT, &address)
        .header("content-type", "application/json")
        .header("content-length", length)
        .body(reqwest::Body::wrap_stream(body));
    let answer = client.send(request).await;
    bar.finish_and_clear();
    answer.map(|_| ())
}

/// What stands before and after the base64 text of the file.
fn document(registry: &str, args: &Publish, packed: &Packed) -> (Bytes, Bytes) {
    let Packed { name, version, .. } = packed;
    let bare = name.rsplit('/').next().unwrap_or(name);
    let mut manifest = packed.manifest.clone();
    manifest.insert("_id".to_owned(), json!(format!("{name}@{version}")));
    manifest.insert(
        "dist".to_owned(),
        json!({"integrity": packed.integrity, "shasum": packed.shasum, "tarball": format!("{registry}{name}/-/{bare}-{version}.tgz")}),
    );
    let mut document = json!({
        "_id": name,
        "name": name,
        "description": packed.manifest.get("description"),
        "dist-tags": {args.tag.as_str(): version},
        "versions": {version.as_str(): manifest},
    });
    if let (Some(access), Value::Object(document)) = (args.access, &mut document) {
        let word = match access {
            Access::Public => "public",
            Access::Private => "restricted",
        };
        document.insert("access".to_owned(), json!(word));
    }
    let mut head = document.to_string();
    head.pop();
    let attachment = json!(format!("{name}-{version}.tgz"));
    head.push_str(&format!(
        ",\"_attachments\":{{{attachment}:{{\"content_type\":\"application/octet-stream\",\"length\":{},\"data\":\"",
        packed.size_bytes
    ));
    (Bytes::from(head), Bytes::from_static(b"\"}}}"))
}

fn stream(
    head: Bytes,
    file: tokio::fs::File,
    tail: Bytes,
    bar: indicatif::ProgressBar,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send {
    use futures_util::StreamExt;
    use tokio::io::AsyncReadExt;
    let pieces = futures_util::stream::try_unfold((file, bar), async |(file, bar)| {
        // Pieces must be full, or padding would stand in the middle of the text.
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut limited = file.take(PIECE_BYTES as u64);
        limited.read_to_end(&mut piece).await?;
        bar.inc(piece.len() as u64);
        let encoded = Bytes::from(STANDARD.encode(&piece));
        Ok((!piece.is_empty()).then(|| (encoded, (limited.into_inner(), bar))))
    });
    let once = |bytes: Bytes| futures_util::stream::once(std::future::ready(Ok(bytes)));
    once(head).chain(pieces).chain(once(tail))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::TryStreamExt;

    use super::*;

    fn tarball(folder: &Path, files: &[(&str, &[u8])]) -> PathBuf {
        let path = folder.join("x.tgz");
        let gzip =
            flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, format!("package/{name}"), *bytes).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap();
        path
    }

    #[tokio::test]
    async fn the_document_is_json_and_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let path = tarball(
            folder.path(),
            &[("package.json", br#"{"name":"@a/b","version":"1.0.0"}"#), ("noise", &noise)],
        );
        let packed = read(&path).unwrap();
        assert_eq!((packed.name.as_str(), packed.version.as_str(), packed.files.len()), ("@a/b", "1.0.0", 2));
        let args = Publish {
            path: path.clone(),
            dry_run: false,
            tag: "next".to_owned(),
            access: Some(Access::Private),
        };
        let (head, tail) = document("http://localhost/npm/", &args, &packed);
        let length = head.len() as u64 + packed.size_bytes.div_ceil(3) * 4 + tail.len() as u64;
        let file = tokio::fs::File::open(&path).await.unwrap();
        let body: Vec<Bytes> =
            stream(head, file, tail, indicatif::ProgressBar::hidden()).try_collect().await.unwrap();
        let body = body.concat();
        assert_eq!(body.len() as u64, length);
        let document: Value = serde_json::from_slice(&body).unwrap();
        let data = document["_attachments"]["@a/b-1.0.0.tgz"]["data"].as_str().unwrap();
        assert_eq!(STANDARD.decode(data).unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(document["access"], "restricted");
        assert_eq!(document["dist-tags"]["next"], "1.0.0");
        assert_eq!(
            document["versions"]["1.0.0"]["dist"]["tarball"],
            "http://localhost/npm/@a/b/-/b-1.0.0.tgz"
        );
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = tarball(folder.path(), &[("README.md", b"x")]);
        assert!(read(&path).unwrap_err().detail.contains("no package.json"));
        let path = tarball(folder.path(), &[("package.json", b"[]")]);
        assert!(read(&path).unwrap_err().detail.contains("no JSON object"));
        std::fs::write(&path, "no gzip").unwrap();
        assert_eq!(read(&path).unwrap_err().exit, 1);
    }
}
