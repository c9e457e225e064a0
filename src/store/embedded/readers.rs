//! The connections that answer long questions. They see a snapshot each and never wait for the writer.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, task};

use super::{
    connection,
    fault::{closed, store_error, unavailable},
};
use crate::store::StoreError;

/// A bounded number of connections, opened when first needed.
pub(super) struct Readers {
    file: PathBuf,
    permits: Arc<Semaphore>,
    connections_max: u32,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// At most `connections_max` connections to `file`, and at least one.
    pub(super) fn new(file: PathBuf, connections_max: usize) -> Arc<Self> {
        let connections_max = u32::try_from(connections_max.max(1)).unwrap_or(u32::MAX);
        Arc::new(Self {
            file,
            permits: Arc::new(Semaphore::new(connections_max as usize)),
            connections_max,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Asks `question` on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(|_closed| closed())?;
        let readers = Arc::clone(self);
        let answer = task::spawn_blocking(move || {
            let answer = readers.answer(question);
            drop(permit);
            answer
        });
        answer.await.map_err(unavailable)?
    }

    fn answer<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::reader(&self.file).map_err(store_error)?,
        };
        let answer = question(&connection)?;
        // Only a connection that answered well is used again.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }

    /// Waits for the questions that are being answered, and refuses later ones.
    pub(super) async fn close(&self) {
        let all = self.permits.acquire_many(self.connections_max).await;
        self.permits.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
