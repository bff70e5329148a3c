//! Every SQL statement of the room is valid on both databases, and the audit trail cannot be changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use store::{StoreError, Tx, sql};

sql! {
    COUNT_ROWS = "select count(*) from audit";
    ADD_ROW = "insert into audit (at, client, request_id, action, subject, outcome, details) \
        values (0, '127.0.0.1', 'local', 'test.done', 'x', 'done', '{}')";
    CHANGE_ROWS = "update audit set action = 'other'";
    DELETE_ROWS = "delete from audit";
    /// Only SQLite has this way around a trigger on delete; on PostgreSQL the like of it is `truncate`.
    REPLACE_ROW = "insert or replace into audit (seq, at, client, request_id, action, subject, outcome, details) \
        values (1, 0, '127.0.0.1', 'local', 'test.forged', 'x', 'done', '{}')",
        postgres "truncate audit";
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_prepares() {
    store::testing::both(&[identity::MIGRATIONS], async |store| {
        let prepare = async |tx: &mut Tx| {
            for sql in store::SQL.iter().filter(|sql| sql.module().starts_with("identity")) {
                tx.prepare(sql).await.unwrap_or_else(|error| panic!("{}: {error}", sql.name()));
            }
            Ok::<_, StoreError>(())
        };
        store.read(prepare).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_to_change_the_trail() {
    store::testing::both(&[identity::MIGRATIONS], async |store| {
        assert_eq!(store.write(async |tx: &mut Tx| tx.execute(&ADD_ROW, &[]).await).await.unwrap(), 1);
        for statement in [&CHANGE_ROWS, &DELETE_ROWS, &REPLACE_ROW] {
            let tried = store.write(async move |tx: &mut Tx| tx.execute(statement, &[]).await).await;
            assert!(tried.is_err(), "{}", statement.name());
        }
        let (count,): (i64,) = store.read(async |tx: &mut Tx| tx.one(&COUNT_ROWS, &[]).await).await.unwrap();
        assert_eq!(count, 1);
    })
    .await;
}
