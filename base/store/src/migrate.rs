//! Migrations: numbered SQL files of each room, forward only, each applied once.

use kernel::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, Tx};

/// One file. Written in SQLite's words; see [`for_postgres`] for the few that differ. What only one of the
/// databases has (triggers, for one) stands between a line `-- sqlite only` or `-- postgres only` and a line
/// `-- both`:
///
/// ```sql
/// -- sqlite only
/// create trigger entry_stays before delete on entry begin select raise(abort, 'entries stay'); end;
/// -- postgres only
/// create function …
/// -- both
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The file's name; it starts with its number.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

/// The files of one room, in order.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The room.
    pub room: &'static str,
    /// Its files.
    pub files: &'static [Migration],
}

/// The migrations of a crate: `store::migrations!("identity", "0001_accounts.sql")`, read from its folder
/// `migrations/`.
#[macro_export]
macro_rules! migrations {
    ($room:literal, $($file:literal),+ $(,)?) => {
        $crate::Migrations {
            room: $room,
            files: &[$($crate::Migration {
                name: $file,
                sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $file)),
            }),+],
        }
    };
}

crate::sql! {
    FIND_MIGRATION = "select checksum from migration where room = $1 and number = $2";
    LAST_MIGRATION = "select coalesce(max(number), 0) from migration where room = $1";
    INSERT_MIGRATION = "insert into migration (room, number, name, checksum, applied_at) values ($1, $2, $3, $4, $5)";
}

const TABLE: &str = "create table if not exists migration (
    room text not null, number integer not null, name text not null, checksum text not null,
    applied_at integer not null, primary key (room, number)
) strict;";

impl Store {
    /// Applies what is missing, all in one transaction, and tells which files that were. Two programs that
    /// start at once wait for each other.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the database was written by a newer program, or a file changed after it was
    /// applied; nothing is then changed.
    pub async fn migrate(&self, rooms: &[Migrations], now: Timestamp) -> Result<Vec<String>, StoreError> {
        let rooms = rooms.to_vec();
        let shared = self.is_shared();
        self.write(async move |tx| {
            let mut applied = Vec::new();
            if shared {
                tx.script("select pg_advisory_xact_lock(7206130)").await?;
            }
            tx.script(&dialect(TABLE, shared)).await?;
            for room in &rooms {
                apply_room(tx, room, shared, now, &mut applied).await?;
            }
            Ok(applied)
        })
        .await
    }
}

async fn apply_room(
    tx: &mut Tx,
    room: &Migrations,
    shared: bool,
    now: Timestamp,
    applied: &mut Vec<String>,
) -> Result<(), StoreError> {
    let (last,): (usize,) = tx.one(&LAST_MIGRATION, crate::args![room.room]).await?;
    if last > room.files.len() {
        return Err(StoreError::Schema(format!(
            "the database has migration {last} of {}, this program knows {}: start the newer program, or \
             restore an older backup",
            room.room,
            room.files.len()
        )));
    }
    for (index, file) in room.files.iter().enumerate() {
        let number = index + 1;
        let checksum = hex::encode(Sha256::digest(file.sql.as_bytes()));
        let known: Option<(String,)> = tx.first(&FIND_MIGRATION, crate::args![room.room, number]).await?;
        match known {
            Some((known,)) if known == checksum => {}
            Some(_) => {
                return Err(StoreError::Schema(format!(
                    "{}/{} changed after it was applied: add a new file instead",
                    room.room, file.name
                )));
            }
            None => {
                tx.script(&dialect(file.sql, shared)).await?;
                let row = crate::args![room.room, number, file.name, checksum, now];
                tx.execute(&INSERT_MIGRATION, row).await?;
                applied.push(format!("{}/{}", room.room, file.name));
            }
        }
    }
    Ok(())
}

fn dialect(text: &str, shared: bool) -> String {
    let text = only(text, shared);
    if shared { for_postgres(&text) } else { for_sqlite(&text) }
}

