//! Moves the write-ahead log into the database file, beside the writer.
//!
//! SQLite by itself does this inside some unlucky commit, whose callers then wait for two more `fsync`s.
//! Here a thread with a connection of its own does it some hundred times a second while there is something
//! to move. It never waits for the writer and the writer never waits for it, so under constant writing
//! it never catches up and the log would grow for ever: once the log is long, the writer finishes the
//! work between two transactions and begins the log anew.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::connection::{self, PAGE_BYTES};

/// The log's length from which on the writer begins it anew. It becomes longer by what is written during
/// one pass of the thread, and by what is written while somebody reads from its beginning. Smaller: more
/// pauses of the writer. Larger: a slower start after a crash, and more disk.
pub(super) const WAL_BYTES_MAX: u32 = 64 << 20;

/// How long a commit waits in the log for the thread. Each pass takes the processor and the disk away from
/// callers in proportion to what it moves: longer, and the slowest callers become slower.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long the writer waits for readers when it begins the log anew; a backup may read for minutes, and
/// then the log grows instead.
const RESTART_PATIENCE: Duration = Duration::from_millis(20);

/// How long the last checkpoint waits, of a server that ends.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// The thread that checkpoints, and what it shares with the writer.
pub(super) struct Checkpoints {
    committed: SyncSender<()>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    /// How many pages make the log long.
    pages_max: i64,
    /// Held during a checkpoint: SQLite answers "busy" at once to a second one.
    turn: Mutex<()>,
    log_is_long: AtomicBool,
    /// The last passes need not wait for more.
    is_stopping: AtomicBool,
}

impl Shared {
    fn new(bytes_max: u32) -> Self {
        Self {
            pages_max: i64::from(bytes_max / PAGE_BYTES),
            turn: Mutex::default(),
            log_is_long: AtomicBool::default(),
            is_stopping: AtomicBool::default(),
        }
    }

    /// Begins the log anew if it is long.
    fn shorten(&self, writer: &mut Connection, patience: Duration) {
        if self.log_is_long.swap(false, Ordering::Relaxed) {
            self.restart(writer, patience);
        }
    }

    fn restart(&self, writer: &mut Connection, patience: Duration) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = connection::wait_at_most(writer, RESTART_PATIENCE)
            .and_then(|()| checkpoint(writer, "RESTART"));
        // When it did not succeed the log grows, and the thread will find it long again.
        if let Err(error) = begun.and(connection::wait_at_most(writer, patience)) {
            tracing::warn!(%error, "the log could not be begun anew");
        }
    }
}

impl Checkpoints {
    /// Starts the thread; what an earlier process left in the log is moved soon.
    pub(super) fn start(file: PathBuf) -> io::Result<Self> {
        let (committed, due) = sync_channel(1);
        let shared = Arc::new(Shared::new(WAL_BYTES_MAX));
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&file, &due, &theirs))?;
        let checkpoints = Self { committed, shared, thread };
        checkpoints.note_commit();
        Ok(checkpoints)
    }

    /// Tells the thread that there is something to move.
    pub(super) fn note_commit(&self) {
        // A full channel says the same already; a closed one means that the thread is gone, and then
        // the log only grows until the writer's own connection closes.
        let _full_or_closed = self.committed.try_send(());
    }

    /// Begins the log anew if it is long. For the writer, outside of its transactions.
    pub(super) fn shorten(&self, writer: &mut Connection, patience: Duration) {
        self.shared.shorten(writer, patience);
    }

    /// Begins the log anew, so that the next changes take the room it has. For the writer, outside of its transactions.
    pub(super) fn restart(&self, writer: &mut Connection, patience: Duration) {
        self.shared.restart(writer, patience);
    }

    /// Ends the thread.
    pub(super) fn stop(self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        drop(self.committed);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the thread of checkpoints had panicked");
        }
    }
}

