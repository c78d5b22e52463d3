//! The tables of uploaded sounds, and of what was changed about any sound, by the hash of its file.

use rusqlite::{Connection, Row, Transaction, params};

use super::write::{SoundEdits, StoredSound};

/// What version 2 adds.
pub(super) const VERSION_2: &str = "
    CREATE TABLE uploaded_sounds (
        hash TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        position INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sound_edits (
        hash TEXT PRIMARY KEY,
        name TEXT,
        gain_db REAL,
        looped INTEGER,
        position INTEGER,
        removed INTEGER,
        is_default INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const READ: &str = "SELECT hash, name, position FROM uploaded_sounds ORDER BY position, hash";

const ADD: &str = "INSERT OR REPLACE INTO uploaded_sounds (hash, name, position) VALUES (?, ?, ?)";

const DELETE: &str = "DELETE FROM uploaded_sounds WHERE hash = ?";

const READ_EDITS: &str =
    "SELECT hash, name, gain_db, looped, position, removed, is_default FROM sound_edits";

const EDIT: &str = "
    INSERT OR REPLACE INTO sound_edits (hash, name, gain_db, looped, position, removed, is_default)
    VALUES (?, ?, ?, ?, ?, ?, ?)";

const UNEDIT: &str = "DELETE FROM sound_edits WHERE hash = ?";

/// All uploaded sounds, in the order of their uploads.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<StoredSound>> {
    let sound = |row: &Row<'_>| {
        let position = row.get::<_, i64>(2)?.cast_unsigned();
        Ok(StoredSound { hash: row.get(0)?, name: row.get(1)?, position })
    };
    connection.prepare(READ)?.query_map([], sound)?.collect()
}

/// What was changed about sounds.
pub(super) fn read_edits(connection: &Connection) -> rusqlite::Result<Vec<(String, SoundEdits)>> {
    let edits = |row: &Row<'_>| {
        let edits = SoundEdits {
            name: row.get(1)?,
            gain_db: row.get(2)?,
            looped: row.get(3)?,
            position: row.get(4)?,
            removed: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
            is_default: row.get(6)?,
        };
        Ok((row.get(0)?, edits))
    };
    connection.prepare(READ_EDITS)?.query_map([], edits)?.collect()
}

/// Writes an uploaded sound.
pub(super) fn add(to: &Transaction<'_>, sound: &StoredSound) -> rusqlite::Result<usize> {
    let StoredSound { hash, name, position } = sound;
    to.execute(ADD, params![hash, name, position.cast_signed()])
}

/// Removes an uploaded sound.
pub(super) fn delete(to: &Transaction<'_>, hash: &str) -> rusqlite::Result<usize> {
    to.execute(DELETE, [hash])
}

/// Writes what was changed about a sound.
pub(super) fn edit(
    to: &Transaction<'_>,
    hash: &str,
    edits: &SoundEdits,
) -> rusqlite::Result<usize> {
    let SoundEdits { name, gain_db, looped, position, removed, is_default } = edits;
    let removed = removed.map(u64::cast_signed);
    to.execute(EDIT, params![hash, name, gain_db, looped, position, removed, is_default])
}

/// Removes what was changed about a sound.
pub(super) fn unedit(to: &Transaction<'_>, hash: &str) -> rusqlite::Result<usize> {
    to.execute(UNEDIT, [hash])
}
