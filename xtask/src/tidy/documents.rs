//! Words for a stranger.

use super::Finding;
use super::tree::Tree;

/// Every crate says what it is for: in a README.md, or in the first comment of its root file.
pub(super) fn crates_are_explained(tree: &Tree) -> Vec<Finding> {
    tree.manifests()
        .filter(|(folder, _)| {
            let has_readme = tree.get(&format!("{folder}/README.md")).is_some();
            let has_comment = ["lib", "main"].iter().any(|root| {
                tree.get(&format!("{folder}/src/{root}.rs")).is_some_and(|text| text.starts_with("//!"))
            });
            !has_readme && !has_comment
        })
        .map(|(folder, _)| {
            let fix = "say what this crate is for: in a README.md, or with `//!` at the top of its root file";
            Finding::of_file(&format!("{folder}/Cargo.toml"), fix)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_or_a_comment_is_enough_and_nothing_is_not() {
        let check = |path, text| {
            let files = [("base/mail/Cargo.toml", "[package]\nname = \"mail\""), (path, text)];
            crates_are_explained(&Tree::of(&files)).len()
        };
        assert_eq!(check("base/mail/README.md", "# mail"), 0);
        assert_eq!(check("base/mail/src/lib.rs", "//! Sends mail."), 0);
        assert_eq!(check("base/mail/src/lib.rs", "use std::fmt;"), 1);
        assert_eq!(check("base/mail/src/smtp.rs", "//! SMTP."), 1);
    }
}
