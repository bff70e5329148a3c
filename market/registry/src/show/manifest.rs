//! What a page says of one version's manifest: a text of strangers, read with patience.

use serde_json::{Map, Value};

use super::sources::Sources;

/// The longest text of a manifest that is shown, in characters.
const MAX_TEXT_CHARS: usize = 200;
/// The most dependencies of one kind that are listed.
const MAX_LISTED: usize = 1_000;

/// What is shown of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// One line about the package.
    pub description: String,
    /// Its keywords.
    pub keywords: Vec<String>,
    /// Its licence, empty when it does not say.
    pub licence: String,
    /// Its homepage, if the address is safe to follow.
    pub homepage: Option<String>,
    /// Where its source is, if the address is safe to follow.
    pub repository: Option<String>,
    /// The files of its repository, if they are on the web.
    pub sources: Option<Sources>,
    /// Where bugs are told, if the address is safe to follow.
    pub bugs: Option<String>,
    /// Which Node it needs.
    pub node: Option<String>,
    /// Whether it brings types for TypeScript.
    pub has_types: bool,
    /// Whether it is written as ES modules.
    pub is_module: bool,
    /// Whether it runs a script when it is installed.
    pub has_install_script: bool,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// How many files it has.
    pub file_count: u64,
    /// How large it is when installed.
    pub unpacked_bytes: u64,
    /// The digest that clients check: `sha512-…`.
    pub integrity: String,
}

/// Why a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// At run time.
    Runtime,
    /// Brought by whoever uses the package.
    Peer,
    /// At run time, where it can be had.
    Optional,
    /// To work on the package itself.
    Development,
}

impl DependencyKind {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Runtime, "dependencies"),
        (Self::Peer, "peerDependencies"),
        (Self::Optional, "optionalDependencies"),
        (Self::Development, "devDependencies"),
    ];
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Why.
    pub kind: DependencyKind,
    /// What.
    pub name: String,
    /// Which versions.
    pub range: String,
}

impl Manifest {
    /// Reads the stored JSON; what is not as it should be is left out.
    pub(super) fn read(metadata: &str, dist: &str) -> Self {
        let fields: Map<String, Value> = serde_json::from_str(metadata).unwrap_or_default();
        let dist: Map<String, Value> = serde_json::from_str(dist).unwrap_or_default();
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(cut);
        let link = |key: &str| fields.get(key).and_then(|value| text_or(value, "url")).and_then(safe_link);
        let flag = |key: &str| fields.get(key) == Some(&Value::Bool(true));
        let number = |key: &str| dist.get(key).and_then(Value::as_u64).unwrap_or(0);
        let directory = fields.get("repository").and_then(|value| value.get("directory")?.as_str());
        let repository = link("repository");
        let words = fields.get("keywords").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            description: text("description").unwrap_or_default(),
            keywords: words
                .iter()
                .filter_map(Value::as_str)
                .filter(|word| !word.is_empty())
                .take(20)
                .map(cut)
                .collect(),
            licence: fields
                .get("license")
                .and_then(|value| text_or(value, "type"))
                .map(cut)
                .unwrap_or_default(),
            homepage: link("homepage"),
            sources: repository.as_deref().and_then(|address| Sources::new(address, directory)),
            repository,
            bugs: link("bugs"),
            node: fields.get("engines").and_then(|engines| engines.get("node")?.as_str()).map(cut),
            has_types: ["types", "typings"].iter().any(|key| fields.contains_key(*key)),
            is_module: fields.get("type").and_then(Value::as_str) == Some("module"),
            has_install_script: flag("hasInstallScript"),
            dependencies: dependencies(&fields),
            file_count: number("fileCount"),
            unpacked_bytes: number("unpackedSize"),
            integrity: dist.get("integrity").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }
    }

    /// The dependencies of one kind.
    pub fn of_kind(&self, kind: DependencyKind) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(move |dependency| dependency.kind == kind)
    }
}

fn dependencies(fields: &Map<String, Value>) -> Vec<Dependency> {
    let optional = fields.get("optionalDependencies").and_then(Value::as_object);
    let mut all = Vec::new();
    for (kind, key) in DependencyKind::ALL {
        let Some(ranges) = fields.get(key).and_then(Value::as_object) else { continue };
        // npm lists optional ones among the others too.
        let doubled = |name: &str| {
            kind == DependencyKind::Runtime && optional.is_some_and(|map| map.contains_key(name))
        };
        let listed = ranges.iter().filter(|(name, _)| !doubled(name)).take(MAX_LISTED);
        all.extend(listed.map(|(name, range)| Dependency {
            kind,
            name: cut(name),
            range: cut(range.as_str().unwrap_or_default()),
        }));
    }
    all
}

fn text_or<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.as_str().or_else(|| value.get(key)?.as_str())
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// An address out of a manifest as one that a browser may follow: http or https only. What git understands
/// (`git+https://`, `git@host:path`, `git://`) becomes the address of the page that such a repository has.
pub(crate) fn safe_link(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("git+").unwrap_or(text);
    let as_page = if let Some(path) = text.strip_prefix("git@") {
        format!("https://{}", path.replacen(':', "/", 1))
    } else if let Some(rest) = text.strip_prefix("ssh://git@").or_else(|| text.strip_prefix("git://")) {
        format!("https://{rest}")
    } else {
        text.to_owned()
    };
    let mut url = url::Url::parse(&as_page).ok()?;
    let plain =
        matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.as_str().len() <= 2_000;
    // A name before the host makes a link look as if it led elsewhere.
    if !plain || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    if let Some(path) = url.path().strip_suffix(".git").map(str::to_owned) {
        url.set_path(&path);
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_safe_to_follow_become_links() {
        let cases = [
            ("git+https://example.com/a/b.git", Some("https://example.com/a/b")),
            ("git@example.com:a/b.git", Some("https://example.com/a/b")),
            ("git+ssh://git@example.com/a/b.git", Some("https://example.com/a/b")),
            ("http://example.com", Some("http://example.com/")),
            ("javascript:alert(1)", None),
            ("JaVaScRiPt:alert(1)", None),
            ("data:text/html,<script>", None),
            ("https://trusted.example.com@evil.example.com/", None),
            ("//example.com", None),
            ("a/b", None),
        ];
        for (text, expected) in cases {
            assert_eq!(safe_link(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn manifests_are_read_with_patience() {
        let manifest = Manifest::read(
            r#"{"description":7,"license":{"type":"MIT"},"repository":{"url":"git://example.com/a.git"},
            "homepage":"javascript:1","engines":{"node":">=20"},"type":"module","types":"a.d.ts",
            "dependencies":{"a":"1","b":"^2"},"optionalDependencies":{"b":"^2"},"devDependencies":3}"#,
            r#"{"fileCount":3,"unpackedSize":-1}"#,
        );
        assert_eq!((manifest.licence.as_str(), manifest.homepage), ("MIT", None));
        assert_eq!(manifest.repository.as_deref(), Some("https://example.com/a"));
        let names: Vec<_> = manifest.dependencies.iter().map(|one| (one.kind, one.name.as_str())).collect();
        assert_eq!(names, [(DependencyKind::Runtime, "a"), (DependencyKind::Optional, "b")]);
        assert_eq!((manifest.file_count, manifest.unpacked_bytes), (3, 0));
    }
}
