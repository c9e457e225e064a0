//! Lookups of one client, which every authorization makes: one thread answers all that wait from one
//! snapshot, and wakes one caller a batch, so that no thread has to be woken for each of them.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{
    batch::{self, BATCH_MAX},
    clients, connection,
    fault::{Shared, closed},
    reply::Reply,
};
use crate::{
    client::ClientId,
    store::{ClientRecord, StoreError},
};

/// How many may wait for the thread; more wait for a place.
const WAITING_MAX: usize = 2 * BATCH_MAX;

/// The way to the thread.
pub(super) struct Lookups(mpsc::Sender<Asked>);

enum Asked {
    Client { id: ClientId, reply: Reply<Option<ClientRecord>> },
    Close { reply: Reply<()> },
}

impl Lookups {
    /// Starts the thread, which opens `file` when it is first asked.
    pub(super) fn start(file: PathBuf) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let thread = thread::Builder::new().name("store-lookup".to_owned());
        // Not joined: it ends with its queue, or answers `close` as its last act.
        let _detached = thread.spawn(move || run(&file, waiting))?;
        Ok(Self(queue))
    }

    /// The client of this identifier, if there is one.
    pub(super) async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        let (reply, answer) = Reply::new();
        self.0.send(Asked::Client { id, reply }).await.map_err(|_closed| closed())?;
        answer.outcome().await
    }

    /// Waits for the lookups that are being made, and refuses later ones.
    pub(super) async fn close(&self) {
        let (reply, answer) = Reply::new();
        if self.0.send(Asked::Close { reply }).await.is_ok() {
            // A thread that is gone has closed as well.
            drop(answer.outcome().await);
        }
    }
}

fn run(file: &Path, mut queue: mpsc::Receiver<Asked>) {
    let mut connection = None;
    let mut batch = Vec::new();
    let mut last = None;
    while batch::take(&mut queue, &mut batch) {
        let mut lookups = Vec::with_capacity(batch.len());
        for asked in batch.drain(..) {
            match asked {
                Asked::Client { id, reply } => lookups.push((id, reply)),
                Asked::Close { mut reply } => {
                    queue.close();
                    reply.outcome = Some(Ok(()));
                    last = Some(reply);
                }
            }
        }
        let failure = answer(&mut connection, file, &mut lookups).err().map(Shared::new);
        // Only a connection that answered well is used again: it may remember pages that were damaged.
        let went_wrong = |(_, reply): &(_, Reply<_>)| matches!(reply.outcome, Some(Err(_)));
        if failure.is_some() || lookups.iter().any(went_wrong) {
            connection = None;
        }
        Reply::send_all(lookups.into_iter().map(|(_, reply)| reply).collect(), failure.as_ref());
    }
    drop(connection);
    if let Some(reply) = last {
        reply.send(None);
    }
}

/// Finds out what to reply; an error is everybody's.
fn answer(
    connection: &mut Option<Connection>,
    file: &Path,
    lookups: &mut [(ClientId, Reply<Option<ClientRecord>>)],
) -> rusqlite::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connection::reader(file)?),
    };
    // Dropped, it ends: there is nothing to commit.
    let snapshot = connection.unchecked_transaction()?;
    for (id, reply) in lookups {
        if !reply.is_unwanted() {
            reply.outcome = Some(clients::client(&snapshot, *id));
        }
    }
    Ok(())
}
