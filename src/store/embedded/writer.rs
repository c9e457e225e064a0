//! The one thread that changes the store.
//!
//! Changes wait in a bounded queue. The thread takes whatever is there, makes one transaction of it and
//! answers each caller after the commit has returned: alone, a change is committed at once; under load,
//! one `fsync` serves everyone who came during the last one.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, Statement, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use super::{
    batch::{self, BATCH_MAX},
    checkpoint::{self, Checkpoints},
    clients,
    connection::{self, Missing},
    fault::{Shared, store_error},
    reply::Reply,
    reserve::Reserve,
    rows::{Direct, Stopped},
};
use crate::{
    config::EmbeddedConfig,
    store::{ClientRecord, Imported, StoreError, arrival::Newcomer, statements},
};

/// One change, and who waits for it.
pub(super) enum Change {
    Register {
        newcomer: Newcomer,
        reply: Reply<()>,
    },
    Import {
        clients: Vec<ClientRecord>,
        reply: Reply<Vec<Imported>>,
    },
    /// A change of any other kind.
    Other(Box<dyn Work>),
    Probe {
        reply: Reply<()>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// A change that knows by itself what to do, and whom to answer.
pub(super) trait Work: Send {
    /// Does its part of a batch; an error ends the whole batch.
    fn apply(&mut self, change: &Transaction<'_>) -> rusqlite::Result<()>;

    /// Whether it only deletes.
    fn deletes(&self) -> bool;

    /// Answers, once the batch has come to its end, and lets whoever is answered answer `others`.
    fn answer(self: Box<Self>, failure: Option<&Shared>, others: Works);
}

/// Changes that are done, whose callers do not know it yet. Dropped, it tells them.
pub(super) struct Works {
    done: Vec<Box<dyn Work>>,
    failure: Option<Shared>,
}

impl Works {
    const NONE: Self = Self { done: Vec::new(), failure: None };

    /// Tells the first, who tells the others.
    fn tell(mut self) {
        if let Some(first) = self.done.pop() {
            let failure = self.failure.clone();
            first.answer(failure.as_ref(), self);
        }
    }
}

impl Drop for Works {
    fn drop(&mut self) {
        for work in self.done.drain(..) {
            work.answer(self.failure.as_ref(), Self::NONE);
        }
    }
}

/// What is done, and who waits for it.
pub(super) struct Task<F, T> {
    pub(super) work: F,
    pub(super) reply: Reply<T>,
    /// Whether it has several statements, of which a failure leaves none behind.
    pub(super) whole: bool,
    pub(super) deletes: bool,
}

impl<F, T> Work for Task<F, T>
where
    F: FnMut(&mut Direct<'_>) -> Result<T, Stopped> + Send,
    T: Send,
{
    fn apply(&mut self, change: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.whole {
            change.prepare_cached("SAVEPOINT whole")?.execute([])?;
        }
        let done = (self.work)(&mut Direct(change));
        if self.whole && !change.is_autocommit() {
            if done.is_err() {
                change.prepare_cached("ROLLBACK TO whole")?.execute([])?;
            }
            change.prepare_cached("RELEASE whole")?.execute([])?;
        }
        let outcome = match done {
            Err(Stopped::Store(error)) => Err(error),
            Err(Stopped::Sql(error)) => {
                spare_the_others::<T>(change, Err(error))?.map_err(store_error)
            }
            Ok(done) => Ok(done),
        };
        self.reply.outcome = Some(outcome);
        Ok(())
    }

    fn deletes(&self) -> bool {
        self.deletes
    }

    fn answer(self: Box<Self>, failure: Option<&Shared>, others: Works) {
        self.reply.send_with(failure, Box::new(others));
    }
}

impl Change {
    /// Whether it only deletes, so that a full disk must not refuse it.
    fn deletes(&self) -> bool {
        match self {
            Self::Other(work) => work.deletes(),
            Self::Register { .. }
            | Self::Import { .. }
            | Self::Probe { .. }
            | Self::Close { .. } => false,
        }
    }

    /// The client that it registered.
    fn registered(&self) -> Option<&Newcomer> {
        match self {
            Self::Register { newcomer, reply } => {
                matches!(reply.outcome, Some(Ok(()))).then_some(newcomer)
            }
            _ => None,
        }
    }

    /// Does its part of a batch; an error ends the whole batch.
    fn apply(
        &mut self,
        change: &Transaction<'_>,
        insert: &mut Statement<'_>,
    ) -> rusqlite::Result<()> {
        match self {
            // Nobody will be told an identifier any more.
            Self::Register { reply, .. } if reply.is_unwanted() => {}
            Self::Register { newcomer, reply } => {
                let outcome = clients::register(insert, newcomer).map(|_one_row| ());
                let outcome = spare_the_others(change, outcome)?;
                let client = &newcomer.client;
                reply.outcome = Some(outcome.map_err(|error| clients::insert_error(client, error)));
            }
            Self::Other(work) => work.apply(change)?,
            Self::Probe { reply } => reply.outcome = Some(Ok(())),
            Self::Import { .. } | Self::Close { .. } => {}
        }
        Ok(())
    }
}

/// What the thread owns.
pub(super) struct Writer {
    pub(super) file: PathBuf,
    pub(super) settings: EmbeddedConfig,
    /// How long a transaction waits while another process writes.
    pub(super) patience: Duration,
    pub(super) queue: mpsc::Receiver<Change>,
    /// `None` after a failure that makes the connection doubtful.
    pub(super) connection: Option<Connection>,
    pub(super) checkpoints: Checkpoints,
    pub(super) reserve: Reserve,
    /// Keeps other servers out of the folder while the thread lives; a command has none.
    pub(super) lock: Option<File>,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut last = None;
        while batch::take(&mut self.queue, &mut batch) {
            if let Some(reply) = self.write(&mut batch) {
                self.queue.close();
                last = Some(reply);
            }
        }
        self.finish();
        if let Some(reply) = last {
            reply.send(None);
        }
    }

    /// Commits a batch and answers everyone in it; whoever asked to close is left to be answered.
    fn write(&mut self, batch: &mut Vec<Change>) -> Option<Reply<()>> {
        // Neighbours in the tree go to the same pages.
        batch.sort_unstable_by_key(|change| match change {
            Change::Register { newcomer, .. } => Some(newcomer.client.client_id),
            _ => None,
        });
        let failure =
            if self.reserve.is_held() { self.commit(batch).err() } else { Some(disk_is_full()) };
        if failure.as_ref().is_some_and(is_full_disk) {
            self.delete_on_full_disk(batch);
        }
        let failure = failure.map(Shared::new);
        let last = Self::answer(batch, failure.as_ref(), |clients| self.import(clients));
        if let Some(connection) = &mut self.connection {
            self.checkpoints.note_commit();
            self.checkpoints.shorten(connection, self.patience);
        }
        last
    }

    /// Commits and answers the deletions of a batch that found the disk full, and leaves the rest.
    fn delete_on_full_disk(&mut self, batch: &mut Vec<Change>) {
        let mut deletions: Vec<_> = batch.extract_if(.., |change| change.deletes()).collect();
        if deletions.is_empty() {
            return;
        }
        self.reserve.release();
        // The reserve is for what the log still has to move. The deletions themselves, however many, reuse the log.
        if let Some(connection) = &mut self.connection {
            self.checkpoints.restart(connection, self.patience);
        }
        let failure = self.commit(&mut deletions).err().map(Shared::new);
        let _none_closes = Self::answer(&mut deletions, failure.as_ref(), |_| Ok(Vec::new()));
    }

    /// Answers everyone in a batch; whoever asked to close is left to be answered.
    fn answer(
        batch: &mut Vec<Change>,
        failure: Option<&Shared>,
        mut import: impl FnMut(&[ClientRecord]) -> Result<Vec<Imported>, StoreError>,
    ) -> Option<Reply<()>> {
        let mut replies = Vec::with_capacity(batch.len());
        let (mut imports, mut others) = (Vec::new(), Vec::new());
        let mut last = None;
        for change in batch.drain(..) {
            match change {
                Change::Register { reply, .. } | Change::Probe { reply } => replies.push(reply),
                Change::Other(work) => others.push(work),
                Change::Import { clients, reply } => imports.push((clients, reply)),
                Change::Close { mut reply } => {
                    reply.outcome = Some(Ok(()));
                    last = Some(reply);
                }
            }
        }
        Reply::send_all(replies, failure);
        Works { done: others, failure: failure.cloned() }.tell();
        // A transaction of its own for each, after the others have been answered: imports are long.
        for (clients, mut reply) in imports {
            reply.outcome = Some(import(&clients));
            reply.send(None);
        }
        last
    }

    fn commit(&mut self, batch: &mut [Change]) -> rusqlite::Result<()> {
        self.transaction(|change| {
            let before = change.total_changes();
            let mut insert = change.prepare_cached(statements::clients::REGISTER.sqlite)?;
            for one in &mut *batch {
                one.apply(change, &mut insert)?;
            }
            clients::arrive(change, batch.iter().filter_map(Change::registered))?;
            let probed = batch.iter().any(|one| matches!(one, Change::Probe { .. }));
            if probed && change.total_changes() == before {
                clients::probe(change)?;
            }
            Ok(())
        })
    }

    fn import(&mut self, wanted: &[ClientRecord]) -> Result<Vec<Imported>, StoreError> {
        let outcome = self.transaction(|change| {
            wanted.iter().map(|client| clients::import(change, client)).collect()
        });
        outcome.map_err(store_error)
    }

    /// Makes one transaction, entirely or not at all. A failure ends the transaction, not the thread.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(reopen(&self.file, &self.settings, self.patience)?),
        };
        let outcome = transact(connection, work);
        if let Err(error) = &outcome
            && !is_still_good(connection, error)
        {
            self.connection = None;
        }
        outcome
    }

    fn finish(mut self) {
        self.checkpoints.stop();
        if let Some(mut connection) = self.connection.take() {
            // A command leaves the log to the server, or to SQLite, which empties it when nobody else
            // has the file open.
            if self.lock.is_some() {
                checkpoint::last(&mut connection);
            }
        }
        drop(self.lock);
    }
}

fn is_full_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// What SQLite would say, once the reserve is spent on deletions.
fn disk_is_full() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    rusqlite::Error::SqliteFailure(code, Some("the disk is full".to_owned()))
}

