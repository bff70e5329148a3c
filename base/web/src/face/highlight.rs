//! Code in colours: syntect finds the parts, five classes of the style sheet name them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use comrak::adapters::SyntaxHighlighterAdapter;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::escape;

/// A longer block stays plain.
const MAX_BLOCK_BYTES: usize = 20_000;
/// Once a text has had so much code highlighted, the rest of it stays plain: at about 1 ms a kB this bounds
/// the time that one README can take.
const MAX_TEXT_BYTES: usize = 60_000;
/// A longer line is no source text; the expressions of a grammar are slow on it.
const MAX_LINE_BYTES: usize = 1_000;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Scopes and the class of `fondaco.css` that shows them; the innermost scope that is named here wins.
static CLASSES: LazyLock<Vec<(Scope, &'static str)>> = LazyLock::new(|| {
    let named = [
        ("comment", "c"),
        ("string", "s"),
        ("constant", "nr"),
        ("keyword.operator", ""),
        ("keyword", "k"),
        ("storage", "k"),
        ("variable.language", "k"),
        ("entity.name", "f"),
        ("support.function", "f"),
        ("variable.function", "f"),
    ];
    named.iter().filter_map(|(scope, class)| Some((Scope::new(scope).ok()?, *class))).collect()
});

/// Highlights the code blocks of one text within a budget.
pub(super) struct Highlighter {
    budget: AtomicUsize,
}

impl Highlighter {
    pub(super) fn new() -> Self {
        Self { budget: AtomicUsize::new(MAX_TEXT_BYTES) }
    }

    /// Takes `bytes` off the budget; false when they are more than is left.
    fn afford(&self, bytes: usize) -> bool {
        bytes <= MAX_BLOCK_BYTES
            && self
                .budget
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes))
                .is_ok()
    }
}

impl SyntaxHighlighterAdapter for Highlighter {
    fn write_highlighted(&self, output: &mut dyn Write, lang: Option<&str>, code: &str) -> fmt::Result {
        let highlighted =
            lang.and_then(syntax).filter(|_| self.afford(code.len())).and_then(|s| highlight(s, code));
        output.write_str(&highlighted.unwrap_or_else(|| escape(code)))
    }

    fn write_pre_tag(&self, output: &mut dyn Write, _: HashMap<&'static str, Cow<'_, str>>) -> fmt::Result {
        output.write_str("<pre>")
    }

    fn write_code_tag(&self, output: &mut dyn Write, _: HashMap<&'static str, Cow<'_, str>>) -> fmt::Result {
        output.write_str("<code>")
    }
}

/// The grammar for the word after a code fence, also for languages that are close to one we have.
fn syntax(lang: &str) -> Option<&'static SyntaxReference> {
    let word = lang.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
    let known = match word.as_str() {
        "" | "text" | "txt" | "plain" | "console" => return None,
        "ts" | "tsx" | "typescript" | "jsx" | "mjs" | "cjs" | "mts" | "json5" => "js",
        "shell" | "zsh" | "sh-session" => "sh",
        "jsonc" => "json",
        other => other,
    };
    SYNTAXES.find_syntax_by_token(known)
}

/// `code` as escaped text with spans, or `None` when a line is too long or the grammar gives up.
fn highlight(syntax: &SyntaxReference, code: &str) -> Option<String> {
    let mut out = String::with_capacity(code.len() * 2);
    let mut parser = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let mut open = "";
    for line in code.split_inclusive('\n') {
        if line.len() > MAX_LINE_BYTES {
            return None;
        }
        let mut done = 0;
        for (at, change) in parser.parse_line(line, &SYNTAXES).ok()? {
            push(&mut out, &mut open, class(&stack), line.get(done..at)?);
            done = at;
            stack.apply(&change).ok()?;
        }
        push(&mut out, &mut open, class(&stack), line.get(done..)?);
    }
    if !open.is_empty() {
        out.push_str("</span>");
    }
    Some(out)
}

/// Writes `text` in the class `next`; neighbours of one class share a span.
fn push(out: &mut String, open: &mut &'static str, next: &'static str, text: &str) {
    if text.is_empty() {
        return;
    }
    if *open != next {
        if !open.is_empty() {
            out.push_str("</span>");
        }
        if !next.is_empty() {
            let _ = write!(out, r#"<span class="{next}">"#);
        }
        *open = next;
    }
    out.push_str(&escape(text));
}

fn class(stack: &ScopeStack) -> &'static str {
    let of = |scope: &Scope| {
        CLASSES.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, class)| *class)
    };
    stack.as_slice().iter().rev().find_map(of).unwrap_or("")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(lang: &str, code: &str) -> String {
        let mut out = String::new();
        Highlighter::new().write_highlighted(&mut out, Some(lang), code).unwrap();
        out
    }

    #[test]
    fn the_parts_of_a_program_get_the_classes_of_the_style_sheet() {
        insta::assert_snapshot!(shown("ts", "const port = 8080; // free\nserve(\"/<id>\");\n"));
        assert!(shown("rust", "fn main() {}").contains(r#"<span class="f">main</span>"#));
    }

    #[test]
    fn unknown_languages_and_too_much_stay_plain() {
        assert_eq!(shown("klingon", "a < b"), "a &lt; b");
        assert!(!shown("js", &"let a = 1;\n".repeat(2_000)).contains("<span"));
        assert!(!shown("js", &"let a = 1;".repeat(200)).contains("<span"));
        let highlighter = Highlighter::new();
        let affordable = (0..10).filter(|_| highlighter.afford(19_000)).count();
        assert_eq!(affordable, 3);
    }
}
