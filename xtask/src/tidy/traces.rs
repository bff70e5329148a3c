//! What must not be left behind in files: addresses of public registries, paths of somebody's machine.

use super::Finding;
use super::tree::Tree;

/// The public registries' hosts, in parts, so that this file does not contain what it looks for.
const HOSTS: &[(&str, &str)] = &[
    ("npm", "js.org"),
    ("npm", "js.com"),
    ("yarn", "pkg.com"),
    ("py", "pi.org"),
    ("python", "hosted.org"),
    ("crates", ".io"),
    ("maven", ".org"),
    ("maven.", "apache.org"),
    ("ruby", "gems.org"),
    ("docker", ".io"),
    ("hub.docker", ".com"),
];

/// Beginnings of paths that exist on one machine only, in parts for the same reason.
const PATHS: &[(&str, &str)] = &[("/wo", "rk/"), ("/ro", "ot/"), ("/tmp/", "brief")];

/// Cargo writes the default index's name into its own lockfile; deny.toml checks that it is no other.
const CARGO_LOCK: &str = "Cargo.lock";

/// No file names a public package registry: examples and tests use example.com.
pub(super) fn registry_hosts(tree: &Tree) -> Vec<Finding> {
    let hosts: Vec<String> = HOSTS.iter().map(|(head, tail)| format!("{head}{tail}")).collect();
    lines(tree)
        .filter(|(path, _, _)| *path != CARGO_LOCK)
        .filter_map(|(path, number, line)| {
            let line = line.to_lowercase();
            let host = hosts.iter().find(|host| contains_name(&line, host))?;
            Some(Finding::at(path, number, format!("names the public registry {host}: use example.com")))
        })
        .collect()
}

/// No file names a folder of the machine it was written on.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let beginnings: Vec<String> = PATHS.iter().map(|(head, tail)| format!("{head}{tail}")).collect();
    lines(tree)
        .filter_map(|(path, number, line)| {
            let beginning = beginnings.iter().find(|beginning| contains_path(line, beginning))?;
            let fix =
                format!("names {beginning} of one machine: use a relative path, $HOME or a temporary folder");
            Some(Finding::at(path, number, fix))
        })
        .collect()
}

/// A committed npm lockfile has no addresses: npm then asks the registry that the reader has configured.
pub(super) fn lock_addresses(tree: &Tree) -> Vec<Finding> {
    lines(tree)
        .filter(|(path, _, _)| path.ends_with("package-lock.json") || path.ends_with("npm-shrinkwrap.json"))
        .filter(|(_, _, line)| line.trim_start().starts_with("\"resolved\": \"http"))
        .map(|(path, number, _)| {
            let fix = "has an address: run `npm config set omit-lockfile-registry-resolved true`, then `npm install`";
            Finding::at(path, number, fix)
        })
        .collect()
}

fn lines(tree: &Tree) -> impl Iterator<Item = (&str, usize, &str)> {
    tree.files().flat_map(|(path, text)| text.lines().enumerate().map(move |(at, line)| (path, at + 1, line)))
}

/// Whether `line` has `host` as a name of its own or as the end of a longer one, not inside a word.
fn contains_name(line: &str, host: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    line.match_indices(host).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + host.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether `line` has a path that begins so; `target/work/` and `../root/` are other paths.
fn contains_path(line: &str, beginning: &str) -> bool {
    let continues =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '~' | '*' | ')');
    line.match_indices(beginning).any(|(at, _)| !line[..at].chars().next_back().is_some_and(continues))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::of(&[("docs/a.md", text)])
    }

    #[test]
    fn a_registry_host_is_a_finding() {
        for (head, tail) in HOSTS {
            for text in [format!("see https://registry.{head}{tail}/x"), format!("({head}{tail})")] {
                assert_eq!(registry_hosts(&tree(&text)).len(), 1, "{text}");
            }
        }
    }

    #[test]
    fn other_hosts_are_free() {
        for text in
            ["https://registry.example.com/", "numpy pi.organic", "crates.iota", "my-crates", "docs.rs"]
        {
            assert_eq!(registry_hosts(&tree(text)), [], "{text}");
        }
        let index = format!("source = \"registry+https://host/{}{}-index\"", "crates", ".io");
        assert_eq!(registry_hosts(&Tree::of(&[(CARGO_LOCK, &index)])), []);
    }

    #[test]
    fn a_path_of_a_machine_is_a_finding_and_others_are_not() {
        for (head, tail) in PATHS {
            let text = format!("cd {head}{tail}x");
            assert_eq!(machine_paths(&tree(&text)).len(), 1, "{text}");
            let text = format!("cd ..{head}{tail}x");
            assert_eq!(machine_paths(&tree(&text)), [], "{text}");
        }
        assert_eq!(machine_paths(&tree("/tmp/x $HOME/x network/")), []);
    }

    #[test]
    fn a_lockfile_has_no_addresses() {
        let check =
            |line: &str| lock_addresses(&Tree::of(&[("stories/tools/package-lock.json", line)])).len();
        assert_eq!(check("  \"resolved\": \"https://registry.example.com/a.tgz\","), 1);
        assert_eq!(check("  \"integrity\": \"sha512-x\","), 0);
    }
}
