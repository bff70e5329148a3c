//! For tests: run the same code on a fresh database of each kind.

use std::path::Path;

use crate::{Migrations, Store, StoreConfig};
use kernel::Timestamp;

/// The variable that names a PostgreSQL server whose user may create schemas.
pub const POSTGRES: &str = "FONDACO_TEST_POSTGRES";

/// Runs `test` on a fresh SQLite file and, where [`POSTGRES`] is set, on a fresh PostgreSQL schema.
/// `scripts/test` starts a PostgreSQL and sets it.
///
/// # Panics
/// When a database cannot be made ready: a test cannot go on then.
#[allow(clippy::expect_used, clippy::print_stderr)]
pub async fn both(migrations: &[Migrations], test: impl AsyncFn(Store)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    test(sqlite(folder.path(), migrations).await).await;
    let Ok(url) = std::env::var(POSTGRES) else {
        eprintln!("{POSTGRES} is not set: only SQLite was tested");
        return;
    };
    let schema = format!("test_{}", hex::encode(kernel::random_bytes::<8>()));
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("PostgreSQL");
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("create schema {schema}")).await.expect("a schema");
    let joined = if url.contains('?') { '&' } else { '?' };
    let config = StoreConfig::Postgres {
        url: kernel::Secret::new(format!("{url}{joined}options=-csearch_path%3D{schema}")),
        connections: 8,
    };
    let store = Store::open(&config).await.expect("PostgreSQL opens");
    store.migrate(migrations, Timestamp::from_secs(0)).await.expect("migrations apply");
    test(store).await;
    client.batch_execute(&format!("drop schema {schema} cascade")).await.expect("the schema goes");
    drop(client);
    let _ = connection.await;
}

/// A migrated SQLite database in `folder`.
///
/// # Panics
/// When it cannot be made.
#[allow(clippy::expect_used)]
pub async fn sqlite(folder: &Path, migrations: &[Migrations]) -> Store {
    let store = Store::open(&StoreConfig::sqlite(folder.join("test.db"))).await.expect("SQLite opens");
    store.migrate(migrations, Timestamp::from_secs(0)).await.expect("migrations apply");
    store
}
