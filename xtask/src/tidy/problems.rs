//! Each code that a problem can have is explained at `/docs/problems/<code>`.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;
use super::source::is_test_file;
use super::tree::Tree;

/// Every code of a `Problem::…("code", …)` stands once in a `problems! { … }`, and every code there is used.
pub(super) fn codes_are_explained(tree: &Tree) -> Vec<Finding> {
    let (mut used, mut explained, mut findings) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut literals = Vec::new();
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| is_program(path)) {
        let Ok(tokens) = text.parse::<TokenStream>() else { continue };
        let mut found = Found::default();
        found.look(tokens);
        used.extend(found.used.into_iter().map(|(code, line)| (path, code, line)));
        literals.extend(found.literals);
        for (code, line) in found.explained {
            if explained.insert(code.clone(), (path, line)).is_some() {
                findings.push(Finding::at(path, line, format!("`{code}` is explained twice: keep one")));
            }
        }
    }
    for (path, code, line) in used {
        if !explained.contains_key(&code) {
            let fix = format!(
                "`{code}` is not explained: add `kernel::problems! {{ \"{code}\": \"What it means.\", \
                 \"What is safe.\", \"What to do next.\"; }}` to the room's error.rs"
            );
            findings.push(Finding::at(path, line, fix));
        }
    }
    let unused = explained.iter().filter(|(code, _)| !literals.contains(code));
    findings.extend(unused.map(|(code, (path, line))| {
        Finding::at(path, *line, format!("`{code}` is explained, but no problem has it: remove it"))
    }));
    findings
}

fn is_program(path: &str) -> bool {
    let is_ours = ["base/", "market/", "fondaco/"].iter().any(|folder| path.starts_with(folder));
    is_ours && path.contains("/src/") && !is_test_file(path)
}

#[derive(Default)]
struct Found {
    /// Codes given to constructors, with their lines.
    used: Vec<(String, usize)>,
    /// Codes of `problems! { … }`, with their lines.
    explained: Vec<(String, usize)>,
    /// All texts elsewhere that look like codes.
    literals: Vec<String>,
}

impl Found {
    /// Tokens rather than a syntax tree, so that what stands inside other macros is seen too.
    fn look(&mut self, tokens: TokenStream) {
        let mut before: [String; 4] = Default::default();
        let mut in_test = false;
        for token in tokens {
            match &token {
                TokenTree::Group(group) => {
                    let is_attribute = before[3] == "#" && group.delimiter() == Delimiter::Bracket;
                    in_test |= is_attribute && group.stream().to_string().replace(' ', "") == "cfg(test)";
                    if in_test && group.delimiter() == Delimiter::Brace {
                        in_test = false;
                    } else if before[2] == "problems" && before[3] == "!" {
                        self.explain(group);
                    } else {
                        self.construct(&before, group);
                        self.look(group.stream());
                    }
                }
                TokenTree::Literal(literal) => self.literals.extend(code(&literal.to_string())),
                TokenTree::Punct(punct) if in_test && punct.as_char() == ';' => in_test = false,
                _ => {}
            }
            before.rotate_left(1);
            before[3] = token.to_string();
        }
    }

    /// `Problem::conflict("code", …)` and `Problem::new(409, "code", …)`: the code is the first text.
    fn construct(&mut self, before: &[String; 4], call: &Group) {
        let is_problem =
            matches!(before[0].as_str(), "Problem" | "Self") && before[1] == ":" && before[2] == ":";
        let arguments = call.stream().into_iter().take(3);
        let first = arguments.filter_map(|token| match token {
            TokenTree::Literal(literal) => code(&literal.to_string()).map(|code| (code, literal)),
            _ => None,
        });
        if let Some((code, literal)) = first.take(1).next().filter(|_| is_problem) {
            self.used.push((code, literal.span().start().line));
        }
    }

    fn explain(&mut self, group: &Group) {
        let mut tokens = group.stream().into_iter().peekable();
        while let Some(token) = tokens.next() {
            let names = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
            if let (TokenTree::Literal(literal), true) = (token, names) {
                let line = literal.span().start().line;
                self.explained.extend(code(&literal.to_string()).map(|code| (code, line)));
            }
        }
    }
}

/// The text of a literal that is a code: `room.what_is_true`.
fn code(literal: &str) -> Option<String> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    let (room, rest) = text.split_once('.')?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (is_word(room) && is_word(rest)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLAINED: &str =
        "kernel::problems! {\n    \"room.taken\": \"It is taken.\", \"Nothing.\", \"Choose another.\";\n}\n";

    fn check(text: &str) -> Vec<Finding> {
        codes_are_explained(&Tree::of(&[("market/room/src/error.rs", text)]))
    }

    #[test]
    fn a_code_that_is_made_and_explained_is_fine() {
        for call in [
            "fn a() { Problem::conflict(\"room.taken\", \"No.\"); }",
            "fn a() { kernel::Problem::new(409, \"room.taken\", \"No.\"); }",
            "impl From<E> for Problem { fn from(_: E) -> Self { Self::conflict(\n\"room.taken\", \"x\") } }",
            "fn a() { let b = vec![Problem::gone(\"room.taken\", x)]; }",
            "const CODE: &str = \"room.taken\";",
        ] {
            assert_eq!(check(&format!("{EXPLAINED}{call}")), [], "{call}");
        }
    }

    #[test]
    fn a_code_without_words_words_without_a_code_and_words_twice_are_findings() {
        let lines = |text: &str| check(text).iter().map(|finding| finding.line).collect::<Vec<_>>();
        let other =
            "fn a() { Problem::conflict(\"room.taken\", \"No.\"); Problem::gone(\"room.left\", \"\"); }";
        assert_eq!(lines(&format!("{EXPLAINED}{other}")), [4]);
        assert_eq!(lines("fn a() { vec![Problem::new(507, \"room.full\", \"No.\")] }"), [1]);
        assert_eq!(lines(EXPLAINED), [2], "nothing makes it");
        let twice = format!("{EXPLAINED}{EXPLAINED}const CODE: &str = \"room.taken\";");
        assert_eq!(lines(&twice), [5]);
    }

    #[test]
    fn tests_and_other_calls_are_free() {
        let in_test = "#[cfg(test)]\nmod tests { fn a() { Problem::conflict(\"x.y\", \"No.\"); } }";
        assert_eq!(check(in_test), []);
        assert_eq!(check("fn a() { Event::new(\"order.paid\"); record(\"token.made\"); }"), []);
        let story = ("stories/src/lib.rs", "fn a() { Problem::gone(\"x.y\", \"\"); }");
        assert_eq!(codes_are_explained(&Tree::of(&[story])), []);
    }
}