/// Opens the store again after a failure.
fn reopen(
    file: &Path,
    settings: &EmbeddedConfig,
    patience: Duration,
) -> rusqlite::Result<Connection> {
    let connection = connection::writer(file, settings, patience, Missing::Refuse)?;
    connection::make_durable(&connection)?;
    Ok(connection)
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Dropped before its commit, a transaction is rolled back.
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&change)?;
    change.commit()?;
    Ok(done)
}

/// Whether one change failed for a reason of its own, so that the others of its batch go on: the inner
/// result. Any other failure ends the transaction: the outer one.
fn spare_the_others<T>(
    change: &Transaction<'_>,
    outcome: rusqlite::Result<T>,
) -> rusqlite::Result<rusqlite::Result<T>> {
    match outcome {
        Err(error) if change.is_autocommit() => Err(error),
        Err(error) => match error.sqlite_error_code() {
            None | Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig) => Ok(Err(error)),
            Some(_) => Err(error),
        },
        Ok(done) => Ok(Ok(done)),
    }
}

/// Whether the connection can be used after this failure of a transaction. A full disk and an impatient
/// wait leave it as it was; of anything else it is safer to know nothing.
fn is_still_good(connection: &Connection, error: &rusqlite::Error) -> bool {
    let harmless = [ErrorCode::DiskFull, ErrorCode::DatabaseBusy];
    connection.is_autocommit()
        && error.sqlite_error_code().is_some_and(|code| harmless.contains(&code))
}
