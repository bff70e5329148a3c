//! Which schema a database has, compared with this program's.

use store::dump::Applied;
use store::{Migrations, Store, StoreError, Tx};

use crate::rooms::MIGRATIONS as ROOMS;

/// Which files were applied to a database.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn applied(store: &Store) -> Result<Vec<Applied>, StoreError> {
    store.read(async |tx: &mut Tx| store::dump::applied(tx).await).await
}

/// What [`Store::migrate`] would apply, `room/file` each.
#[must_use]
pub(crate) fn missing(applied: &[Applied]) -> Vec<String> {
    let mut missing = Vec::new();
    for room in ROOMS {
        let count = applied.iter().filter(|known| known.room == room.room).count();
        missing.extend(room.files.iter().skip(count).map(|file| format!("{}/{}", room.room, file.name)));
    }
    missing
}

/// The rooms with no more files than `applied` names: the schema that a backup was made with.
///
/// # Errors
/// A sentence, when the backup has rooms or files that this program does not know.
pub(crate) fn as_of(applied: &[Applied]) -> Result<Vec<Migrations>, String> {
    for known in applied {
        let room = ROOMS.iter().find(|room| room.room == known.room);
        let file = room.and_then(|room| room.files.get(known.number.checked_sub(1)?));
        if file.is_none_or(|file| file.name != known.name) {
            return Err(format!(
                "it has the migration {}/{}, which this version does not know",
                known.room, known.name
            ));
        }
    }
    let rooms = ROOMS.iter().map(|room| {
        let count = applied.iter().filter(|known| known.room == room.room).count();
        Migrations { room: room.room, files: &room.files[..count.min(room.files.len())] }
    });
    Ok(rooms.collect())
}

/// The tables that are never empty, since migrations put rows into them: what an `insert into` names that begins a line
/// and has values. One that selects only moves what is there; those of a trigger stand within its statement.
pub(crate) fn filled() -> impl Iterator<Item = &'static str> {
    let statements =
        ROOMS.iter().flat_map(|room| room.files).flat_map(|file| file.sql.split("\ninsert into ").skip(1));
    statements.filter_map(|text| {
        let statement = text.split(';').next()?;
        let table = statement.split([' ', '(', '\n']).next()?;
        (!statement.contains("select ")).then_some(table)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn exactly_what_is_said_to_be_filled_has_rows_in_a_new_database() {
        store::testing::both(ROOMS, async |store: Store| {
            let export = async |tx: &mut Tx| store::dump::export(tx, &mut std::io::sink()).await;
            let copied = store.read(export).await.unwrap();
            let full: BTreeSet<&str> =
                copied.iter().filter(|table| table.rows > 0).map(|table| table.table.as_str()).collect();
            assert_eq!(full, filled().collect::<BTreeSet<_>>());
            assert!(full.contains("category"));
        })
        .await;
    }

    fn all() -> Vec<Applied> {
        let of = |room: &Migrations| {
            let name = room.room.to_owned();
            let files = room.files.iter().enumerate();
            files
                .map(move |(index, file)| Applied {
                    room: name.clone(),
                    number: index + 1,
                    name: file.name.to_owned(),
                    checksum: String::new(),
                })
                .collect::<Vec<_>>()
        };
        ROOMS.iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_missing_and_what_is_too_new() {
        let all = all();
        assert!(missing(&all).is_empty());
        assert_eq!(missing(&[]).len(), all.len());
        assert_eq!(missing(&all[1..]), [format!("{}/{}", all[0].room, all[0].name)]);
        assert_eq!(as_of(&all).map(|rooms| rooms.len()), Ok(ROOMS.len()));
        let newer = Applied { number: 99, name: "0099_flying.sql".to_owned(), ..all[0].clone() };
        let refused = as_of(&[newer]).map(|_| ());
        assert_eq!(
            refused,
            Err(format!(
                "it has the migration {}/0099_flying.sql, which this version does not know",
                all[0].room
            ))
        );
    }
}
