//! The tables of the file, by version, and how a file of an older version becomes one of this.

use std::path::Path;

use rusqlite::Connection;

use super::{
    error::{StoreError, explain},
    machines, sounds,
};

/// Marks the file as Downbeat's: `Beat`.
const APPLICATION_ID: i64 = 0x4265_6174;

/// The tables of version 1.
const VERSION_1: &str = "
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

/// What each version adds to the one before it. What is here was released and must not change.
const STEPS: [&[&str]; 2] = [&[VERSION_1], &[machines::VERSION_2, sounds::VERSION_2]];

/// The version of the tables.
const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// Checks that the file is whole and none of another program or a newer relay. Creates the tables in an empty one,
/// and adds what an older one lacks: all of it, or nothing.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| explain(path, &error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let not_readable =
        |what: &str| StoreError::NotReadable { path: path.to_owned(), what: what.to_owned() };
    let is_new = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !is_new && number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(not_readable("a database of another program"));
    }
    let found = number("PRAGMA user_version")?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    let first = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    match connection.query_row("PRAGMA quick_check(1)", [], first).map_err(failed)?.as_str() {
        "ok" => {}
        problem => return Err(not_readable(&format!("damaged ({})", problem.replace('\n', " ")))),
    }
    let has = if is_new { 0 } else { usize::try_from(found).unwrap_or(0) };
    if has < STEPS.len() {
        let steps = STEPS[has..].concat().concat();
        let change = format!(
            "BEGIN; {steps} PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        );
        connection.execute_batch(&change).map_err(failed)?;
    }
    Ok(())
}
