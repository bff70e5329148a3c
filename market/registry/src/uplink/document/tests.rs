#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::uplink::organisation::Binding;
use crate::uplink::policy::Policy;
use crate::uplink::settings::Settings;

const BASE: &str = "http://localhost:4873/npm/";

fn name() -> NpmName {
    NpmName::parse("@s/n").unwrap()
}

fn policy(block: &[&str], days: u64) -> Policy {
    let block = block.iter().map(|text| (*text).to_owned()).collect();
    let minimum_release_age = Duration::from_secs(days * 86_400);
    Policy::new(&Settings { block, minimum_release_age, ..Settings::default() }).unwrap()
}

fn manifest(version: &str) -> Value {
    json!({
        "name": "@s/n", "version": version, "description": "About", "dependencies": {"a": "^1"},
        "scripts": {"postinstall": "node x"}, "custom": {"kept": true}, "readme": "long", "deprecated": false,
        "dist": {
            "shasum": "a9993e364706816aba3e25717850c26c9cd0d89d", "tarball": "https://example.com/elsewhere.tgz",
            "fileCount": 3, "unpackedSize": 10, "npm-signature": "old",
            "attestations": {"url": "https://example.com/-/npm/v1/attestations/@s%2fn@1.0.0"},
        },
    })
}

fn document(versions: &[&str], tags: Value) -> Value {
    let mut time = json!({"created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-20T00:00:00.000Z"});
    let mut manifests = Map::new();
    for (day, version) in versions.iter().enumerate() {
        manifests.insert((*version).to_owned(), manifest(version));
        time[*version] = json!(format!("2026-01-{:02}T00:00:00.000Z", day + 1));
    }
    json!({
        "_id": "@s/n", "_rev": "7-abc", "name": "@s/n", "dist-tags": tags, "versions": manifests, "time": time,
        "readme": "# n", "license": "MIT", "maintainers": [{"name": "ada", "email": ""}], "_attachments": {"x": 1},
        "author": 3,
    })
}

