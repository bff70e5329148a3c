//! Files and functions that a person can read at one go.

use super::Finding;
use super::source::{Kind, declarations, is_test_file};
use super::tree::Tree;

const RUST_LINES: usize = 600;
const TEMPLATE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Rust files and templates stay short: a longer one wants a folder with a name.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    let rust = tree.with_extension("rs").map(|file| (file, RUST_LINES));
    let templates = tree.with_extension("html").filter(|(path, _)| path.contains("/templates/"));
    let limits = rust.chain(templates.map(|file| (file, TEMPLATE_LINES)));
    limits
        .filter_map(|((path, text), limit)| {
            let lines = text.lines().count();
            let fix =
                format!("{lines} lines, the limit is {limit}: make it a folder with a name for each part");
            (lines > limit).then(|| Finding::of_file(path, fix))
        })
        .collect()
}

/// Functions fit a screen. Tests are exempt: a story is told from start to end.
pub(super) fn functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| !is_test_file(path)) {
        for declared in declarations(text) {
            if declared.kind == Kind::Function && declared.lines > FUNCTION_LINES {
                let fix = format!(
                    "`{}` has {} lines, the limit is {FUNCTION_LINES}: give its parts a name each",
                    declared.name, declared.lines
                );
                findings.push(Finding::at(path, declared.line, fix));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("/// Doc.\nfn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_may_have_the_limit_and_not_more() {
        let check = |path, lines| functions(&Tree::of(&[(path, &function(lines))])).len();
        assert_eq!(check("base/store/src/lib.rs", FUNCTION_LINES), 0);
        assert_eq!(check("base/store/src/lib.rs", FUNCTION_LINES + 1), 1);
        assert_eq!(check("base/store/tests/crash.rs", FUNCTION_LINES + 1), 0);
    }

    #[test]
    fn a_file_may_have_the_limit_and_not_more() {
        let check = |path, lines: usize| files(&Tree::of(&[(path, &"\n".repeat(lines))])).len();
        assert_eq!(check("base/web/src/lib.rs", RUST_LINES), 0);
        assert_eq!(check("base/web/src/lib.rs", RUST_LINES + 1), 1);
        assert_eq!(check("base/web/templates/layout.html", TEMPLATE_LINES), 0);
        assert_eq!(check("base/web/templates/layout.html", TEMPLATE_LINES + 1), 1);
        assert_eq!(check("base/web/assets/app.css", RUST_LINES + 1), 0);
    }
}
