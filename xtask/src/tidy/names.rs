//! Names that say nothing.

use super::Finding;
use super::source::{Kind, declarations};
use super::tree::Tree;

/// Words that say nothing anywhere in a name.
const BANNED: &[&str] = &["manager", "helper", "helpers", "util", "utils"];

/// Words that say nothing as a whole name; `common_passwords` is one that says something.
const BANNED_ALONE: &[&str] = &["common", "misc"];

/// A service is a thing that the market sells; these folders deal with it.
const SERVICE_PLACES: &[&str] = &["market/services/", "market/catalog/", "market/analytics/", "stories/"];

/// Files, folders, modules and types are named after what they are or do.
pub(super) fn banned_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            findings.extend(banned(path, stem).map(|fix| Finding::of_file(path, fix)));
        }
        if path.ends_with(".rs") {
            for declared in declarations(text).iter().filter(|declared| declared.kind != Kind::Function) {
                let fix = banned(path, &declared.name);
                findings.extend(fix.map(|fix| Finding::at(path, declared.line, fix)));
            }
        }
    }
    findings
}

fn banned(path: &str, name: &str) -> Option<String> {
    let words = words(name);
    let is_alone = words.len() == 1;
    let is_banned = |word: &str| BANNED.contains(&word) || (is_alone && BANNED_ALONE.contains(&word));
    if let Some(word) = words.iter().find(|word| is_banned(word)) {
        return Some(format!("`{name}`: `{word}` says nothing; name it after what it does"));
    }
    let is_type = name.starts_with(char::is_uppercase);
    if is_type
        && words.last().is_some_and(|last| last == "service")
        && !SERVICE_PLACES.iter().any(|place| path.starts_with(place))
    {
        return Some(format!("`{name}`: a service is what the market sells; name this after what it does"));
    }
    None
}

/// The words of a name in any spelling, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before_is_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        before_is_lower = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_spelling() {
        assert_eq!(words("TokenManager"), ["token", "manager"]);
        assert_eq!(words("sha256_of-file"), ["sha256", "of", "file"]);
    }

    #[test]
    fn a_banned_word_in_a_path_or_a_type_is_a_finding() {
        for (path, text) in [
            ("base/web/src/utils.rs", ""),
            ("base/web/src/misc/page.rs", ""),
            ("base/web/src/date_helper.rs", ""),
            ("base/web/src/lib.rs", "struct SessionManager;"),
            ("base/web/src/lib.rs", "mod common {}"),
            ("base/web/src/lib.rs", "pub trait TokenService {}"),
        ] {
            assert_eq!(banned_words(&Tree::of(&[(path, text)])).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn other_names_are_free() {
        for (path, text) in [
            ("market/identity/src/common_passwords.txt", ""),
            ("base/web/src/utilities_price.rs", "struct Uncommon; fn helper() {}"),
            ("market/services/src/service.rs", "struct Service; enum NewService {}"),
            ("base/web/src/lib.rs", "struct ServiceName;"),
        ] {
            assert_eq!(banned_words(&Tree::of(&[(path, text)])), [], "{path}: {text}");
        }
    }
}
