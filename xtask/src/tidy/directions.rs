//! Which crate may depend on which. What must flow the other way flows as an event, or through a trait
//! that the upper crate owns; see ARCHITECTURE.md.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// Each crate with what it may use directly; what those may use is allowed too.
const HOUSE: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("store", &["kernel"]),
    ("blobs", &["store"]),
    ("containers", &["kernel"]),
    ("jobs", &["store"]),
    ("mail", &["store"]),
    ("pdf", &["kernel"]),
    ("reach", &[]),
    ("relay", &["kernel"]),
    ("vault", &["kernel"]),
    ("web", &["store"]),
    ("events", BASE),
    ("identity", &["events"]),
    ("ledger", &["identity", "events"]),
    ("analytics", &["events"]),
    ("catalog", &["identity", "events"]),
    ("payments", &["ledger", "identity", "events"]),
    ("wallet", &["payments"]),
    ("orders", &["catalog", "payments"]),
    ("payouts", &["payments"]),
    ("billing", &["orders", "pdf"]),
    ("webhooks", &["identity", "events"]),
    ("providers", &["orders"]),
    ("registry", &["orders"]),
    ("tickets", &["orders", "pdf"]),
    ("services", &["providers", "billing"]),
    ("apps", &["providers"]),
];

const BASE: &[&str] = &["blobs", "containers", "jobs", "mail", "reach", "relay", "vault", "web"];

/// The binary, the stories and the tasks see the whole house; nobody sees them, but they each other.
const FREE: &[&str] = &["fondaco", "stories", "xtask"];

const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Every dependency between crates of the house goes downwards.
pub(super) fn directions(tree: &Tree) -> Vec<Finding> {
    let own: BTreeSet<String> = tree.manifests().map(|(_, manifest)| name(&manifest).to_owned()).collect();
    let mut findings = Vec::new();
    for (folder, manifest) in tree.manifests() {
        let path = format!("{folder}/Cargo.toml");
        let upper = name(&manifest);
        if upper.is_empty() || FREE.contains(&upper) {
            continue;
        }
        if !HOUSE.iter().any(|(known, _)| *known == upper) {
            let text = format!("`{upper}` has no place in the house yet: add it to HOUSE in {}", file!());
            findings.push(Finding::of_file(&path, text));
            continue;
        }
        let allowed = reachable(upper);
        for (lower, _) in dependencies(&manifest) {
            if own.contains(lower) && lower != upper && !allowed.contains(lower) {
                let text = format!(
                    "`{upper}` may not use `{lower}`: let it flow as an event, or through a trait that `{lower}` \
                     implements"
                );
                findings.push(Finding::of_file(&path, text));
            }
        }
    }
    findings
}

/// Every dependency has its version and features in the root manifest, so that one crate's build does not
/// rebuild another's with other features.
pub(super) fn dependencies_from_the_workspace(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, manifest) in tree.manifests() {
        for (dependency, value) in dependencies(&manifest) {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                let text =
                    format!("write `{dependency}.workspace = true`, and the version in the root Cargo.toml");
                findings.push(Finding::of_file(&format!("{folder}/Cargo.toml"), text));
            }
        }
    }
    findings
}

fn name(manifest: &toml::Table) -> &str {
    manifest.get("package").and_then(|package| package.get("name")?.as_str()).unwrap_or_default()
}

fn dependencies(manifest: &toml::Table) -> impl Iterator<Item = (&str, &toml::Value)> {
    let tables = KINDS.iter().filter_map(|kind| manifest.get(*kind)?.as_table());
    tables.flat_map(|table| table.iter().map(|(name, value)| (name.as_str(), value)))
}

/// All crates below `upper`.
fn reachable(upper: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open = vec![upper];
    while let Some(next) = open.pop() {
        let below = HOUSE.iter().find(|(known, _)| *known == next).map_or(&[][..], |(_, below)| *below);
        for lower in below {
            if found.insert(*lower) {
                open.push(lower);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{rest}")
    }

    fn house(upper: &str, lower: &str, kind: &str) -> Vec<Finding> {
        let above = manifest(upper, &format!("[{kind}]\n{lower}.workspace = true\nserde.workspace = true"));
        let below = manifest(lower, "");
        directions(&Tree::of(&[("a/Cargo.toml", &above), ("b/Cargo.toml", &below)]))
    }

    #[test]
    fn downwards_is_allowed() {
        for (upper, lower) in [
            ("store", "kernel"),
            ("web", "kernel"),
            ("identity", "web"),
            ("registry", "identity"),
            ("registry", "kernel"),
            ("apps", "events"),
            ("fondaco", "registry"),
            ("stories", "fondaco"),
        ] {
            assert_eq!(house(upper, lower, "dependencies"), [], "{upper} -> {lower}");
        }
    }

    #[test]
    fn upwards_and_sideways_are_findings() {
        for (upper, lower) in [
            ("kernel", "store"),
            ("web", "identity"),
            ("web", "jobs"),
            ("events", "identity"),
            ("identity", "registry"),
            ("registry", "fondaco"),
            ("registry", "tickets"),
        ] {
            for kind in KINDS {
                assert_eq!(house(upper, lower, kind).len(), 1, "{upper} -> {lower} in {kind}");
            }
        }
    }

    #[test]
    fn an_unknown_crate_is_a_finding() {
        let tree = Tree::of(&[("market/bazaar/Cargo.toml", &manifest("bazaar", ""))]);
        assert_eq!(directions(&tree).len(), 1);
    }

    #[test]
    fn the_house_has_no_cycle() {
        for (upper, _) in HOUSE {
            assert!(!reachable(upper).contains(upper), "{upper} reaches itself");
        }
    }

    #[test]
    fn versions_stand_in_the_root_manifest() {
        let check = |line: &str| {
            let text = manifest("store", &format!("[dependencies]\n{line}"));
            dependencies_from_the_workspace(&Tree::of(&[("base/store/Cargo.toml", &text)])).len()
        };
        assert_eq!(check("serde.workspace = true"), 0);
        assert_eq!(check("serde = { workspace = true, optional = true }"), 0);
        assert_eq!(check("serde = \"1\""), 1);
        assert_eq!(check("kernel = { path = \"../kernel\" }"), 1);
    }
}
