//! What a good policy is.

use kernel::FieldError;

use super::PolicyDraft;
use crate::uplink::policy::Entry;

/// Ten years: what is older is old.
const MAX_HOURS: u32 = 87_600;
const MAX_ENTRIES: usize = 500;
const MAX_EXEMPTIONS: usize = 200;
/// The longest package name has 214 characters; a range needs some more.
const MAX_ENTRY: usize = 300;
const MAX_REASON: usize = 500;

/// The draft without what makes no difference: spaces at the ends, repeats, empty lines.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn checked(draft: PolicyDraft) -> Result<PolicyDraft, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let mut tell = |pointer: String, detail: String| {
        wrong.push(FieldError { pointer: pointer.into(), detail: detail.into() });
    };
    let mut checked =
        PolicyDraft { minimum_release_age_hours: draft.minimum_release_age_hours, ..PolicyDraft::default() };
    if draft.minimum_release_age_hours > MAX_HOURS {
        tell("/minimumReleaseAgeHours".to_owned(), format!("Use {MAX_HOURS} hours (ten years) at most."));
    }
    let lists = [("allow", draft.allow, &mut checked.allow), ("block", draft.block, &mut checked.block)];
    for (field, entries, kept) in lists {
        if entries.len() > MAX_ENTRIES {
            tell(
                format!("/{field}"),
                format!("Use {MAX_ENTRIES} entries at most: a scope or prefix-* means many."),
            );
            continue;
        }
        for (at, entry) in entries.iter().map(|entry| entry.trim()).enumerate() {
            match entry_fault(entry) {
                Some(fault) => tell(format!("/{field}/{at}"), fault),
                None if entry.is_empty() || kept.iter().any(|one| one == entry) => {}
                None => kept.push(entry.to_owned()),
            }
        }
    }
    if draft.exempt.len() > MAX_EXEMPTIONS {
        tell(
            "/exempt".to_owned(),
            format!("Use {MAX_EXEMPTIONS} exemptions at most: remove what is old enough now."),
        );
    } else {
        for (at, mut one) in draft.exempt.into_iter().enumerate() {
            one.name = one.name.trim().to_owned();
            one.reason = one.reason.trim().to_owned();
            let fault =
                if one.name.is_empty() { Some("Name a package.".to_owned()) } else { entry_fault(&one.name) };
            if let Some(fault) = fault {
                tell(format!("/exempt/{at}/name"), fault);
            } else if one.reason.is_empty() || one.reason.chars().count() > MAX_REASON {
                tell(format!("/exempt/{at}/reason"), format!("Say why, in 1 to {MAX_REASON} characters."));
            } else if checked.exempt.iter().any(|other| other.name == one.name) {
                tell(
                    format!("/exempt/{at}/name"),
                    format!("{} stands here twice: keep one of them.", one.name),
                );
            } else {
                checked.exempt.push(one);
            }
        }
    }
    if wrong.is_empty() { Ok(checked) } else { Err(wrong) }
}

/// What is wrong with an entry that is not empty.
fn entry_fault(entry: &str) -> Option<String> {
    if entry.is_empty() {
        return None;
    }
    if entry.len() > MAX_ENTRY {
        return Some(format!("An entry has {MAX_ENTRY} characters at most."));
    }
    Entry::parse(entry).err().map(|error| format!("{error}. Write it as npm does, such as left-pad@<1.3."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::uplink::organisation::ExemptionDraft;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn exempt(name: &str, reason: &str) -> ExemptionDraft {
        ExemptionDraft { name: name.to_owned(), reason: reason.to_owned() }
    }

    fn pointers(draft: PolicyDraft) -> Vec<String> {
        checked(draft).unwrap_err().into_iter().map(|error| error.pointer.into_owned()).collect()
    }

    #[test]
    fn spaces_repeats_and_empty_lines_make_no_difference() {
        let draft = PolicyDraft {
            allow: texts(&[" a ", "", "a", "@s/b@^1"]),
            exempt: vec![exempt(" c ", " it mends a hole ")],
            ..PolicyDraft::default()
        };
        let checked = checked(draft).unwrap();
        assert_eq!(checked.allow, ["a", "@s/b@^1"]);
        assert_eq!(checked.exempt, [exempt("c", "it mends a hole")]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_its_place() {
        let draft = PolicyDraft {
            minimum_release_age_hours: MAX_HOURS + 1,
            allow: texts(&["a", "a b"]),
            block: texts(&["@"]),
            exempt: vec![
                exempt("a", " "),
                exempt("", "x"),
                exempt("b", "x"),
                exempt("b", "y"),
                exempt("c d", "x"),
            ],
        };
        let expected = [
            "/minimumReleaseAgeHours",
            "/allow/1",
            "/block/0",
            "/exempt/0/reason",
            "/exempt/1/name",
            "/exempt/3/name",
            "/exempt/4/name",
        ];
        assert_eq!(pointers(draft), expected);
        let many = (0..=MAX_ENTRIES).map(|n| format!("p{n}")).collect();
        assert_eq!(pointers(PolicyDraft { block: many, ..PolicyDraft::default() }), ["/block"]);
        let many = (0..=MAX_EXEMPTIONS).map(|n| exempt(&format!("p{n}"), "x")).collect();
        assert_eq!(pointers(PolicyDraft { exempt: many, ..PolicyDraft::default() }), ["/exempt"]);
        let long = PolicyDraft { block: vec!["x".repeat(MAX_ENTRY + 1)], ..PolicyDraft::default() };
        assert_eq!(pointers(long), ["/block/0"]);
    }

    proptest! {
        #[test]
        fn what_was_checked_is_good_again(entries in proptest::collection::vec(".{0,20}", 0..5), reason in ".{0,20}") {
            let exempt = entries.iter().map(|name| exempt(name, &reason)).collect();
            let draft = PolicyDraft { block: entries.clone(), allow: entries, exempt, ..PolicyDraft::default() };
            if let Ok(once) = checked(draft) {
                prop_assert_eq!(checked(once.clone()).unwrap(), once);
            }
        }
    }
}
