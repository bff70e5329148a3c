//! Fits sanitised HTML into a page. It works on the sanitiser's output alone, where every tag is closed,
//! every attribute quoted and every `<` of text escaped.

use std::fmt::Write;

use super::escape;
use super::markdown::ImageProxy;

/// Headings below the page's own without gaps, tables in boxes that scroll, code that takes the focus,
/// check marks for the boxes of task lists, and pictures by way of `proxy` or as words.
pub(super) fn fit(html: &str, proxy: Option<&ImageProxy<'_>>) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let mut levels = Levels::default();
    let mut links = 0_u32;
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (text, from_tag) = rest.split_at(start);
        out.push_str(text);
        let (tag, after) = from_tag.split_at(tag_end(from_tag));
        rest = after;
        match name(tag) {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => out.push_str(&levels.fit(tag)),
            "table" if tag.starts_with("</") => out.push_str("</table></div>"),
            "table" => out
                .push_str(r#"<div class="table-wrap" tabindex="0" role="group" aria-label="Table"><table class="table">"#),
            "pre" if tag == "<pre>" => out.push_str(r#"<pre tabindex="0">"#),
            "input" => out.push_str(check_mark(tag)),
            "img" => image(&mut out, tag, links > 0, proxy),
            "a" => {
                links = if tag.starts_with("</") { links.saturating_sub(1) } else { links + 1 };
                out.push_str(tag);
            }
            _ => out.push_str(tag),
        }
    }
    out.push_str(rest);
    out
}

/// The length of the tag that `text` begins with; a `>` within quotes does not end it.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn name(tag: &str) -> &str {
    let tag = tag.trim_start_matches(['<', '/']);
    tag.split([' ', '>', '/']).next().unwrap_or_default()
}

/// The value of an attribute, still escaped.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Nests headings as they were meant, below the `h1` of the page, and never skips a level.
#[derive(Default)]
struct Levels {
    open: Vec<u8>,
}

impl Levels {
    fn fit(&mut self, tag: &str) -> String {
        if tag.starts_with("</") {
            return format!("</h{}>", self.depth());
        }
        let level = tag.as_bytes().get(2).copied().unwrap_or(b'1');
        while self.open.last().is_some_and(|open| *open >= level) {
            self.open.pop();
        }
        self.open.push(level);
        format!("<h{}{}", self.depth(), tag.get(3..).unwrap_or(">"))
    }

    /// The level of the heading that was opened last: 2 to 6.
    fn depth(&self) -> usize {
        (self.open.len() + 1).clamp(2, 6)
    }
}

fn check_mark(tag: &str) -> &'static str {
    if tag.contains(" checked") {
        r#"<span class="box" role="img" aria-label="Done">☑</span>"#
    } else {
        r#"<span class="box" role="img" aria-label="To do">☐</span>"#
    }
}

fn image(out: &mut String, tag: &str, in_link: bool, proxy: Option<&ImageProxy<'_>>) {
    let src = attribute(tag, "src").unwrap_or_default();
    let alt = attribute(tag, "alt").unwrap_or_default();
    if let Some(address) = proxy.and_then(|proxy| proxy(&src.replace("&amp;", "&"))) {
        let _ =
            write!(out, r#"<img src="{}" alt="{alt}" loading="lazy" decoding="async">"#, escape(&address));
        return;
    }
    let words = if alt.trim().is_empty() { "Picture" } else { alt };
    let remote = src.starts_with("https://") || src.starts_with("http://");
    if remote && !in_link {
        let _ = write!(out, r#"<a class="image" href="{src}" rel="nofollow ugc noopener">{words}</a>"#);
    } else {
        let _ = write!(out, r#"<span class="image">{words}</span>"#);
    }
}
