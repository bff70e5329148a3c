//! A README as HTML that cannot do harm. READMEs are hostile and slow to render: do it once, at publish,
//! away from the threads that serve requests, and keep the HTML.
//!
//! Markdown (with GitHub's tables, task lists, alerts, footnotes) becomes HTML, HTML is reduced to what
//! prose needs, and what is left is fitted into a page: headings below the page's own, wide parts in boxes
//! that scroll, pictures only by way of a proxy.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use ammonia::{Builder, UrlRelative};
use comrak::adapters::{HeadingAdapter, HeadingMeta};
use comrak::nodes::Sourcepos;
use comrak::options::Plugins;
use comrak::{Anchorizer, Options};

use super::Html;
use super::highlight::Highlighter;
use super::prose;

/// More of a text is not rendered: the longest READMEs of real packages are below this.
pub const MAX_BYTES: usize = 200_000;

/// Deeper HTML is shown as the text that it is written in.
const MAX_DEPTH: usize = 1_000;
/// The most bytes of quote and list marks that a line may begin with.
const MAX_MARKERS: usize = 200;

/// Says from which address of ours a foreign picture is shown; `None` where it may not be.
pub type ImageProxy<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Says where a relative address of a text leads; `None` where nowhere. Only answers that begin with `https://` are
/// taken.
pub type Resolver = dyn Fn(&str) -> Option<String> + Send + Sync;

/// `markdown` as safe HTML, at most [`MAX_BYTES`] of it. Pictures become words unless `proxy` has an address
/// for them. Relative links lose their address. The result holds no address of an asset, so it may be stored.
#[must_use]
pub fn render(markdown: &str, proxy: Option<&ImageProxy<'_>>) -> Html {
    sanitised(markdown, proxy, None)
}

/// As [`render`]; relative links, and those to relative pictures, lead where `resolver` says.
#[must_use]
pub fn render_among(markdown: &str, proxy: Option<&ImageProxy<'_>>, resolver: Arc<Resolver>) -> Html {
    sanitised(markdown, proxy, Some(resolver))
}

fn sanitised(markdown: &str, proxy: Option<&ImageProxy<'_>>, resolver: Option<Arc<Resolver>>) -> Html {
    let (text, whole) = cut(markdown);
    let text = shallow(text);
    let mut html = to_html(&text);
    if depth(&html) > MAX_DEPTH {
        html = format!("<pre><code>{}</code></pre>", super::escape(&text));
    }
    if !whole {
        html.push_str("<p><em>The rest of this text is too long to be shown.</em></p>");
    }
    Html::trusted(prose::fit(&sanitiser(resolver).clean(&html).to_string(), proxy))
}

/// The part of the text that is rendered, in whole lines.
fn cut(markdown: &str) -> (&str, bool) {
    if markdown.len() <= MAX_BYTES {
        return (markdown, true);
    }
    let end = markdown.as_bytes()[..MAX_BYTES].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    (markdown.get(..end).unwrap_or_default(), false)
}

/// The parser takes time that grows with the square of how deep quotes and lists nest on one line, so no line
/// may begin with more than [`MAX_MARKERS`] of their marks.
fn shallow(text: &str) -> Cow<'_, str> {
    let is_mark = |c: char| matches!(c, '>' | '-' | '+' | '*' | '.' | ')' | ' ' | '\t') || c.is_ascii_digit();
    let marks = |line: &str| line.len() - line.trim_start_matches(is_mark).len();
    if text.lines().all(|line| marks(line) <= MAX_MARKERS) {
        return Cow::Borrowed(text);
    }
    let kept = text.split_inclusive('\n').flat_map(|line| {
        let marks = marks(line);
        [line.get(..marks.min(MAX_MARKERS)).unwrap_or_default(), line.get(marks..).unwrap_or_default()]
    });
    Cow::Owned(kept.collect())
}

