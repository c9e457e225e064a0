//! Connections to the database file, one kind for each role. Every setting of SQLite that the promises
//! of the store rest on is made here and nowhere else.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};

use super::checkpoint::WAL_BYTES_MAX;
use crate::config::EmbeddedConfig;

/// Chosen when a store is made and part of its file from then on. About a dozen records fill a page, so
/// that one commit of a few records writes one or two pages to the log.
pub(super) const PAGE_BYTES: u32 = 8192;

/// How often a connection that waits for its turn looks again. SQLite's own waiting backs off to 100 ms,
/// and a command would miss the short gaps between the transactions of a busy server for seconds.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Page cache of a reader, in KiB: readers look up single records or walk pages in order, and neither
/// gains from more.
const READER_CACHE_KIB: u32 = 512;

/// How long a reader waits. Readers never wait for writers, only for the recovery of the log after a
/// crash.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// Whether a missing file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Create,
    Refuse,
}

/// The connection that changes the store.
pub(super) fn writer(
    file: &Path,
    settings: &EmbeddedConfig,
    patience: Duration,
    missing: Missing,
) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if missing == Missing::Create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection = Connection::open_with_flags(file, flags)?;
    wait_at_most(&mut connection, patience)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA cache_size = -{};
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;",
        settings.cache_kib
    ))?;
    Ok(connection)
}

/// Turns on the write-ahead log, and that a commit has reached the disk when it returns. Apart from
/// [`writer`], because it writes: what the file is has to be looked at first.
pub(super) fn make_durable(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!("the file system allows no write-ahead log, only \"{mode}\"")),
        ));
    }
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {WAL_BYTES_MAX};"
    ))
}

/// The connection that moves the log into the database file. It waits for nobody.
pub(super) fn checkpointer(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.execute_batch(&format!("PRAGMA cache_size = -{READER_CACHE_KIB};"))?;
    make_durable(&connection)?;
    Ok(connection)
}

/// A connection that cannot change anything.
pub(super) fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(READER_PATIENCE)?;
    connection.execute_batch(&format!(
        "PRAGMA cache_size = -{READER_CACHE_KIB};
         PRAGMA trusted_schema = OFF;"
    ))?;
    Ok(connection)
}

/// A connection to a new file that a copy goes to. A crash loses the copy as a whole, so that no step of it
/// has to be durable.
pub(super) fn target(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.execute_batch("PRAGMA synchronous = OFF;")?;
    Ok(connection)
}

/// Makes a connection wait up to `patience` for its turn before it answers `SQLITE_BUSY`.
pub(super) fn wait_at_most(
    connection: &mut Connection,
    patience: Duration,
) -> rusqlite::Result<()> {
    let mut begun = Instant::now();
    connection.busy_handler(Some(move |looked: i32| {
        if looked == 0 {
            begun = Instant::now();
        }
        if begun.elapsed() >= patience {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
        true
    }))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::config::Config;

    /// No test here can cut the power, so this one holds the settings that the promise rests on.
    #[test]
    fn a_commit_is_on_the_disk_before_it_returns_and_no_commit_checkpoints() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        let settings = Config::default().embedded;
        let writer = writer(&file, &settings, Duration::ZERO, Missing::Create).unwrap();
        make_durable(&writer).unwrap();

        let pragma = |name: &str| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            writer.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2", "FULL");
        let automatic: i64 =
            writer.query_row("PRAGMA wal_autocheckpoint", [], |row| row.get(0)).unwrap();
        assert_eq!(automatic, 0);
    }
}
