//! Lookups of one client or one grant, which every authorization and every token makes: one thread answers
//! all that wait from one snapshot, and wakes one caller a batch, so that no thread has to be woken for each
//! of them.

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
    grants,
    reply::Reply,
};
use crate::{
    client::ClientId,
    grant::GrantId,
    store::{ClientRecord, GrantOfClient, GrantRecord, QueueFigures, StoreError},
};

/// How many may wait for the thread; more wait for a place.
const WAITING_MAX: usize = 2 * BATCH_MAX;

/// The way to the thread.
pub(super) struct Lookups(mpsc::Sender<Asked>);

/// What is looked up, and for whom. What is found is in a box: it changes hands a dozen times.
struct Lookup<I, R> {
    id: I,
    reply: Reply<Option<Box<R>>>,
}

enum Asked {
    Client(Lookup<ClientId, ClientRecord>),
    Grant(Lookup<GrantId, GrantRecord>),
    GrantOfClient(Lookup<GrantId, GrantOfClient>),
    Close { reply: Reply<()> },
}

impl Lookups {
    pub(super) fn queue(&self) -> QueueFigures {
        QueueFigures::of("lookups", &self.0)
    }

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
        self.0.send(Asked::Client(Lookup { id, reply })).await.map_err(|_closed| closed())?;
        Ok(answer.outcome().await?.map(|client| *client))
    }

    /// The grant of this identifier, if there is one.
    pub(super) async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let (reply, answer) = Reply::new();
        self.0.send(Asked::Grant(Lookup { id, reply })).await.map_err(|_closed| closed())?;
        Ok(answer.outcome().await?.map(|grant| *grant))
    }

    /// The grant of this identifier and its client, if there is such a grant.
    pub(super) async fn grant_of_client(
        &self,
        id: GrantId,
    ) -> Result<Option<GrantOfClient>, StoreError> {
        let (reply, answer) = Reply::new();
        let asked = Asked::GrantOfClient(Lookup { id, reply });
        self.0.send(asked).await.map_err(|_closed| closed())?;
        Ok(answer.outcome().await?.map(|found| *found))
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

/// What is looked up in one snapshot.
#[derive(Default)]
struct Batch {
    clients: Vec<Lookup<ClientId, ClientRecord>>,
    grants: Vec<Lookup<GrantId, GrantRecord>>,
    grants_of_clients: Vec<Lookup<GrantId, GrantOfClient>>,
}

fn run(file: &Path, mut queue: mpsc::Receiver<Asked>) {
    let mut connection = None;
    let mut waiting = Vec::new();
    let mut last = None;
    while batch::take(&mut queue, &mut waiting) {
        let mut batch = Batch::default();
        for asked in waiting.drain(..) {
            match asked {
                Asked::Client(lookup) => batch.clients.push(lookup),
                Asked::Grant(lookup) => batch.grants.push(lookup),
                Asked::GrantOfClient(lookup) => batch.grants_of_clients.push(lookup),
                Asked::Close { mut reply } => {
                    queue.close();
                    reply.outcome = Some(Ok(()));
                    last = Some(reply);
                }
            }
        }
        let failure = batch.answer(&mut connection, file).err().map(Shared::new);
        // Only a connection that answered well is used again: it may remember pages that were damaged.
        if failure.is_some() || batch.any_went_wrong() {
            connection = None;
        }
        batch.reply(failure.as_ref());
    }
    drop(connection);
    if let Some(reply) = last {
        reply.send(None);
    }
}

impl Batch {
    /// Finds out what to reply; an error is everybody's.
    fn answer(&mut self, connection: &mut Option<Connection>, file: &Path) -> rusqlite::Result<()> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(connection::reader(file)?),
        };
        // Dropped, it ends: there is nothing to commit.
        let snapshot = connection.unchecked_transaction()?;
        find(&mut self.clients, |id| clients::client(&snapshot, id));
        find(&mut self.grants, |id| grants::grant(&snapshot, id));
        find(&mut self.grants_of_clients, |id| grants::grant_of_client(&snapshot, id));
        Ok(())
    }

    fn any_went_wrong(&self) -> bool {
        any_went_wrong(&self.clients)
            || any_went_wrong(&self.grants)
            || any_went_wrong(&self.grants_of_clients)
    }

    fn reply(self, failure: Option<&Shared>) {
        reply(self.clients, failure);
        reply(self.grants, failure);
        reply(self.grants_of_clients, failure);
    }
}

/// Looks up the records whose callers still wait.
fn find<I: Copy, R>(
    lookups: &mut [Lookup<I, R>],
    mut look_up: impl FnMut(I) -> Result<Option<R>, StoreError>,
) {
    for lookup in lookups.iter_mut().filter(|lookup| !lookup.reply.is_unwanted()) {
        lookup.reply.outcome = Some(look_up(lookup.id).map(|found| found.map(Box::new)));
    }
}

fn any_went_wrong<I, R>(lookups: &[Lookup<I, R>]) -> bool {
    lookups.iter().any(|lookup| matches!(lookup.reply.outcome, Some(Err(_))))
}

fn reply<I, R>(lookups: Vec<Lookup<I, R>>, failure: Option<&Shared>) {
    Reply::send_all(lookups.into_iter().map(|lookup| lookup.reply).collect(), failure);
}