fn written(document: &Value, form: Form, policy: &Policy, now: Timestamp) -> (Value, LeftOut) {
    let text = document.to_string();
    let mut foreign = Foreign::parse(&name(), &text).unwrap();
    let left_out = foreign.apply(InForce { registry: policy, organisations: &Binding::default(), now });
    (serde_json::from_slice(&foreign.write(form, BASE)).unwrap(), left_out)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_abbreviated_form_has_what_installers_need_and_our_address() {
    let source = document(&["1.0.0"], json!({"latest": "1.0.0"}));
    let (document, left_out) = written(&source, Form::Abbreviated, &policy(&[], 0), Timestamp::from_secs(0));
    assert_eq!(left_out, LeftOut::default());
    let expected = json!({
        "name": "@s/n", "dist-tags": {"latest": "1.0.0"}, "modified": "2026-01-20T00:00:00.000Z",
        "versions": {"1.0.0": {
            "name": "@s/n", "version": "1.0.0", "dependencies": {"a": "^1"}, "hasInstallScript": true,
            "dist": {
                "tarball": "http://localhost:4873/npm/@s/n/-/n-1.0.0.tgz",
                "shasum": "a9993e364706816aba3e25717850c26c9cd0d89d", "fileCount": 3, "unpackedSize": 10,
            },
        }},
    });
    assert_eq!(document, expected);
}

#[test]
fn the_full_form_keeps_the_manifest_and_the_front() {
    let source = document(&["1.0.0"], json!({"latest": "1.0.0"}));
    let (document, _) = written(&source, Form::Full, &policy(&[], 0), Timestamp::from_secs(0));
    let version = &document["versions"]["1.0.0"];
    assert_eq!((&version["_id"], &version["custom"]), (&json!("@s/n@1.0.0"), &json!({"kept": true})));
    assert!(version.get("readme").is_none() && version.get("deprecated").is_none());
    assert!(version["dist"].get("attestations").is_none());
    assert_eq!(document["time"]["1.0.0"], "2026-01-01T00:00:00.000Z");
    assert_eq!((&document["_rev"], &document["readme"]), (&json!("7-abc"), &json!("# n")));
    assert!(document.get("_attachments").is_none() && document.get("author").is_none(), "of the wrong kind");
}

#[test]
fn one_version_is_found_by_number_and_by_tag() {
    let source = document(&["1.0.0", "1.0.1"], json!({"latest": "1.0.1"}));
    let (document, _) = written(&source, Form::Full, &policy(&[], 0), Timestamp::from_secs(0));
    let one = |selector: &str| {
        one_version(&document.to_string(), selector)
            .map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    assert_eq!(one("latest").unwrap(), document["versions"]["1.0.1"]);
    assert_eq!(one("1.0.0").unwrap(), document["versions"]["1.0.0"]);
    assert_eq!((one("2.0.0"), one("next")), (None, None));
}

#[test]
fn young_releases_are_withheld_and_tags_move() {
    let tags = json!({"latest": "2.1.0", "next": "3.0.0-beta.2", "old": "1.0.0", "gone": "9.9.9"});
    let versions = ["1.0.0", "2.0.0", "3.0.0-beta.1", "2.0.1", "2.1.0", "3.0.0-beta.2"];
    let source = document(&versions, tags);
    // Four days old on the 8th: the first four.
    let (document, left_out) = written(&source, Form::Full, &policy(&[], 4), at("2026-01-08T00:00:00Z"));
    let expected = json!({"latest": "2.0.1", "next": "3.0.0-beta.1", "old": "1.0.0"});
    assert_eq!(document["dist-tags"], expected);
    let kept: Vec<_> = document["versions"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(kept, ["1.0.0", "2.0.0", "3.0.0-beta.1", "2.0.1"]);
    assert!(document["time"].get("2.1.0").is_none());
    assert_eq!((left_out.withheld, left_out.until), (2, Some(at("2026-01-09T00:00:00Z"))));
}

#[test]
fn latest_never_goes_up_to_what_nobody_chose_and_never_dangles() {
    let latest = |versions: &[&str], tags: Value, block: &[&str]| {
        let source = document(versions, tags);
        let (document, _) = written(&source, Form::Full, &policy(block, 0), Timestamp::from_secs(0));
        document["dist-tags"]["latest"].clone()
    };
    let tags = json!({"latest": "2.0.0"});
    assert_eq!(latest(&["1.0.0", "2.0.0", "3.0.0"], tags.clone(), &["@s/n@2"]), "1.0.0");
    assert_eq!(latest(&["2.0.0", "3.0.0"], tags.clone(), &["@s/n@2"]), "3.0.0");
    assert_eq!(latest(&["2.0.0", "3.0.0-a"], tags, &["@s/n@2"]), "3.0.0-a");
    assert_eq!(latest(&["1.0.0", "2.0.0-a"], json!({}), &[]), "1.0.0");
    assert_eq!(latest(&["1.0.0"], json!([]), &[]), "1.0.0");
}

#[test]
fn releases_that_are_not_what_they_say_are_not_there() {
    let mut source = document(&["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4"], json!({"latest": "1.0.4"}));
    let versions = source["versions"].as_object_mut().unwrap();
    versions["1.0.1"]["version"] = json!("1.0.0");
    versions["1.0.2"]["name"] = json!("other");
    versions["1.0.3"]["dist"] = json!({"tarball": "https://example.com/x.tgz"});
    versions["1.0.4"]["x"] =
        serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    for key in ["v1.0.5", "1.0", "../1.0.0", "1.0.0/../..", "", "latest", " 1.0.6"] {
        let mut manifest = manifest("1.0.0");
        manifest["version"] = json!(key);
        versions.insert(key.to_owned(), manifest);
    }
    let (document, _) = written(&source, Form::Abbreviated, &policy(&[], 0), Timestamp::from_secs(0));
    assert_eq!(document["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["1.0.0"]);
    assert_eq!(document["dist-tags"], json!({"latest": "1.0.0"}));
}

#[test]
fn other_documents_are_refused() {
    for text in [
        "",
        "[]",
        "{}",
        "null",
        r#"{"name":"other","versions":{}}"#,
        r#"{"name":["@s/n"]}"#,
        "{\"name\":\"@s/n\"",
    ] {
        assert!(Foreign::parse(&name(), text).is_err(), "{text}");
    }
    assert!(Foreign::parse(&name(), r#"{"name":"@s/n"}"#).unwrap().is_empty());
    let deep = format!(
        r#"{{"name":"@s/n","readme":"x","users":{}{}}}"#,
        "{\"a\":".repeat(200_000),
        "1".to_owned() + &"}".repeat(200_000)
    );
    let parsed = Foreign::parse(&name(), &deep).unwrap();
    let written: Value = serde_json::from_slice(&parsed.write(Form::Full, BASE)).unwrap();
    assert!(written.get("users").is_none());
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z0-9_\"\\\\/@.\u{1f600}\n]{0,8}",
        Just("1.0.0".to_owned()),
        Just("2.0.0-beta.1".to_owned()),
        Just("latest".to_owned()),
        Just("@s/n".to_owned()),
        Just("2026-01-05T00:00:00.000Z".to_owned()),
        Just("a9993e364706816aba3e25717850c26c9cd0d89d".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, move |inner| {
        let key = prop_oneof![
            text.clone(),
            prop::sample::select(vec![
                "dist",
                "tarball",
                "integrity",
                "shasum",
                "version",
                "name",
                "scripts",
                "deprecated",
                "dependencies",
                "bin",
                "engines",
                "hasInstallScript",
                "__proto__",
            ])
            .prop_map(str::to_owned)
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A document of the right outline in which any part may be anything.
fn any_document() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec![
        "dist-tags",
        "versions",
        "time",
        "readme",
        "users",
        "maintainers",
        "_rev",
        "license",
        "keywords",
    ]);
    let in_version = prop::sample::select(vec![
        "dependencies",
        "bin",
        "engines",
        "os",
        "scripts",
        "deprecated",
        "bundledDependencies",
        "funding",
        "_id",
        "x",
        "hasInstallScript",
        "dist",
        "version",
        "name",
    ]);
    let version = prop::sample::select(vec!["1.0.0", "1.0.1", "2.0.0-beta.1", "9.9.9"]);
    let top = prop::collection::vec((field, any_json()), 0..3);
    let inside = prop::collection::vec((version, in_version, any_json()), 0..8);
    let more = prop::collection::vec(("[0-9.a-z/ -]{0,8}", any_json()), 0..3);
    (top, inside, more).prop_map(|(top, inside, more)| {
        let mut whole = document(&["1.0.0", "1.0.1", "2.0.0-beta.1"], json!({"latest": "1.0.1"}));
        for (version, field, value) in inside {
            whole["versions"][version][field] = value;
        }
        for (key, value) in more {
            whole["versions"][key] = value;
        }
        for (field, value) in top {
            whole[field] = value;
        }
        whole
    })
}

fn is_sound(document: &Value) {
    let versions = document["versions"].as_object().unwrap();
    for (key, version) in versions {
        assert!(nodejs_semver::Version::parse(key).is_ok());
        assert_eq!((&version["name"], &version["version"]), (&json!("@s/n"), &json!(key)));
        assert_eq!(version["dist"]["tarball"], format!("{BASE}@s/n/-/n-{key}.tgz"));
        assert!(version["dist"]["shasum"].is_string() || version["dist"]["integrity"].is_string());
        assert!(
            version.get("deprecated").is_none_or(|text| text.as_str().is_some_and(|text| !text.is_empty()))
        );
        assert!(version.get("hasInstallScript").is_none_or(|value| *value == true));
    }
    let tags = document["dist-tags"].as_object().unwrap();
    assert!(tags.values().all(|key| versions.contains_key(key.as_str().unwrap())), "a tag dangles");
    assert_eq!(versions.is_empty(), !tags.contains_key("latest"));
}

fn types_are_those_of_the_protocol(version: &Value) {
    for field in DEPENDENCY_FIELDS {
        assert!(version.get(*field).is_none_or(|value| {
            value.as_object().is_some_and(|ranges| ranges.values().all(Value::is_string))
        }));
    }
    assert!(version.get("bin").is_none_or(|bin| bin.is_object() || bin.is_string()));
    assert!(
        version.get("scripts").is_none() && version.get("x").is_none() && version.get("readme").is_none()
    );
}

const DEPENDENCY_FIELDS: &[&str] =
    &["dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "acceptDependencies"];

proptest! {
    #[test]
    fn any_document_becomes_a_sound_one(source in any_document(), days in 0_u64..10) {
        let text = source.to_string();
        let mut foreign = Foreign::parse(&name(), &text).unwrap();
        let (registry, now) = (policy(&["@s/n@9"], days), at("2026-01-08T00:00:00Z"));
        foreign.apply(InForce { registry: &registry, organisations: &Binding::default(), now });
        let short: Value = serde_json::from_slice(&foreign.write(Form::Abbreviated, BASE)).unwrap();
        let long: Value = serde_json::from_slice(&foreign.write(Form::Full, BASE)).unwrap();
        is_sound(&short);
        is_sound(&long);
        short["versions"].as_object().unwrap().values().for_each(types_are_those_of_the_protocol);
        prop_assert_eq!(&short["dist-tags"], &long["dist-tags"]);
        prop_assert!(short["versions"].get("9.9.9").is_none());
    }

    #[test]
    fn any_json_is_survived(source in any_json(), cut in 0_usize..200) {
        let text = json!({"name": "@s/n", "versions": source.clone(), "time": source.clone(), "dist-tags": source}).to_string();
        if let Ok(foreign) = Foreign::parse(&name(), &text) {
            is_sound(&serde_json::from_slice(&foreign.write(Form::Full, BASE)).unwrap());
        }
        let cut = text.char_indices().nth(cut).map_or(text.len(), |(at, _)| at);
        let _ = Foreign::parse(&name(), &text[..cut]);
    }

    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        prop_assert!(Foreign::parse(&name(), &text).is_err());
    }
}
