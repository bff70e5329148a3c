//! The rules of the house that neither the compiler nor Clippy checks.
//!
//! A rule is a function from the tracked files to findings. To add one, write it in a module of its own
//! with a good and a bad example as tests, and name it in [`RULES`].

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use tree::Tree;

mod directions;
mod documents;
mod lengths;
mod names;
mod problems;
mod source;
mod sql;
mod traces;
mod tree;

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    directions::directions,
    directions::dependencies_from_the_workspace,
    lengths::files,
    lengths::functions,
    names::banned_words,
    problems::codes_are_explained,
    sql::tables_of_other_rooms,
    traces::registry_hosts,
    traces::machine_paths,
    traces::lock_addresses,
    documents::crates_are_explained,
];

/// Something that breaks a rule, where it stands, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the whole file is meant.
    line: usize,
    text: String,
}

impl Finding {
    fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }

    fn of_file(path: &str, text: impl Into<String>) -> Self {
        Self::at(path, 0, text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// Checks every rule on the checkout at `root` and prints all findings. Fails the process if there is one.
///
/// # Errors
/// If the checkout cannot be listed or read.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::of_checkout(root)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} rules, {} findings", tree.len(), RULES.len(), findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