/// Moves everything and empties the log: the last act of a server. What cannot be moved is left in the
/// log, where the next process finds it.
pub(super) fn last(writer: &mut Connection) {
    if let Err(error) = connection::wait_at_most(writer, LAST_PATIENCE)
        .and_then(|()| checkpoint(writer, "TRUNCATE"))
    {
        tracing::warn!(%error, "the log is left for the next start");
    }
}

/// Runs a checkpoint as far as others let it; returns how many pages are in the log.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get("log"))
}

fn run(file: &Path, due: &Receiver<()>, shared: &Shared) {
    let mut connection = None;
    let mut failed = false;
    while due.recv().is_ok() {
        if !shared.is_stopping.load(Ordering::Acquire) {
            thread::park_timeout(INTERVAL);
        }
        match pass(&mut connection, file, shared) {
            Ok(()) => failed = false,
            Err(error) => {
                connection = None;
                // Once for each time that it begins to fail, not a hundred times a second.
                if !failed {
                    tracing::warn!(%error, "the log cannot be moved into the database file");
                }
                failed = true;
            }
        }
    }
}

fn pass(connection: &mut Option<Connection>, file: &Path, shared: &Shared) -> rusqlite::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connection::checkpointer(file)?),
    };
    let _turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
    if checkpoint(connection, "PASSIVE")? > shared.pages_max {
        shared.log_is_long.store(true, Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const BYTES_MAX: u32 = 100 * PAGE_BYTES;

    /// A file with a log, and the connection that writes to it.
    fn written() -> (TempDir, PathBuf, Connection) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        let writer = Connection::open(&file).unwrap();
        connection::make_durable(&writer).unwrap();
        writer.execute_batch("CREATE TABLE pages (page BLOB)").unwrap();
        (folder, file, writer)
    }

    fn write(writer: &Connection, pages: u32) {
        for _ in 0..pages {
            writer.execute("INSERT INTO pages VALUES (zeroblob(4000))", []).unwrap();
        }
    }

    /// How many pages are in the log, without moving any.
    fn in_log(writer: &Connection) -> i64 {
        checkpoint(writer, "NOOP").unwrap()
    }

    #[test]
    fn a_log_that_is_not_long_is_left_to_the_thread() {
        let (_folder, file, mut writer) = written();
        let shared = Shared::new(BYTES_MAX);
        write(&writer, 10);
        let pages = in_log(&writer);

        pass(&mut None, &file, &shared).unwrap();
        shared.shorten(&mut writer, Duration::ZERO);

        assert_eq!(in_log(&writer), pages);
    }

    #[test]
    fn a_long_log_is_begun_anew_by_the_writer() {
        let (folder, file, mut writer) = written();
        let shared = Shared::new(BYTES_MAX);
        let mut connection = None;
        for _ in 0..10 {
            write(&writer, 120);
            pass(&mut connection, &file, &shared).unwrap();
            shared.shorten(&mut writer, Duration::ZERO);
        }
        write(&writer, 1);

        assert!(in_log(&writer) < 10, "{}", in_log(&writer));
        let bytes = std::fs::metadata(folder.path().join("file-wal")).unwrap().len();
        assert!(bytes < 5 * u64::from(BYTES_MAX), "{bytes}");
    }

    #[test]
    fn a_long_log_that_is_being_read_grows_and_is_begun_anew_afterwards() {
        let (_folder, file, mut writer) = written();
        let shared = Shared::new(BYTES_MAX);
        let mut connection = None;
        write(&writer, 50);
        let reader = connection::reader(&file).unwrap();
        let snapshot = reader.unchecked_transaction().unwrap();
        snapshot.query_row("SELECT count(*) FROM pages", [], |_row| Ok(())).unwrap();
        write(&writer, 100);
        pass(&mut connection, &file, &shared).unwrap();
        shared.shorten(&mut writer, Duration::ZERO);
        write(&writer, 1);
        assert!(in_log(&writer) > 150);

        drop(snapshot);
        pass(&mut connection, &file, &shared).unwrap();
        shared.shorten(&mut writer, Duration::ZERO);
        write(&writer, 1);
        assert!(in_log(&writer) < 10);
    }
}
