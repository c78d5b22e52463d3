//! Why the data folder cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

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
        "{path} was written by a newer relay (version {found} of its tables, this one knows {known}); use \
         that relay, or name another folder with --data"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The version that this relay knows.
        known: i64,
    },
}

impl StoreError {
    pub(super) fn unusable(path: &Path, reason: &dyn std::error::Error) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// What an error of `SQLite` means for the file.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "damaged, or no database".to_owned(),
        // Without a code: a value of another type than its table allows.
        Some(ErrorCode::DatabaseCorrupt) | None => format!("damaged ({error})"),
        Some(_) => return StoreError::unusable(path, error),
    };
    StoreError::NotReadable { path: path.to_owned(), what }
}
