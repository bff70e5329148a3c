//! A copy of one database read into the other, and back, is the same copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;
use std::sync::Mutex;

use kernel::Timestamp;
use store::dump::{self, Copied, DumpError};
use store::{Migration, Migrations, Store, Tx, args, sql, testing};

const SCHEMA: Migrations = Migrations {
    room: "copy",
    files: &[Migration {
        name: "0001_copy.sql",
        sql: "create table folder (id text primary key, parent text references folder (id), n integer) strict;
            create table entry (seq integer primary key autoincrement, folder text not null references folder (id),
                text text, bytes blob) strict;",
    }],
};

sql! {
    INSERT_FOLDER = "insert into folder (id, parent, n) values ($1, $2, $3)";
    INSERT_ENTRY = "insert into entry (folder, text, bytes) values ($1, $2, $3) returning seq";
    COUNT_ENTRIES = "select count(*) from entry";
}

const TEXTS: &[&str] =
    &["", "plain", "\\N", "tab\tnew\nline\rback\\slash", "\"quoted\" 'too'", "ünï©ödé 🎫", "\u{1}\u{7f}"];

async fn fill(store: &Store) {
    let fill = async |tx: &mut Tx| {
        // The child comes first by name, so that its row stands before the row it refers to.
        tx.execute(&INSERT_FOLDER, args!["b", None::<&str>, i64::MIN]).await?;
        tx.execute(&INSERT_FOLDER, args!["a", "b", i64::MAX]).await?;
        for text in TEXTS {
            let bytes: Vec<u8> = text.bytes().chain(0..=255).collect();
            let _: (i64,) = tx.one(&INSERT_ENTRY, args!["a", text, bytes]).await?;
        }
        let _: (i64,) = tx.one(&INSERT_ENTRY, args!["b", None::<&str>, None::<Vec<u8>>]).await?;
        Ok::<_, store::StoreError>(())
    };
    store.write(fill).await.unwrap();
}

async fn export(store: &Store) -> (String, Vec<Copied>) {
    let read = async |tx: &mut Tx| {
        let mut out = Vec::new();
        let copied = dump::export(tx, &mut out).await?;
        Ok::<_, DumpError>((String::from_utf8(out).unwrap(), copied))
    };
    store.read(read).await.unwrap()
}

async fn import(store: &Store, text: &str) -> Result<Vec<Copied>, DumpError> {
    let text = Mutex::new(Cursor::new(text.to_owned().into_bytes()));
    let write = async move |tx: &mut Tx| {
        let mut input = text.lock().unwrap().clone();
        dump::import(tx, &mut input).await
    };
    store.write(write).await
}

/// The rows in an order of their own: databases give them as they like.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_through_either_database_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let original = testing::sqlite(folder.path(), &[SCHEMA]).await;
    fill(&original).await;
    let (text, copied) = export(&original).await;
    let counts: Vec<(&str, u64)> = copied.iter().map(|c| (c.table.as_str(), c.rows)).collect();
    assert_eq!(counts, [("entry", TEXTS.len() as u64 + 1), ("folder", 2)]);

    testing::both(&[SCHEMA], async |store| {
        assert_eq!(import(&store, &text).await.unwrap(), copied);
        assert_eq!(sorted(&export(&store).await.0), sorted(&text));
        // What is added afterwards goes on counting where the copy ended.
        let add =
            async |tx: &mut Tx| tx.one::<(i64,)>(&INSERT_ENTRY, args!["a", "more", None::<Vec<u8>>]).await;
        assert_eq!(store.write(add).await.unwrap().0, TEXTS.len() as i64 + 2);
        // Foreign keys hold again.
        let add = async |tx: &mut Tx| tx.execute(&INSERT_FOLDER, args!["c", "nowhere", 1]).await;
        assert!(matches!(store.write(add).await, Err(store::StoreError::Constraint(_))));
        assert_eq!(
            store.read(async |tx: &mut Tx| dump::applied(tx).await).await.unwrap()[0].name,
            "0001_copy.sql"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_changes_nothing() {
    let head = r#"{"table":"entry","columns":["seq","folder","text","bytes"]}"#;
    let folder = r#"{"table":"folder","columns":["id","parent","n"]}"#;
    let cases = [
        ("cut off", format!("{folder}\n[\"a\",null,1")),
        ("neither a table nor a row", format!("{folder}\n[\"a\",null,1]\n7\n")),
        ("a row before the first table", "[1]\n".to_owned()),
        ("no table migration", r#"{"table":"migration","columns":[]}"#.to_owned() + "\n"),
        ("no table cats", r#"{"table":"cats","columns":[]}"#.to_owned() + "\n"),
        ("other columns", r#"{"table":"folder","columns":["id","parent"]}"#.to_owned() + "\n"),
        ("has 3 columns", format!("{folder}\n[\"a\",null]\n")),
        ("no 64-bit integer", format!("{folder}\n[\"a\",null,1.5]\n")),
        ("no known kind", format!("{head}\n[1,\"a\",null,{{\"b64\":\"\"}}]\n")),
        ("", format!("{head}\n[1,\"nowhere\",null,null]\n")),
    ];
    testing::both(&[SCHEMA], async |store| {
        for (reason, text) in &cases {
            let error = import(&store, text).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{reason}: {error}");
            let count = store.read(async |tx: &mut Tx| tx.one::<(i64,)>(&COUNT_ENTRIES, args![]).await).await;
            assert_eq!(count.unwrap().0, 0, "{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_is_told_from_one_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&store::StoreConfig::sqlite(folder.path().join("new.db"))).await.unwrap();
    let look = async |tx: &mut Tx| {
        Ok::<_, store::StoreError>((dump::is_new(tx).await?, dump::applied(tx).await?.len()))
    };
    assert_eq!(store.read(look).await.unwrap(), (true, 0));
    store.migrate(&[SCHEMA], Timestamp::from_secs(0)).await.unwrap();
    assert_eq!(store.read(look).await.unwrap(), (false, 1));
}
