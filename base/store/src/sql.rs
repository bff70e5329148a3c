//! Statements as named constants that register themselves.

use std::borrow::Cow;
use std::sync::OnceLock;

/// Every statement of the program, so that one test can prepare them all on both databases.
#[allow(unsafe_code)]
#[linkme::distributed_slice]
pub static SQL: [&'static Sql];

/// One statement. Made by [`sql!`](crate::sql!).
pub struct Sql {
    name: &'static str,
    module: &'static str,
    text: &'static str,
    postgres: Option<&'static str>,
    read: Option<&'static str>,
    sqlite_text: OnceLock<String>,
    sqlite_read: OnceLock<String>,
    postgres_text: OnceLock<String>,
}

/// Declares statements in the dialect that both databases share:
///
/// * parameters are `$1`, `$2`, …; integers, texts and bytes only; whole sums are `cast(sum(x) as bigint)`;
/// * `x in each($1)` takes a JSON list of texts, see [`json_list`](crate::json_list);
/// * `for update` is left out on SQLite, which has one writer;
/// * `sql!(NAME = "update … where id = $1 returning a, b", read "select a, b from … where id = $1";)`: SQLite fills a table
///   of its own for every `returning`, which costs as much as the change; there the rows are read after it, with the same
///   arguments, and only when something was changed. One connection writes, so nothing comes between;
/// * where there is no shared form: `sql!(NAME = "for SQLite", postgres "for PostgreSQL";)`, a rare exception that says why.
#[macro_export]
macro_rules! sql {
    ($($(#[$meta:meta])* $vis:vis $name:ident = $text:literal $(, read $read:literal)? $(, postgres $postgres:literal)?;)+) => {$(
        $(#[$meta])*
        $vis static $name: $crate::Sql = $crate::Sql::new(
            stringify!($name),
            module_path!(),
            $text,
            { let text: Option<&'static str> = None; $(let text = { let _ = text; Some($postgres) };)? text },
            { let text: Option<&'static str> = None; $(let text = { let _ = text; Some($read) };)? text },
        );
        // Registering places the static in a link section of its own; linkme argues why that is sound.
        #[allow(unsafe_code)]
        const _: () = {
            #[$crate::__linkme::distributed_slice($crate::SQL)]
            #[linkme(crate = $crate::__linkme)]
            static REGISTERED: &'static $crate::Sql = &$name;
        };
    )+};
}

impl Sql {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        module: &'static str,
        text: &'static str,
        postgres: Option<&'static str>,
        read: Option<&'static str>,
    ) -> Self {
        Self {
            name,
            module,
            text,
            postgres,
            read,
            sqlite_text: OnceLock::new(),
            sqlite_read: OnceLock::new(),
            postgres_text: OnceLock::new(),
        }
    }

    /// The constant's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The module that declares it.
    #[must_use]
    pub const fn module(&self) -> &'static str {
        self.module
    }

    /// The text that SQLite gets.
    pub fn for_sqlite(&self) -> &str {
        self.sqlite_text.get_or_init(|| {
            let change = self.text.split_once(" returning ").map(|(change, _)| change);
            in_sqlite(change.filter(|_| self.read.is_some()).unwrap_or(self.text))
        })
    }

    /// What SQLite is asked after [`Sql::for_sqlite`] changed something, instead of `returning`.
    pub fn read_on_sqlite(&self) -> Option<&str> {
        let read = self.read?;
        Some(self.sqlite_read.get_or_init(|| in_sqlite(read)))
    }

    /// The text that PostgreSQL gets.
    pub fn for_postgres(&self) -> &str {
        self.postgres_text.get_or_init(|| {
            replace_each(self.postgres.unwrap_or(self.text), |n| {
                format!("(select jsonb_array_elements_text(cast(cast(${n} as text) as jsonb)))")
            })
            .into_owned()
        })
    }
}

fn in_sqlite(text: &str) -> String {
    let text = replace_each(text, |n| format!("(select value from json_each(${n}))"));
    // `?1` is SQLite's numbered parameter; `$1` would be a named one, numbered as it first appears.
    text.replace("for update", "").replace('$', "?")
}

/// Replaces every `each($n)` by what `with` makes of `n`.
fn replace_each(text: &str, with: impl Fn(&str) -> String) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("each($") {
        let Some((number, tail)) = after.split_once(')') else { break };
        out.push_str(before);
        out.push_str(&with(number));
        rest = tail;
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    crate::sql! {
        LISTED = "select id from thing where id in each($1) and kind = $2 for update";
        RAISED = "update thing set size = size + $2 where id = $1 returning size",
            read "select size from thing where id = $1";
    }

    #[test]
    fn both_dialects() {
        assert_eq!(
            LISTED.for_sqlite(),
            "select id from thing where id in (select value from json_each(?1)) and kind = ?2 "
        );
        assert_eq!(
            LISTED.for_postgres(),
            "select id from thing where id in (select jsonb_array_elements_text(cast(cast($1 as text) as jsonb))) \
             and kind = $2 for update"
        );
        assert_eq!(RAISED.for_sqlite(), "update thing set size = size + ?2 where id = ?1");
        assert_eq!(RAISED.read_on_sqlite(), Some("select size from thing where id = ?1"));
        assert_eq!(RAISED.for_postgres(), "update thing set size = size + $2 where id = $1 returning size");
    }
}
