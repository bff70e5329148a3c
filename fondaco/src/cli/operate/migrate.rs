//! `migrate`: the database's schema.

use kernel::Clock;
use serde_json::json;
use store::Store;

use super::super::args::Migrate;
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::settings;
use crate::data::DataDir;
use crate::schema;

/// Applies what is missing, or shows it.
pub(crate) async fn migrate(terminal: &Terminal, args: &Migrate) -> Result<(), Failure> {
    let config = settings(&args.place, Vec::new())?.config;
    if args.dry_run && config.database.url.is_none() {
        // Looking must not make a database.
        if let store::StoreConfig::Sqlite { path, .. } = config.store()
            && !path.exists()
        {
            report(terminal, &schema::missing(&[]), "would be applied");
            return Ok(());
        }
    }
    DataDir::open(&config.server.data_dir)?;
    let store = Store::open(&config.store()).await?;
    if args.dry_run {
        report(terminal, &schema::missing(&schema::applied(&store).await?), "would be applied");
    } else {
        let applied = store.migrate(crate::rooms::MIGRATIONS, Clock::system().now()).await?;
        report(terminal, &applied, "applied");
    }
    Ok(())
}

fn report(terminal: &Terminal, files: &[String], word: &str) {
    if terminal.json {
        terminal.data_json(&json!({"migrations": files}));
    } else {
        files.iter().for_each(|file| terminal.data(file));
    }
    match files.len() {
        0 => terminal.done("The database has this version's schema."),
        1 => terminal.done(format!("1 migration {word}.")),
        count => terminal.done(format!("{count} migrations {word}.")),
    }
}
