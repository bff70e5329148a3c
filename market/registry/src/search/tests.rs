#![allow(clippy::unwrap_used)]
use identity::orgs::OrgRole;
use proptest::prelude::*;

use super::*;
use crate::Ecosystem;
use crate::package::{Access, OwnerKind};
use kernel::Timestamp;

/// A public package with `name` and `description`.
fn entry(name: &str, description: &str) -> Entry {
    let number = name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Entry {
        id: format!("pkg-{number}").parse().unwrap(),
        ecosystem: Ecosystem::Npm,
        name: name.into(),
        owner_kind: OwnerKind::User,
        owner: "ada".into(),
        access: Access::Public,
        latest: "1.0.0".into(),
        description: description.into(),
        keywords: Box::new([]),
        licence: "MIT".into(),
        author: "Ada".into(),
        links: Links::default(),
        maintainers: Box::new([Person { account: "user-ada".into(), username: "ada".into() }]),
        published_by: "ada".into(),
        published_at: Timestamp::from_secs(1),
        deprecated: None,
        dependencies: Box::new([]),
        created_at: Timestamp::from_secs(0),
        updated_at: Timestamp::from_secs(0),
    }
}

fn fetched(month: u64) -> Downloads {
    Downloads { total: month * 2, month, week: month / 4 }
}

fn index(entries: impl IntoIterator<Item = (Entry, u64)>) -> Index {
    let mut index = Index::default();
    entries.into_iter().for_each(|(entry, month)| index.put(entry, fetched(month)));
    index
}

fn names(index: &Index, typed: &str) -> Vec<String> {
    found(index, typed).hits.iter().map(|hit| hit.entry.name.to_string()).collect()
}

fn found(index: &Index, typed: &str) -> Found {
    index.search(&Query::parse(typed), &Viewer::stranger(), Sort::Relevance, Paging::default())
}

fn some() -> Index {
    index([
        (entry("express", "Fast web framework"), 9_000),
        (entry("@elide/http", "HTTP server and client"), 500),
        (entry("http-errors", "Create HTTP errors"), 90_000),
        (entry("left-pad", "Pads a text"), 100),
        (
            Entry {
                keywords: Box::new(["http".into(), "proxy".into()]),
                ..entry("tunnel", "Connects networks")
            },
            10,
        ),
        (
            Entry { deprecated: Some("use express".into()), ..entry("expressive", "Old web framework") },
            1_000_000,
        ),
        (Entry { licence: "Apache-2.0".into(), latest: "0.3.0".into(), ..entry("react", "Draws pages") }, 5),
    ])
}

#[test]
fn a_name_comes_before_its_parts_and_those_before_words() {
    let index = some();
    assert_eq!(names(&index, "@elide/http"), ["@elide/http"]);
    assert_eq!(names(&index, "http"), ["@elide/http", "http-errors", "tunnel"]);
    assert_eq!(names(&index, "elide"), ["@elide/http"]);
    assert_eq!(names(&index, "leftpad"), ["left-pad"]);
    assert_eq!(names(&index, "left_pad"), ["left-pad"]);
    assert_eq!(names(&index, "framework web"), ["express", "expressive"]);
}

#[test]
fn slips_are_forgiven_and_told() {
    let index = some();
    let slipped = found(&index, "exprss license:mit");
    assert_eq!(slipped.hits[0].entry.name.as_ref(), "express");
    assert_eq!(slipped.did_you_mean.as_deref(), Some("express license:mit"));
    assert_eq!(found(&index, "expre").did_you_mean, None);
    assert_eq!(found(&index, "zzzzzz").did_you_mean, None);
}

#[test]
fn most_of_the_words_are_enough_when_nothing_has_all() {
    assert_eq!(names(&some(), "http proxy typescript"), ["tunnel"]);
    assert!(names(&some(), "http quantum teleport").is_empty());
}

#[test]
fn deprecated_packages_are_last_unless_asked_for_by_name() {
    let index = some();
    assert_eq!(names(&index, "express"), ["express", "expressive"]);
    assert_eq!(names(&index, "expressive")[0], "expressive");
    assert_eq!(names(&index, "is:deprecated"), ["expressive"]);
    assert!(!names(&index, "not:deprecated").contains(&"expressive".to_owned()));
    let newest = index.search(&Query::default(), &Viewer::stranger(), Sort::Newest, Paging::default());
    assert_eq!(newest.hits.last().unwrap().entry.name.as_ref(), "expressive");
}

#[test]
fn qualifiers_choose_and_choices_are_counted() {
    let index = some();
    assert_eq!(names(&index, "keywords:proxy,other"), ["tunnel"]);
    assert_eq!(names(&index, "scope:elide"), ["@elide/http"]);
    assert_eq!(names(&index, "is:unstable"), ["react"]);
    assert!(names(&index, "author:nobody").is_empty());
    assert_eq!(names(&index, "maintainer:ADA").len(), 7);
    let chosen = found(&index, "license:apache-2.0");
    assert_eq!((chosen.total, chosen.ecosystems), (1, vec![("npm".to_owned(), 1)]));
    assert_eq!(chosen.licences, [("MIT".to_owned(), 6), ("Apache-2.0".to_owned(), 1)]);
}

#[test]
fn what_is_put_again_takes_its_own_place() {
    let mut index = some();
    let changed = entry("express", "Slow now");
    index.put(changed.clone(), fetched(1));
    assert_eq!(index.len(), 7);
    assert!(names(&index, "fast").is_empty());
    assert_eq!(names(&index, "slow"), ["express"]);
    index.remove(&changed.id);
    assert!(names(&index, "slow").is_empty());
    assert_eq!(names(&index, "express"), ["expressive"]);
}

