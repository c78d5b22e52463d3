//! The `SQLite` file: its tables, how it is opened and checked, and how it is written.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use downbeat_protocol::Variable;
use rusqlite::{Connection, ErrorCode, Transaction, params};
use thiserror::Error;

use super::{
    columns::{from_bytes, json, text, to_bytes},
    machines,
    write::{Stored, StoredValue, Write},
};

/// The file in the data folder.
const FILE: &str = "downbeat.sqlite3";

/// The file that a relay locks while it uses the folder.
const LOCK: &str = "lock";

/// Marks the file as Downbeat's: `Beat`.
const APPLICATION_ID: i64 = 0x4265_6174;

/// The version of the tables.
const SCHEMA_VERSION: i64 = 2;

/// The tables of version 1. A new file begins with them, and is brought up to date like an old one: so there is
/// one way to the newest tables, and each start with a new file tests it.
const SCHEMA_1: &str = "
    CREATE TABLE variables (
        name TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        declaration TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE room_values (
        variable TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE machine_values (
        variable TEXT NOT NULL,
        machine BLOB NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (variable, machine)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE machines (
        id BLOB PRIMARY KEY,
        name TEXT NOT NULL,
        seat INTEGER,
        tags TEXT NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Why the data folder cannot be used. Each message says what to do.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder or its file cannot be opened.
    #[error("cannot use the data folder {path}: {reason}; name another with --data")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// Another relay uses it.
    #[error(
        "another relay uses the data folder {path}; stop it, or name another folder with --data"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file is damaged, or none of Downbeat.
    #[error(
        "{path} is {what}, and is left as it is; put back a copy of it, or move it away to begin without \
         what it holds"
    )]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A newer relay has written it.
    #[error(
        "{path} was written by a newer relay (version {found} of its tables, this one knows \
         {SCHEMA_VERSION}); use that relay, or name another folder with --data"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
    },
}

impl StoreError {
    pub(super) fn unusable(path: &Path, reason: &dyn std::error::Error) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.to_string() }
    }
}

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
        // Before `SQLite` does, which would let others read it. Its other files get the same permissions.
        create_private(&path).map_err(unusable)?;
        let failed = |error: rusqlite::Error| explain(&path, &error);
        let connection = Connection::open(&path).map_err(failed)?;
        check(&connection, &path)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(failed)?;
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
    }
}

/// Checks that the file is whole, and brings its tables up to date; creates them in an empty one.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| explain(path, &error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let not_readable =
        |what: &str| StoreError::NotReadable { path: path.to_owned(), what: what.to_owned() };
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        let create = format!(
            "BEGIN; {SCHEMA_1} PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = 1; COMMIT;"
        );
        connection.execute_batch(&create).map_err(failed)?;
        return migrate(connection).map_err(failed);
    }
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(not_readable("a database of another program"));
    }
    let found = number("PRAGMA user_version")?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    let first = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    match connection.query_row("PRAGMA quick_check(1)", [], first).map_err(failed)?.as_str() {
        "ok" if found < SCHEMA_VERSION => migrate(connection).map_err(failed),
        "ok" => Ok(()),
        problem => Err(not_readable(&format!("damaged ({})", problem.replace('\n', " ")))),
    }
}

/// Brings tables of version 1 up to date: all of them, or, if that fails, none.
fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    machines::migrate(&transaction)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "damaged, or no database".to_owned(),
        // Without a code: a value of another type than its table allows.
        Some(ErrorCode::DatabaseCorrupt) | None => format!("damaged ({error})"),
        Some(_) => return StoreError::unusable(path, error),
    };
    StoreError::NotReadable { path: path.to_owned(), what }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file, or creates one that only its owner can read: the numbers of machines are secret.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
