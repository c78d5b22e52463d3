//! The tables of machines and of the lock.

use std::sync::Arc;

use downbeat_protocol::{MachineId, Place};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{
    columns::{from_bytes, json, now, text, to_bytes},
    write::{Assigned, StoredMachine},
};

/// What version 2 adds. What was kept before was assigned by who might do everything.
pub(super) const VERSION_2: &str = "
    ALTER TABLE machines ADD COLUMN assigned_name TEXT;
    ALTER TABLE machines ADD COLUMN place_x REAL;
    ALTER TABLE machines ADD COLUMN place_y REAL;
    ALTER TABLE machines ADD COLUMN volume_db REAL;
    ALTER TABLE machines ADD COLUMN muted INTEGER;
    ALTER TABLE machines ADD COLUMN extra_latency TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE machines ADD COLUMN rights TEXT;
    ALTER TABLE machines ADD COLUMN by_conductor INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE room (
        setting TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const READ: &str = "
    SELECT id, name, assigned_name, seat, place_x, place_y, tags, volume_db, muted, extra_latency, rights,
        by_conductor
    FROM machines ORDER BY last_seen, id";

const KEEP: &str = "
    INSERT OR REPLACE INTO machines (id, name, assigned_name, seat, place_x, place_y, tags, volume_db, muted,
        extra_latency, rights, by_conductor, last_seen)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const FORGET: &str = "DELETE FROM machines WHERE id = ?";

/// The setting of the lock.
const LOCKED: &str = "locked";

const READ_SETTING: &str = "SELECT value FROM room WHERE setting = ?";

const WRITE_SETTING: &str = "INSERT OR REPLACE INTO room (setting, value) VALUES (?, ?)";

/// All machines, the one that was seen last at the end.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<StoredMachine>> {
    connection.prepare(READ)?.query_map([], machine)?.collect()
}

fn machine(row: &Row<'_>) -> rusqlite::Result<StoredMachine> {
    let place = row.get::<_, Option<f64>>(4)?.zip(row.get::<_, Option<f64>>(5)?);
    let assigned = Assigned {
        name: row.get(2)?,
        seat: row.get(3)?,
        place: place.map(|(x, y)| Place { x: x as f32, y: y as f32 }),
        tags: json(&row.get::<_, String>(6)?, "tags").unwrap_or_default(),
        volume_db: row.get::<_, Option<f64>>(7)?.map(|db| db as f32),
        muted: row.get(8)?,
        extra_latency: json(&row.get::<_, String>(9)?, "extra_latency").unwrap_or_default(),
        rights: row.get::<_, Option<String>>(10)?.and_then(|rights| json(&rights, "rights")),
    };
    Ok(StoredMachine {
        machine: from_bytes(row.get(0)?),
        name: row.get(1)?,
        assigned: Arc::new(assigned),
        by_conductor: row.get(11)?,
    })
}

/// Writes a machine.
pub(super) fn keep(to: &Transaction<'_>, machine: &StoredMachine) -> rusqlite::Result<usize> {
    let StoredMachine { machine, name, assigned, by_conductor } = machine;
    let Assigned {
        name: assigned_name,
        seat,
        place,
        tags,
        volume_db,
        muted,
        extra_latency,
        rights,
    } = assigned.as_ref();
    to.execute(
        KEEP,
        params![
            to_bytes(*machine),
            name,
            assigned_name,
            seat,
            place.map(|place| f64::from(place.x)),
            place.map(|place| f64::from(place.y)),
            text(tags),
            volume_db.map(f64::from),
            muted,
            text(extra_latency),
            rights.as_ref().map(text),
            by_conductor,
            now()
        ],
    )
}

/// Removes a machine.
pub(super) fn forget(to: &Transaction<'_>, machine: MachineId) -> rusqlite::Result<usize> {
    to.execute(FORGET, [to_bytes(machine)])
}

/// Whether the room is locked.
pub(super) fn read_lock(connection: &Connection) -> rusqlite::Result<bool> {
    let value = connection.query_row(READ_SETTING, [LOCKED], |row| row.get::<_, String>(0));
    Ok(value.optional()?.and_then(|value| json(&value, "lock")).unwrap_or(false))
}

/// Writes whether the room is locked.
pub(super) fn write_lock(to: &Transaction<'_>, locked: bool) -> rusqlite::Result<usize> {
    to.execute(WRITE_SETTING, params![LOCKED, text(&locked)])
}
