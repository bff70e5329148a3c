//! Figures of the search, optimised as a release is:
//! `cargo nextest run -p registry --test catalogue --run-ignored only --no-capture --config profile.dev.package.registry.opt-level=3 speed`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use kernel::{Paging, Timestamp};
use registry::search::{Downloads, Entry, Index, Links, Person, Query, Sort, Viewer};
use registry::{Access, Ecosystem, OwnerKind};

const WORDS: &[&str] = &[
    "http", "server", "client", "parser", "stream", "react", "state", "router", "fast", "tiny", "typed",
    "json", "yaml", "color", "string", "array", "promise", "async", "queue", "cache", "file", "path", "glob",
    "test", "mock", "date", "time", "format", "crypto", "hash", "image", "video", "audio", "canvas", "chart",
    "table", "form", "input", "button", "modal", "theme", "style", "css", "html", "dom", "event", "emitter",
    "logger", "config", "env", "cli", "prompt",
];

/// A word that hardly two packages share, as names in the wild have them.
fn rare(n: usize) -> String {
    let mut n = n.wrapping_mul(2_654_435_761) % 1_000_003;
    let mut word = String::new();
    while n > 0 {
        word.push(char::from(b'a' + u8::try_from(n % 26).unwrap()));
        n /= 26;
    }
    word
}

fn entry(n: usize) -> Entry {
    let word = |k: usize| WORDS[(n.wrapping_mul(31).wrapping_add(k * 17 + n / 7)) % WORDS.len()];
    let bare = format!("{}-{}-{}", word(1), word(2), rare(n));
    let name = if n.is_multiple_of(4) { format!("@{}/{bare}", rare(n % 400)) } else { bare };
    let keywords = (3..8).map(|k| word(k).into()).collect();
    let description = (8..22).map(word).collect::<Vec<_>>().join(" ");
    Entry {
        id: format!("pkg-{n}").parse().unwrap(),
        ecosystem: Ecosystem::Npm,
        name: name.into(),
        owner_kind: OwnerKind::User,
        owner: "ada".into(),
        access: Access::Public,
        latest: "1.2.3".into(),
        description: description.into(),
        keywords,
        licence: if n.is_multiple_of(5) { "Apache-2.0" } else { "MIT" }.into(),
        author: "Ada".into(),
        links: Links::default(),
        maintainers: Box::new([Person { account: "user-ada".into(), username: "ada".into() }]),
        published_by: "ada".into(),
        published_at: Timestamp::from_secs(i64::try_from(n).unwrap()),
        deprecated: None,
        dependencies: Box::new([word(30).into(), word(31).into()]),
        created_at: Timestamp::from_secs(0),
        updated_at: Timestamp::from_secs(0),
    }
}

/// Resident memory of this process in kB, as Linux counts it.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

#[test]
#[ignore = "measures; run it alone"]
fn searches_are_fast_at_ten_thousand_packages() {
    let before = resident_kb();
    let started = Instant::now();
    let mut index = Index::default();
    (0..10_000).for_each(|n| index.put(entry(n), Downloads { total: n as u64, month: n as u64, week: 1 }));
    println!("filled with 10,000 in {:?}, {} kB more resident", started.elapsed(), resident_kb() - before);
    let queries = [
        "http",
        "h",
        "htpp server",
        "react state router",
        "@a/x",
        "promsie",
        "fast tiny typed json yaml parser",
        "keywords:cache license:mit",
        "",
        "zzzzqq",
        "sevrer cleint pasrer stremo raect stat ruoter fsat",
    ];
    let viewer = Viewer::stranger();
    let mut all = Vec::new();
    for typed in queries {
        let mut times: Vec<Duration> = (0..100)
            .map(|_| {
                let started = Instant::now();
                let query = Query::parse(typed);
                let found = index.search(&query, &viewer, Sort::Relevance, Paging::default());
                assert!(found.hits.len() <= 20);
                started.elapsed()
            })
            .collect();
        println!("{typed:?}: p50 {:?}, p95 {:?}", percentile(&mut times, 50), percentile(&mut times, 95));
        all.extend(times);
    }
    let p95 = percentile(&mut all, 95);
    println!("all: p95 {p95:?}");
    assert!(p95 < Duration::from_millis(50), "{p95:?}");
}
