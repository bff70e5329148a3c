//! The files of a package's repository on the web: what the relative addresses of its README mean.

use url::Url;

/// Longer addresses are not followed.
const MAX_ADDRESS_BYTES: usize = 2_000;

/// Hosts that show files under another address than the repository's own, what stands before a file's path there,
/// and how many parts the path of a repository has.
const HOSTS: [(&str, &str, usize); 3] = [
    ("github.com", "blob/HEAD/", 2),
    ("gitlab.com", "-/blob/HEAD/", usize::MAX),
    ("bitbucket.org", "src/HEAD/", 2),
];

/// Where the files of a package are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The top of the repository; its path ends with a slash.
    top: Url,
    /// The package's folder in it; its path ends with a slash.
    folder: Url,
}

impl Sources {
    /// The files of a repository with this address, and the package's folder in it. `None` where that is no page of
    /// a repository, or not encrypted.
    #[must_use]
    pub fn new(repository: &str, directory: Option<&str>) -> Option<Self> {
        let mut top = Url::parse(repository).ok().filter(|url| url.scheme() == "https")?;
        if !top.username().is_empty() || top.password().is_some() {
            return None;
        }
        let host = top.host_str()?.to_owned();
        let known = HOSTS.iter().find(|(name, ..)| *name == host);
        let (files, parts) = known.map_or(("", usize::MAX), |(_, files, parts)| (*files, *parts));
        let path: Vec<&str> = top.path().split('/').filter(|part| !part.is_empty()).take(parts).collect();
        if path.is_empty() || (parts != usize::MAX && path.len() < parts) {
            return None;
        }
        let path = format!("/{}/{files}", path.join("/"));
        top.set_path(&path);
        top.set_query(None);
        top.set_fragment(None);
        let mut sources = Self { folder: top.clone(), top };
        if let Some(folder) = directory.and_then(|directory| sources.find(&format!("./{directory}/"))) {
            sources.folder = folder;
        }
        Some(sources)
    }

    /// Where an address in a text of the package leads; `None` where that is not in the repository.
    #[must_use]
    pub fn resolve(&self, address: &str) -> Option<String> {
        if address.is_empty() || address.len() > MAX_ADDRESS_BYTES {
            return None;
        }
        self.find(address).map(Into::into)
    }

    fn find(&self, address: &str) -> Option<Url> {
        // A slash in front means the top of the repository, as the hosts of repositories have it.
        let found = match address.strip_prefix('/') {
            // Two slashes name another host.
            Some(path) if path.starts_with(['/', '\\']) => return None,
            Some(path) => self.top.join(&format!("./{path}")),
            None => self.folder.join(address),
        };
        let found = found.ok()?;
        let inside = found.origin() == self.top.origin() && found.path().starts_with(self.top.path());
        (inside && found.username().is_empty() && found.password().is_none()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn resolve(repository: &str, directory: Option<&str>, address: &str) -> Option<String> {
        Sources::new(repository, directory)?.resolve(address)
    }

    #[test]
    fn relative_addresses_are_files_of_the_repository() {
        let pads = "https://example.com/ada/pads";
        for (directory, address, expected) in [
            (None, "docs/a.md", "https://example.com/ada/pads/docs/a.md"),
            (None, "./a b.md#top", "https://example.com/ada/pads/a%20b.md#top"),
            (Some("packages/left"), "docs/a.md", "https://example.com/ada/pads/packages/left/docs/a.md"),
            (Some("packages/left"), "../right/a.md", "https://example.com/ada/pads/packages/right/a.md"),
            (Some("/packages/left/"), "/LICENSE", "https://example.com/ada/pads/LICENSE"),
            (Some("../../elsewhere"), "a.md", "https://example.com/ada/pads/a.md"),
            (Some("javascript:alert(1)"), "a.md", "https://example.com/ada/pads/javascript:alert(1)/a.md"),
        ] {
            assert_eq!(
                resolve(pads, directory, address).as_deref(),
                Some(expected),
                "{directory:?} {address}"
            );
        }
        let known = resolve("https://github.com/ada/pads/tree/main/x?tab=y#z", Some("left"), "logo.png");
        assert_eq!(known.as_deref(), Some("https://github.com/ada/pads/blob/HEAD/left/logo.png"));
    }

    #[test]
    fn nothing_leads_out_of_the_repository() {
        for address in [
            "",
            "../../eve/a.md",
            "%2e%2e/%2e%2e/eve/a.md",
            "//evil.example.com/x",
            "/\\\\evil.example.com/../../..",
            "\\\\evil.example.com/x",
            "javascript:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "http://example.com/ada/pads/x",
            "https://eve@example.com/ada/pads/x",
            "https://example.com:444/ada/pads/x",
        ] {
            let led = resolve("https://example.com/ada/pads", Some("left"), address);
            assert_eq!(led, None, "{address}");
        }
    }

    #[test]
    fn what_is_no_page_of_a_repository_resolves_nothing() {
        for repository in [
            "javascript:alert(1)",
            "//evil.example.com/a/b",
            "http://example.com/a/b",
            "https://example.com/",
            "https://a@example.com/a/b",
            "https://github.com/ada",
            "git@example.com:a/b",
            "file:///etc",
            "",
        ] {
            assert_eq!(Sources::new(repository, None), None, "{repository}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_stays_inside(
            directory in "(\\.\\./|/|\\\\|a|:|@|%2e|[ -~]){0,12}", address in "(\\.\\./|/|\\\\|a|:|@|%2e|\\PC){0,20}",
        ) {
            if let Some(led) = resolve("https://example.com/ada/pads", Some(&directory), &address) {
                prop_assert!(led.starts_with("https://example.com/ada/pads/"), "{}", led);
            }
        }
    }
}
