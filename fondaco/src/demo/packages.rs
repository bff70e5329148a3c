//! The releases of the demo, oldest first. Their files lie in `fondaco/demo/`.

use rust_embed::RustEmbed;
use serde_json::{Value, json};

/// The files of all packages.
#[derive(RustEmbed)]
#[folder = "demo/"]
struct Files;

/// One release.
pub(super) struct Release {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Its dist-tag.
    pub(super) tag: &'static str,
    /// Where its files lie.
    folder: &'static str,
}

const fn release(name: &'static str, version: &'static str, folder: &'static str) -> Release {
    Release { name, version, tag: "latest", folder }
}

/// What a release needs comes before it.
pub(super) const RELEASES: &[Release] = &[
    release("@elide/retry", "1.0.0", "retry"),
    release("@elide/log", "1.0.0", "log"),
    release("@elide/http", "1.0.0", "http-1"),
    release("@elide/http", "1.0.1", "http-1"),
    release("request-lite", "0.9.2", "request-lite"),
    release("@elide/http", "2.0.0", "http-2"),
    release("@elide/router", "1.0.0", "router"),
    release("@elide/router", "1.1.0", "router"),
    Release { name: "@elide/http", version: "2.1.0-beta.1", tag: "next", folder: "http-2" },
];

impl Release {
    /// Its files in the order of their names, `package.json` with the release's version.
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let start = format!("{}/", self.folder);
        let mut files: Vec<(String, Vec<u8>)> = Files::iter()
            .filter_map(|path| {
                let name = path.strip_prefix(&start)?.to_owned();
                let content = match name.as_str() {
                    "package.json" => format!("{:#}\n", self.manifest()).into_bytes(),
                    _ => Files::get(&path)?.data.into_owned(),
                };
                Some((name, content))
            })
            .collect();
        files.sort();
        files
    }

    /// Its `package.json`.
    pub(super) fn manifest(&self) -> Value {
        let file = Files::get(&format!("{}/package.json", self.folder)).map(|file| file.data);
        let mut manifest: Value = serde_json::from_slice(&file.unwrap_or_default()).unwrap_or_default();
        if let Value::Object(manifest) = &mut manifest {
            manifest.insert("version".to_owned(), json!(self.version));
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_the_files_of_a_package() {
        for release in RELEASES {
            let files: Vec<String> = release.files().into_iter().map(|(name, _)| name).collect();
            for needed in ["LICENSE", "README.md", "index.js", "package.json"] {
                assert!(files.iter().any(|name| name == needed), "{} lacks {needed}", release.name);
            }
            let manifest = release.manifest();
            assert_eq!(manifest["name"], release.name);
            assert_eq!(manifest["version"], release.version);
        }
    }

    #[test]
    fn what_a_release_needs_was_published_before() {
        for (index, release) in RELEASES.iter().enumerate() {
            let needs = release.manifest();
            for (name, range) in needs["dependencies"].as_object().into_iter().flatten() {
                let range = semver::VersionReq::parse(range.as_str().unwrap_or_default());
                let range = range.unwrap_or(semver::VersionReq::STAR);
                let fits = |before: &&Release| {
                    before.name == name
                        && semver::Version::parse(before.version).is_ok_and(|version| range.matches(&version))
                };
                assert!(
                    RELEASES[..index].iter().any(|before| fits(&before)),
                    "{} needs {name}",
                    release.name
                );
            }
        }
    }
}
