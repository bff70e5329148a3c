//! Each table belongs to the crate whose migrations create it, and only that crate's SQL names it.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};

use super::Finding;
use super::tree::Tree;

/// Words after which SQL names a table.
const BEFORE_A_TABLE: &[&str] = &["from", "join", "into", "update", "table", "references", "exists"];

/// No room's SQL names a table that another room's migrations create. A room's tests may read one: what several rooms
/// promise together (no unit in two paid orders, a ledger that sums to zero) is seen in all their tables only.
pub(super) fn tables_of_other_rooms(tree: &Tree) -> Vec<Finding> {
    let owners = owners(tree);
    let mut findings = Vec::new();
    for (path, line, sql) in statements(tree) {
        let Some(room) = room(path).filter(|_| !is_look_of_a_test(path, &sql)) else { continue };
        for table in tables(&sql) {
            if let Some(owner) = owners.get(&table).filter(|owner| **owner != room) {
                let fix = if created(&sql).contains(&table) {
                    format!("creates the table `{table}`, which {owner} creates too: give it another name")
                } else {
                    format!("names the table `{table}` of {owner}: call that crate, or follow its events")
                };
                findings.push(Finding::at(path, line, fix));
            }
        }
    }
    findings
}

fn is_look_of_a_test(path: &str, sql: &str) -> bool {
    path.contains("/tests/") && sql.trim_start_matches(['r', '#', '"', ' ']).starts_with("select ")
}

/// Each table with the crate whose migrations create it.
fn owners(tree: &Tree) -> BTreeMap<String, &str> {
    let mut owners = BTreeMap::new();
    for (path, text) in migrations(tree) {
        let Some(room) = room(path) else { continue };
        for table in created(text) {
            owners.entry(table).or_insert(room);
        }
    }
    owners
}

fn migrations(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.with_extension("sql").filter(|(path, _)| path.contains("/migrations/"))
}

/// The folder of the crate in `base/` or `market/` that a file belongs to.
fn room(path: &str) -> Option<&str> {
    let mut slashes = path.match_indices('/').map(|(at, _)| at);
    let end = slashes.nth(1)?;
    (path.starts_with("base/") || path.starts_with("market/")).then_some(&path[..end])
}

/// All SQL of the rooms as (path, line, text): migrations whole, and of Rust the literals of `sql!(…)` and
/// of a room's `sql` module.
fn statements(tree: &Tree) -> Vec<(&str, usize, String)> {
    let mut found: Vec<_> = migrations(tree).map(|(path, text)| (path, 0, text.to_owned())).collect();
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| room(path).is_some()) {
        let all = path.ends_with("/src/sql.rs") || path.contains("/src/sql/");
        if let Ok(tokens) = text.parse::<TokenStream>() {
            literals(tokens, all, &mut |line, sql| found.push((path, line, sql)));
        }
    }
    found
}

/// Calls `found` with each literal that is SQL: every one where `is_sql`, else those inside `sql!(…)`.
fn literals(tokens: TokenStream, is_sql: bool, found: &mut dyn FnMut(usize, String)) {
    let mut before = [String::new(), String::new()];
    for token in tokens {
        match &token {
            TokenTree::Literal(literal) if is_sql => {
                found(literal.span().start().line, literal.to_string());
            }
            TokenTree::Group(group) => {
                let in_sql = is_sql || before == ["sql", "!"];
                literals(group.stream(), in_sql, found);
            }
            _ => {}
        }
        before = [std::mem::take(&mut before[1]), token.to_string()];
    }
}

/// The tables that the SQL creates, in lower case.
fn created(sql: &str) -> Vec<String> {
    let words = words(sql);
    let starts = words.windows(2).enumerate().filter(|(_, two)| two[1] == "table" || two[1] == "virtual");
    starts
        .filter(|(_, two)| two[0] == "create")
        .filter_map(|(at, _)| {
            let noise = ["virtual", "table", "if", "not", "exists"];
            words[at + 1..].iter().find(|word| !noise.contains(&word.as_str())).cloned()
        })
        .collect()
}

/// The tables that the SQL names, in lower case.
fn tables(sql: &str) -> Vec<String> {
    let words = words(sql);
    words
        .windows(2)
        .filter(|two| BEFORE_A_TABLE.contains(&two[0].as_str()))
        .map(|two| two[1].clone())
        .collect()
}

/// The words of SQL in lower case, without comments; a name with a schema counts by its last part.
fn words(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or(line));
    lines
        .flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')))
        .filter_map(|word| word.rsplit('.').next())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: (&str, &str) =
        ("market/identity/migrations/0001_accounts.sql", "create table if not exists accounts (id text);");
    const PACKAGES: (&str, &str) =
        ("market/registry/migrations/0001_packages.sql", "create table packages (id text, owner text);");

    fn check(path: &str, text: &str) -> Vec<Finding> {
        tables_of_other_rooms(&Tree::of(&[ACCOUNTS, PACKAGES, (path, text)]))
    }

    #[test]
    fn created_tables_are_found() {
        assert_eq!(
            created("CREATE TABLE a (x);\ncreate virtual table if not exists b using fts5"),
            ["a", "b"]
        );
        assert_eq!(created("-- create table c\ncreate index i on d (x)"), Vec::<String>::new());
    }

    #[test]
    fn own_tables_are_free() {
        let text = r#"sql!(FIND_PACKAGE = "select id from packages where id = $1");"#;
        assert_eq!(check("market/registry/src/sql.rs", text), []);
        assert_eq!(check("market/registry/src/search.rs", text), []);
    }

    #[test]
    fn tables_of_another_room_are_findings() {
        let text = "\nsql!(FIND_OWNER = \"select 1 from packages p join accounts a on a.id = p.owner\");";
        for path in ["market/registry/src/sql.rs", "market/registry/src/search.rs"] {
            let findings = check(path, text);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].line, 2);
        }
        let migration = "create table stars (account text references accounts (id));";
        assert_eq!(check("market/registry/migrations/0002_stars.sql", migration).len(), 1);
        assert_eq!(check("base/jobs/src/sql.rs", r#"sql!(X = r"delete from packages");"#).len(), 1);
    }

    #[test]
    fn a_test_may_look_and_not_touch() {
        let path = "market/registry/tests/owners.rs";
        assert_eq!(check(path, r#"sql!(A = "select count(*) from accounts");"#), []);
        assert_eq!(check(path, r#"sql!(A = "delete from accounts");"#).len(), 1);
    }

    #[test]
    fn two_rooms_cannot_create_the_same_table() {
        let findings = check("market/registry/migrations/0003_x.sql", "create table accounts (id text);");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("creates too"), "{}", findings[0]);
    }

    #[test]
    fn words_outside_of_sql_are_free() {
        let text = r#"fn a() { println!("from accounts"); }"#;
        assert_eq!(check("market/registry/src/cli.rs", text), []);
        assert_eq!(check("stories/src/lib.rs", r#"sql!(A = "delete from accounts");"#), []);
    }
}
