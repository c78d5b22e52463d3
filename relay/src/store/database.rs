//! The `SQLite` file: how it is opened, read and written.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use downbeat_protocol::Variable;
use rusqlite::{Connection, Transaction, params};

use super::{
    columns::{from_bytes, json, text, to_bytes},
    error::{StoreError, explain},
    folder::{create_folder, create_private, sync_folder},
    machines, schema, sounds,
    write::{Stored, StoredValue, Write},
};

/// The file in the data folder.
const FILE: &str = "downbeat.sqlite3";

/// The file that a relay locks while it uses the folder.
const LOCK: &str = "lock";

/// The open file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    /// Held for as long as the file is open.
    _lock: File,
}

impl Database {
    /// Opens the file in `folder`, or creates both.
    ///
    /// # Errors
    /// If it cannot be used.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let unusable = |error: io::Error| StoreError::unusable(folder, &error);
        create_folder(folder).map_err(unusable)?;
        let lock = create_private(&folder.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse { path: folder.to_owned() },
            TryLockError::Error(error) => unusable(error),
        })?;
        let path = folder.join(FILE);
        // Before `SQLite` does, which would let others read it: the numbers of machines are secret. Its other
        // files get the same permissions.
        create_private(&path).map_err(unusable)?;
        let failed = |error: rusqlite::Error| explain(&path, &error);
        let connection = Connection::open(&path).map_err(failed)?;
        schema::prepare(&connection, &path)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(failed)?;
        sync_folder(folder).map_err(unusable)?;
        Ok(Self { path, connection, _lock: lock })
    }

    /// All that is stored.
    ///
    /// # Errors
    /// If the file is damaged.
    pub(super) fn read(&mut self) -> Result<Stored, StoreError> {
        self.try_read().map_err(|error| explain(&self.path, &error))
    }

    fn try_read(&mut self) -> rusqlite::Result<Stored> {
        let connection = &self.connection;
        let mut stored = Stored::default();
        let mut variables =
            connection.prepare("SELECT declaration FROM variables ORDER BY position")?;
        let mut rows = variables.query([])?;
        while let Some(row) = rows.next()? {
            stored.variables.extend(json::<Variable>(&row.get::<_, String>(0)?, "declaration"));
        }
        let mut values = connection.prepare(
            "SELECT variable, NULL, value FROM room_values
             UNION ALL SELECT variable, machine, value FROM machine_values",
        )?;
        let mut rows = values.query([])?;
        while let Some(row) = rows.next()? {
            let machine = row.get::<_, Option<[u8; 16]>>(1)?.map(from_bytes);
            if let Some(value) = json(&row.get::<_, String>(2)?, "value") {
                stored.values.push(StoredValue { name: row.get(0)?, machine, value });
            }
        }
        stored.machines = machines::read(connection)?;
        stored.locked = machines::read_lock(connection)?;
        stored.sounds = sounds::read(connection)?;
        stored.edits = sounds::read_edits(connection)?;
        Ok(stored)
    }

    /// Writes all changes, or none. When it returns they are on disk.
    ///
    /// # Errors
    /// If they cannot be written, as on a full disk.
    pub(super) fn commit<'a>(
        &mut self,
        writes: impl Iterator<Item = &'a Write>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for write in writes {
            apply(&transaction, write)?;
        }
        transaction.commit()
    }

    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }
}

fn apply(to: &Transaction<'_>, write: &Write) -> rusqlite::Result<usize> {
    match write {
        Write::Declare { variable, order } => to.execute(
            "INSERT OR REPLACE INTO variables (name, position, declaration) VALUES (?, ?, ?)",
            params![variable.name, order.cast_signed(), text(variable)],
        ),
        Write::Undeclare { name } => to.execute("DELETE FROM variables WHERE name = ?", [name]),
        Write::Set { name, machine: None, value } => to.execute(
            "INSERT OR REPLACE INTO room_values (variable, value) VALUES (?, ?)",
            params![name, value.to_string()],
        ),
        Write::Set { name, machine: Some(machine), value } => to.execute(
            "INSERT OR REPLACE INTO machine_values (variable, machine, value) VALUES (?, ?, ?)",
            params![name, to_bytes(*machine), value.to_string()],
        ),
        Write::Unset { name, machine: None } => {
            to.execute("DELETE FROM room_values WHERE variable = ?", [name])
        }
        Write::Unset { name, machine: Some(machine) } => to.execute(
            "DELETE FROM machine_values WHERE variable = ? AND machine = ?",
            params![name, to_bytes(*machine)],
        ),
        Write::Keep(machine) => machines::keep(to, machine),
        Write::Forget { machine } => machines::forget(to, *machine),
        Write::Lock { locked } => machines::write_lock(to, *locked),
        Write::AddSound(sound) => sounds::add(to, sound),
        Write::DeleteSound { hash } => sounds::delete(to, hash),
        Write::EditSound { hash, edits } => sounds::edit(to, hash, edits),
        Write::UneditSound { hash } => sounds::unedit(to, hash),
    }
}