/// About how deep elements nest at the most. What is never closed counts as open, as the sanitiser's parser
/// sees it; its time grows with the square of this.
fn depth(html: &str) -> usize {
    const VOID: [&str; 6] = ["br", "hr", "img", "input", "source", "link"];
    let (mut open, mut most) = (0_usize, 0);
    for tag in html.split('<').skip(1) {
        if tag.starts_with('/') {
            open = open.saturating_sub(1);
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic())
            && !VOID
                .iter()
                .any(|name| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        {
            open += 1;
            most = most.max(open);
        }
    }
    most
}

fn to_html(text: &str) -> String {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.render.r#unsafe = true; // Raw HTML passes here, for the sanitiser to judge.
    let (highlighter, headings) = (Highlighter::new(), Headings(Mutex::new(Anchorizer::new())));
    let mut plugins = Plugins::default();
    plugins.render.codefence_syntax_highlighter = Some(&highlighter);
    plugins.render.heading_adapter = Some(&headings);
    comrak::markdown_to_html_with_plugins(text, &options, &plugins)
}

/// Gives each heading an id made of its words.
struct Headings(Mutex<Anchorizer>);

impl HeadingAdapter for Headings {
    fn enter(
        &self,
        out: &mut dyn std::fmt::Write,
        heading: &HeadingMeta,
        _: Option<Sourcepos>,
    ) -> std::fmt::Result {
        let id = self.0.lock().unwrap_or_else(PoisonError::into_inner).anchorize(&heading.content);
        write!(out, r#"<h{} id="{}">"#, heading.level, super::escape(&id))
    }

    fn exit(&self, out: &mut dyn std::fmt::Write, heading: &HeadingMeta) -> std::fmt::Result {
        write!(out, "</h{}>", heading.level)
    }
}

const TAGS: [&str; 46] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "input",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "samp",
    "section",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "var",
];

/// Elements and the classes that our own rendering gives them; any other class is dropped.
const CLASSES: [(&str, &[&str]); 7] = [
    ("span", &["k", "s", "nr", "c", "f"]),
    (
        "div",
        &[
            "markdown-alert",
            "markdown-alert-note",
            "markdown-alert-tip",
            "markdown-alert-important",
            "markdown-alert-warning",
            "markdown-alert-caution",
        ],
    ),
    ("p", &["markdown-alert-title"]),
    ("section", &["footnotes"]),
    ("sup", &["footnote-ref"]),
    ("a", &["footnote-backref"]),
    ("li", &["task-list-item"]),
];

/// What an id of foreign text begins with, so that it never is one of the page's own.
const ID_PREFIX: &str = "user-content-";

/// Made anew for each text, which it costs little beside.
fn sanitiser(resolver: Option<Arc<Resolver>>) -> Builder<'static> {
    let set = |names: &[&'static str]| names.iter().copied().collect::<HashSet<_>>();
    let mut attributes = HashMap::from([
        ("a", set(&["href", "title", "aria-label"])),
        ("abbr", set(&["title"])),
        ("img", set(&["src", "alt", "title"])),
        ("input", set(&["checked"])),
        ("ol", set(&["start"])),
    ]);
    for tag in ["div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th"] {
        attributes.insert(tag, set(&["align"]));
    }
    let mut builder = Builder::empty();
    builder
        .tags(set(&TAGS))
        .clean_content_tags(set(&[
            "script", "style", "template", "svg", "math", "noscript", "iframe", "title",
        ]))
        .tag_attributes(attributes)
        .generic_attributes(set(&["id"]))
        .allowed_classes(CLASSES.iter().map(|(tag, classes)| (*tag, set(classes))).collect())
        .url_schemes(set(&["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("nofollow ugc noopener"))
        .id_prefix(Some(ID_PREFIX))
        .attribute_filter(move |tag, name, value| match (tag, name) {
            ("a", "href") => link(value, resolver.as_deref()).map(Into::into),
            ("img", "src") => Some(picture(value, resolver.as_deref()).into()),
            (_, "align") => matches!(value, "left" | "center" | "right").then(|| value.into()),
            (_, "id") => (!value.is_empty() && value.len() <= 200).then(|| value.into()),
            ("ol", "start") => value.parse::<u32>().is_ok().then(|| value.into()),
            _ => Some(value.into()),
        });
    builder
}

/// Where a link may lead: out by http, https or mail, to a heading of the same text, or where `resolver` says.
fn link(href: &str, resolver: Option<&Resolver>) -> Option<String> {
    let href = href.trim();
    if let Some(anchor) = href.strip_prefix('#') {
        let anchor = anchor.strip_prefix(ID_PREFIX).unwrap_or(anchor);
        return (!anchor.is_empty()).then(|| format!("#{ID_PREFIX}{anchor}"));
    }
    let absolute = begins_with(href, &["http://", "https://", "mailto:"]);
    if absolute { Some(href.to_owned()) } else { resolved(href, resolver) }
}

/// The address of a picture; what leads nowhere stays as it is, and is not shown as a link.
fn picture(src: &str, resolver: Option<&Resolver>) -> String {
    let resolved = if begins_with(src, &["http://", "https://"]) { None } else { resolved(src, resolver) };
    resolved.unwrap_or_else(|| src.to_owned())
}

fn resolved(address: &str, resolver: Option<&Resolver>) -> Option<String> {
    resolver.and_then(|resolver| resolver(address)).filter(|to| to.starts_with("https://"))
}

fn begins_with(address: &str, schemes: &[&str]) -> bool {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    schemes.iter().any(|scheme| lower.starts_with(scheme))
}
