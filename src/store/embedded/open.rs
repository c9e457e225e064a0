//! Opening the data folder: making it, keeping a second server out, and saying in one line what is wrong
//! with it and what to do.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::{
    Embedded,
    checkpoint::Checkpoints,
    connection::{self, Missing},
    lookups::Lookups,
    readers::Readers,
    reserve::Reserve,
    schema::{self, Found},
    writer::Writer,
};
use crate::{config::EmbeddedConfig, private_file};

/// The database in the data folder.
pub(super) const DATABASE: &str = "doorward.sqlite3";

/// SQLite's log beside it, while the store is open or after a crash.
pub(super) const LOG: &str = "doorward.sqlite3-wal";

/// Everything in the data folder that SQLite writes clients and grants to; some exist only while the store is open, or after
/// a crash.
pub(crate) const FILES: [&str; 4] =
    [DATABASE, LOG, "doorward.sqlite3-shm", "doorward.sqlite3-journal"];

/// Locked by the server that uses the folder. What is in it does not matter.
const LOCK: &str = "doorward.lock";

/// Earlier releases of SQLite can corrupt a database whose log is moved while others write.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// How long a server lets a command write before it answers its callers that it is busy.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);

/// How long a command waits for its turn.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// What the store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// By a server: makes the folder and the store when there is none, brings an older store up to date,
    /// and keeps other servers out.
    Serve,
    /// By a command that fills a store, beside a server or not: makes the store when there is none.
    Import,
    /// By a command that changes a store, beside a server or not: waits up to 30 seconds for its turn.
    Command,
    /// By a command that reads, beside a server or not. Every change answers
    /// [`StoreError::Unavailable`](crate::store::StoreError::Unavailable).
    Read,
}

impl Access {
    const fn makes_a_store(self) -> bool {
        matches!(self, Self::Serve | Self::Import)
    }

    const fn patience(self) -> Duration {
        match self {
            Self::Serve => SERVER_PATIENCE,
            Self::Import | Self::Command | Self::Read => COMMAND_PATIENCE,
        }
    }
}

/// Why a store could not be opened: one line for the operator that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing to open, and the access makes nothing.
    #[error("{} holds no store; `doorward serve` makes one, or name another folder", .folder.display())]
    NoStore {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder or a file in it cannot be made, read or written.
    #[error(
        "the data folder {} cannot be used: {reason}; give this user the right to write there, or name \
         another folder", .folder.display()
    )]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Other users can replace what is in the folder.
    #[error(
        "others can write to the data folder {} (mode {mode:04o}), and could replace the database; run \
         `chmod go-w {}`", .folder.display(), .folder.display()
    )]
    Writable {
        /// The data folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another server has the folder.
    #[error(
        "another server uses the data folder {}; stop it first, or name another folder",
        .folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "{} is a store of version {found}, and this release knows versions up to {known}; run the \
         release that wrote it or a later one", .file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that this release knows.
        known: usize,
    },
    /// An earlier release wrote it, and only a server brings it up to date.
    #[error(
        "{} is a store of version {found}, and this release needs version {needed}; start \
         `doorward serve` on it once, which brings it up to date", .file.display()
    )]
    Older {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: usize,
        /// The version that is needed.
        needed: usize,
    },
    /// Not ours.
    #[error("{} is not a store of Doorward; move it away, or name another folder", .file.display())]
    NotAStore {
        /// The database.
        file: PathBuf,
    },
    /// Damaged.
    #[error(
        "{} is damaged: {reason}; keep a copy of the folder and put a backup in its place",
        .file.display()
    )]
    Corrupt {
        /// The database.
        file: PathBuf,
        /// What SQLite found.
        reason: String,
    },
    /// Held by another process for longer than is waited.
    #[error("{} is being changed by another process; try again when it has ended", .file.display())]
    Busy {
        /// The database.
        file: PathBuf,
    },
    /// Anything else: a full or failing disk, mostly.
    #[error("{} cannot be opened: {reason}; look after the disk it is on", .file.display())]
    Failed {
        /// The database.
        file: PathBuf,
        /// What SQLite or the system said.
        reason: String,
    },
    /// Linked with a SQLite that is not safe for this.
    #[error("SQLite {found} can damage a store; this program needs 3.51.3 or later")]
    Sqlite {
        /// The version that is linked.
        found: String,
    },
}

