//! A copy of a store while a server writes to it.
//!
//! The copy is what one moment held: the connection that reads it keeps its snapshot from the first page
//! to the last, so that constant writing neither restarts the copy nor shows in it. While it runs, the
//! log cannot be begun anew and grows by what is written meanwhile.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, ErrorCode,
    backup::{Backup, StepResult},
};

use super::{
    OpenError, clients, connection,
    open::look,
    schema::{self, Found},
};
use crate::private_file;

/// How many pages are copied between two reports of progress: 4 MiB.
const PAGES_PER_STEP: i32 = 1024;

/// A finished backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// How many clients it holds.
    pub clients: u64,
    /// The size of its file.
    pub bytes: u64,
}

/// Why there is no backup: one line for the operator. Nothing is left at the target then.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A backup never replaces a file.
    #[error("{} is there already; name a file that is not", .to.display())]
    Exists {
        /// The target.
        to: PathBuf,
    },
    /// The target cannot be written.
    #[error("the backup {} cannot be written: {reason}; look after the disk and the folder it goes to", .to.display())]
    Target {
        /// The target.
        to: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The copy failed.
    #[error("the store cannot be copied to {}: {reason}; `doorward store check` looks at the store", .to.display())]
    Copy {
        /// The target.
        to: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The copy is not what was copied.
    #[error("the backup {} was not kept, because it cannot be trusted: {reason}; `doorward store check` looks at the store", .to.display())]
    Unsound {
        /// The target.
        to: PathBuf,
        /// What was found in it.
        reason: String,
    },
}

/// Copies the store in `folder` to the new file `to`, which is whole, checked and durable when this
/// returns. `progress` is told how many pages are done, of how many. Blocks for as long as it takes; a
/// server may run on the folder meanwhile.
pub fn backup(
    folder: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    let target = |error| target_error(to, &error);
    let source = look(folder)?;
    if to.try_exists().map_err(target)? {
        return Err(BackupError::Exists { to: to.to_owned() });
    }
    let mut partial = OsString::from(to);
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let outcome = create(&partial)
        .map_err(target)
        .and_then(|()| copy_and_check(&source, &partial, to, progress))
        .and_then(|report| keep(&partial, to).map(|()| report).map_err(target));
    if outcome.is_err() {
        // The fault that is reported is the one that matters. SQLite may leave its journal beside the file.
        let mut journal = partial.clone().into_os_string();
        journal.push("-journal");
        for left in [partial, journal.into()] {
            let _gone = fs::remove_file(left);
        }
    }
    outcome
}

fn target_error(to: &Path, error: &io::Error) -> BackupError {
    BackupError::Target { to: to.to_owned(), reason: error.to_string() }
}

/// Makes the file, for its owner alone; one that an earlier try left goes.
fn create(partial: &Path) -> io::Result<()> {
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    private_file::create_new(partial).map(drop)
}

fn copy_and_check(
    source: &Connection,
    partial: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    let failed = |error: rusqlite::Error| {
        let (to, reason) = (to.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            // The store is only read: what is full or cannot be written is the target.
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => BackupError::Target { to, reason },
            _ => BackupError::Copy { to, reason },
        }
    };
    let unsound = |reason: String| BackupError::Unsound { to: to.to_owned(), reason };
    let expected = copy(source, partial, progress).map_err(failed)?;
    let target = |error| target_error(to, &error);
    File::open(partial).and_then(|file| file.sync_all()).map_err(target)?;

    let copied = connection::reader(partial).map_err(failed)?;
    if schema::look(&copied).map_err(failed)? != Found::Version(schema::VERSION) {
        return Err(unsound("it is not a store".to_owned()));
    }
    if let Some(fault) = schema::faults(&copied, 1).into_iter().next() {
        return Err(unsound(fault));
    }
    let clients = clients::count(&copied).map_err(failed)?;
    if clients != expected {
        return Err(unsound(format!("it holds {clients} clients instead of {expected}")));
    }
    let bytes = fs::metadata(partial).map_err(target)?.len();
    Ok(BackupReport { clients, bytes })
}

/// Copies one snapshot; returns how many clients are in it.
fn copy(
    source: &Connection,
    partial: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<u64> {
    // The first question of the transaction takes the snapshot, and the transaction keeps it.
    let snapshot = source.unchecked_transaction()?;
    let clients = clients::count(&snapshot)?;
    let mut copy = connection::target(partial)?;
    let backup = Backup::new(&snapshot, &mut copy)?;
    loop {
        let step = backup.step(PAGES_PER_STEP)?;
        let pages = backup.progress();
        let total = u64::try_from(pages.pagecount).unwrap_or(0);
        progress(total.saturating_sub(u64::try_from(pages.remaining).unwrap_or(0)), total);
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody can lock a snapshot that is being read, nor a file that nobody else knows.
            _ => {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                ));
            }
        }
    }
    drop(backup);
    // One file that needs no other beside it; a server that opens it turns the log on again.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_row| Ok(()))?;
    Ok(clients)
}

/// Gives the file its name, durably.
fn keep(partial: &Path, to: &Path) -> io::Result<()> {
    if to.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(partial, to)?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}