#[test]
fn dependents_are_found() {
    let mut index = some();
    index.put(Entry { dependencies: Box::new(["express".into()]), ..entry("app", "") }, fetched(3));
    let (hits, total) = index.dependents("express", &Viewer::stranger(), Paging::default());
    assert_eq!((hits[0].entry.name.as_ref(), total), ("app", 1));
}

/// Somebody with these scopes and this standing in the organisation `ada`.
fn viewer(scopes: &str, standing: Option<OrgRole>, operates: bool) -> Viewer {
    let membership =
        standing.map(|role| identity::Membership { id: identity::OrgId::fresh(), org: "ada".into(), role });
    let actor = identity::Actor {
        user: "user-eve".parse().unwrap(),
        username: "eve".into(),
        roles: identity::Role::ALL.into_iter().collect(),
        scopes: scopes.parse().unwrap(),
        via: identity::Via::System,
        memberships: membership.into_iter().collect(),
    };
    Viewer { actor: Some(actor), operates, ..Viewer::default() }
}

#[test]
fn private_packages_are_seen_by_those_alone_who_may_read_them() {
    let private = Entry { access: Access::Private, ..entry("@acme/secret", "") };
    let owned = Entry { owner_kind: OwnerKind::Organisation, ..private.clone() };
    let shared = Entry { access: Access::Organisation, ..owned.clone() };
    let admin = viewer("read", Some(OrgRole::Admin), false);
    let member = viewer("read", Some(OrgRole::Member), false);
    assert!(!Viewer::stranger().sees(&private) && !admin.sees(&private));
    // An organisation's admin sees its private packages, a member those of the organisation.
    assert!(admin.sees(&owned) && !member.sees(&owned) && member.sees(&shared));
    let granted = Viewer { granted: ["npm/@acme/secret".to_owned()].into(), ..member };
    assert!(granted.sees(&owned));
    let maintained = Entry {
        maintainers: Box::new([Person { account: "user-eve".into(), username: "eve".into() }]),
        ..private.clone()
    };
    assert!(viewer("read", None, false).sees(&maintained) && viewer("read", None, true).sees(&private));
    // A token for other packages shows none of it.
    for limited in [viewer("read packages:@else/*", None, true), viewer("read packages:x", None, false)] {
        assert!(!limited.sees(&private) && !limited.sees(&maintained));
    }
}

/// Names, descriptions and keywords that have words in common, so that searches find something.
fn entries() -> impl Strategy<Value = Vec<(Entry, u64)>> {
    let word = || {
        prop::sample::select(vec![
            "http", "server", "react", "reactive", "left", "pad", "öl", "a", "x1", "secret", "secrets",
        ])
    };
    let one =
        (word(), word(), word(), prop::option::of(word()), any::<bool>(), any::<bool>(), 0_u64..1 << 40);
    let one = one.prop_map(|(first, second, about, scope, private, deprecated, month)| {
        let bare = format!("{first}-{second}");
        let name = scope.map_or(bare.clone(), |scope| format!("@{scope}/{bare}"));
        let entry = Entry {
            access: if private { Access::Private } else { Access::Public },
            deprecated: deprecated.then(|| "old".into()),
            keywords: Box::new([about.into()]),
            ..entry(&name, about)
        };
        (entry, month)
    });
    prop::collection::vec(one, 0..40)
}

fn queries() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zöA-Z@/: .-]{0,12}",
        "(htp|sercet|secret|reac|left pad|@a/http|http servre|keywords:(secret|http)|is:deprecated|license:mit|not:x){1,3}",
        "(http|secret|react|pdd|sevrer)( (http|secret|react|pdd|sevrer)){0,14}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_query_and_its_pages_are_one_list(
        entries in entries(), typed in queries(), sort in 0_usize..3, limit in 1_u32..7,
    ) {
        let index = index(entries);
        let (query, viewer, sort) = (Query::parse(&typed), Viewer::stranger(), Sort::ALL[sort]);
        let whole = index.search(&query, &viewer, sort, Paging { limit: 100, offset: 0 });
        prop_assert_eq!(whole.hits.len() as u64, whole.total);
        let mut pages = Vec::new();
        for offset in (0..100).step_by(limit as usize) {
            pages.extend(index.search(&query, &viewer, sort, Paging { limit, offset }).hits);
        }
        prop_assert_eq!(&pages, &whole.hits);
        let current = whole.hits.iter().filter(|hit| hit.entry.deprecated.is_none()).collect::<Vec<_>>();
        match sort {
            Sort::Relevance => prop_assert!(current.is_sorted_by(|a, b| a.relevance >= b.relevance)),
            Sort::Downloads => prop_assert!(current.is_sorted_by(|a, b| a.downloads.month >= b.downloads.month)),
            Sort::Newest => prop_assert!(current.is_sorted_by(|a, b| a.entry.published_at >= b.entry.published_at)),
        }
    }

    /// The whole answer to a stranger, with totals, counts and suggestions, is the one that an index without any
    /// private package gives.
    #[test]
    fn private_packages_leave_no_trace(entries in entries(), typed in queries()) {
        // The same name may be private or public; the last one counts, as in the index.
        let mut by_id = HashMap::new();
        entries.iter().for_each(|(entry, month)| { by_id.insert(entry.id.clone(), (entry.clone(), *month)); });
        let public = index(by_id.into_values().filter(|(entry, _)| entry.access == Access::Public));
        let all = index(entries);
        prop_assert_eq!(found(&all, &typed), found(&public, &typed));
    }

    #[test]
    fn removing_everything_leaves_nothing(entries in entries()) {
        let mut index = index(entries.clone());
        entries.iter().for_each(|(entry, _)| index.remove(&entry.id));
        prop_assert!(index.is_empty() && index.is_bare());
    }
}