/// Leaves out the sections for the other database, see [`Migration`].
fn only(text: &str, shared: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut wanted = true;
    for line in text.lines() {
        match line.trim() {
            "-- both" => wanted = true,
            "-- sqlite only" => wanted = !shared,
            "-- postgres only" => wanted = shared,
            _ if wanted => out.extend([line, "\n"]),
            _ => {}
        }
    }
    out
}

/// A list within a check, `check (state in ('open', 'paid', 'void'))`, or in what an index holds would make SQLite fill
/// a table of its own with it at every change of a row; said as alternatives it costs a comparison or two.
fn for_sqlite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("check (") {
        let (before, check) = rest.split_at(start);
        let (check, after) = check.split_at(closing(check));
        out.push_str(before);
        out.push_str(&alternatives(check));
        rest = after;
    }
    out.push_str(rest);
    let is_index = |line: &str| line.starts_with("create index ") || line.starts_with("create unique index ");
    let lines = out.split_inclusive('\n');
    lines.map(|line| if is_index(line) { alternatives(line) } else { line.to_owned() }).collect()
}

/// Where the first bracket of `text` is closed.
fn closing(text: &str) -> usize {
    let (mut depth, mut is_quoted) = (0_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// `state in ('a', 'b')` as `(state = 'a' or state = 'b')`; `not in` as the opposite.
fn alternatives(check: &str) -> String {
    let mut out = String::with_capacity(check.len());
    let mut rest = check;
    while let Some((before, after)) = rest.split_once(" in") {
        let Some((list, after)) = after.trim_start().strip_prefix('(').and_then(|list| list.split_once(')'))
        else {
            out.extend([before, " in"]);
            rest = after;
            continue;
        };
        let (before, not) = before.strip_suffix(" not").map_or((before, ""), |before| (before, "not "));
        let column = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let (before, column) = before.split_at(column);
        let equals: Vec<String> =
            list.split(',').map(|value| format!("{column} = {}", value.trim())).collect();
        out.extend([before, not, "(", &equals.join(" or "), ")"]);
        rest = after;
    }
    out + rest
}

/// Migrations are written for SQLite's strict tables; PostgreSQL calls the same things otherwise.
fn for_postgres(text: &str) -> String {
    let text = text
        .replace("integer primary key autoincrement", "bigint generated by default as identity primary key")
        .replace(") strict;", ");");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_word(c)) {
        let word = piece.trim_end_matches(|c| !is_word(c));
        let end = &piece[word.len()..];
        out.push_str(match word {
            "integer" => "bigint",
            "blob" => "bytea",
            other => other,
        });
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "create table a (n integer) strict;\n-- sqlite only\nlite;\n-- postgres only\npg;\n-- both\nend;\n";

    #[test]
    fn each_database_gets_its_own_sections_and_what_is_for_both() {
        assert_eq!(dialect(TEXT, false), "create table a (n integer) strict;\nlite;\nend;\n");
        assert_eq!(dialect(TEXT, true), "create table a (n bigint);\npg;\nend;\n");
        let lists = "create table a (s text check (s in\n ('x', 'y (', 'z')), t text check ((t = 'in') = (s not in ('x','y'))));\n\
            create index i on a (t) where s in ('x', 'y');\nupdate a set s = 'x' where s in ('y', 'z');";
        let alternatives = "create table a (s text check ((s = 'x' or s = 'y (' or s = 'z')), \
            t text check ((t = 'in') = (not (s = 'x' or s = 'y'))));\n\
            create index i on a (t) where (s = 'x' or s = 'y');\nupdate a set s = 'x' where s in ('y', 'z');";
        assert_eq!(for_sqlite(lists), alternatives);
        assert_eq!(
            for_postgres("create table blob_ref (raw blob, integers text)"),
            "create table blob_ref (raw bytea, integers text)"
        );
    }
}