/// Opens the store in `folder`. Blocks for some milliseconds, or while another process writes.
///
/// # Errors
/// [`OpenError`], one line for the operator.
pub(super) fn open(
    folder: &Path,
    settings: &EmbeddedConfig,
    access: Access,
) -> Result<Embedded, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::Sqlite { found: rusqlite::version().to_owned() });
    }
    let file = folder.join(DATABASE);
    if access.makes_a_store() {
        make_folder(folder).map_err(|error| folder_error(folder, &error))?;
    }
    if access == Access::Serve {
        refuse_writable(folder)?;
    }
    let lock = if access == Access::Serve { Some(lock(folder)?) } else { None };
    let failed =
        |error: io::Error| OpenError::Failed { file: file.clone(), reason: error.to_string() };
    let readers = Readers::new(file.clone(), settings.readers);
    let lookups = || Lookups::start(file.clone()).map_err(failed);
    if access == Access::Read {
        look(folder)?;
        return Ok(Embedded { queue: None, lookups: lookups()?, readers });
    }
    let connection = open_writer(folder, settings, access)?;
    if access == Access::Serve {
        // Only now is it certain that the files are a store.
        for name in FILES {
            private_file::tighten(&folder.join(name));
        }
    }
    let (queue, waiting) = mpsc::channel(settings.queue_max.max(1));
    let writer = Writer {
        checkpoints: Checkpoints::start(file.clone()).map_err(failed)?,
        file: file.clone(),
        settings: settings.clone(),
        patience: access.patience(),
        queue: waiting,
        connection: Some(connection),
        reserve: Reserve::open(folder, lock.is_some()),
        lock,
    };
    let thread = thread::Builder::new().name("store-writer".to_owned());
    // Not joined: `close` is answered by the thread's last act, and without `close` the end of the queue
    // is its end.
    let _detached = thread.spawn(move || writer.run()).map_err(failed)?;
    Ok(Embedded { queue: Some(queue), lookups: lookups()?, readers })
}

/// A connection that reads an existing store of this release's version.
pub(super) fn look(folder: &Path) -> Result<Connection, OpenError> {
    let file = existing(folder)?;
    let fault = |error: rusqlite::Error| open_error(folder, &file, &error);
    let connection = connection::reader(&file).map_err(fault)?;
    let found = schema::look(&connection).map_err(fault)?;
    require_current(folder, &file, found)?;
    Ok(connection)
}

fn open_writer(
    folder: &Path,
    settings: &EmbeddedConfig,
    access: Access,
) -> Result<Connection, OpenError> {
    let (file, missing) = if access.makes_a_store() {
        (folder.join(DATABASE), Missing::Create)
    } else {
        (existing(folder)?, Missing::Refuse)
    };
    if access.makes_a_store() {
        // SQLite gives the files beside a database the permissions of the database.
        private_file::open_or_create(&file).map_err(|error| folder_error(folder, &error))?;
    }
    let fault = |error: rusqlite::Error| open_error(folder, &file, &error);
    let mut connection =
        connection::writer(&file, settings, access.patience(), missing).map_err(fault)?;
    let found = schema::look(&connection).map_err(fault)?;
    let migrates = match found {
        Found::Nothing => access.makes_a_store(),
        Found::Version(version) => version < schema::VERSION && access == Access::Serve,
        Found::Newer(_) | Found::Foreign => false,
    };
    if migrates {
        connection::make_durable(&connection).map_err(fault)?;
        schema::migrate(&mut connection).map_err(fault)?;
    }
    require_current(folder, &file, schema::look(&connection).map_err(fault)?)?;
    connection::make_durable(&connection).map_err(fault)?;
    Ok(connection)
}

fn require_current(folder: &Path, file: &Path, found: Found) -> Result<(), OpenError> {
    let (folder, file) = (folder.to_owned(), file.to_owned());
    match found {
        Found::Version(schema::VERSION) => Ok(()),
        Found::Version(found) => Err(OpenError::Older { file, found, needed: schema::VERSION }),
        Found::Newer(found) => Err(OpenError::Newer { file, found, known: schema::VERSION }),
        Found::Nothing => Err(OpenError::NoStore { folder }),
        Found::Foreign => Err(OpenError::NotAStore { file }),
    }
}

fn existing(folder: &Path) -> Result<PathBuf, OpenError> {
    let file = folder.join(DATABASE);
    match file.try_exists() {
        Ok(true) => Ok(file),
        Ok(false) => Err(OpenError::NoStore { folder: folder.to_owned() }),
        Err(error) => Err(folder_error(folder, &error)),
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let file = private_file::open_or_create(&folder.join(LOCK))
        .map_err(|error| folder_error(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(folder_error(folder, &error)),
    }
}

/// Refuses a folder in which other users could put another database in place of this one.
fn refuse_writable(folder: &Path) -> Result<(), OpenError> {
    const OTHERS_WRITE: u32 = 0o022;
    let found = fs::metadata(folder).map_err(|error| folder_error(folder, &error))?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777;
        if mode & OTHERS_WRITE != 0 {
            return Err(OpenError::Writable { folder: folder.to_owned(), mode });
        }
    }
    Ok(())
}

/// Makes the folder, for its owner alone, and makes its name durable: the promise of the first
/// registration rests on it.
fn make_folder(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().take_while(|part| !part.exists()).count();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for made in folder.ancestors().take(there) {
        let parent = match made.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => continue,
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn folder_error(folder: &Path, error: &io::Error) -> OpenError {
    OpenError::Folder { folder: folder.to_owned(), reason: error.to_string() }
}

/// What SQLite's error means to the operator.
fn open_error(folder: &Path, file: &Path, error: &rusqlite::Error) -> OpenError {
    let (folder, file, reason) = (folder.to_owned(), file.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotAStore { file },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { file, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy { file },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            OpenError::Folder { folder, reason }
        }
        _ => OpenError::Failed { file, reason },
    }
}
