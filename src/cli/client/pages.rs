//! All clients that pass a filter, one after the other, with a page of them in memory.

use std::vec;

use indicatif::ProgressBar;

use crate::{
    cli::{exit::Failure, output::Messages, progress, settings::OpenStore},
    client::ClientId,
    store::{ClientFilter, ClientRecord},
};

/// How far a command is that goes through all clients behind `filter`. Their number is asked for when it is
/// known without going through them, and when somebody sees it.
pub(super) fn progress(
    store: &OpenStore,
    filter: &ClientFilter,
    messages: Messages,
) -> Result<ProgressBar, Failure> {
    let is_everything = *filter == ClientFilter::default();
    let total = if is_everything && progress::is_seen(messages) {
        Some(store.wait(store.handle.count_clients())?)
    } else {
        None
    };
    Ok(progress::of_clients(total, messages))
}

/// How many clients are asked for at once, unless fewer are wanted.
const PAGE_CLIENTS_MAX: usize = 500;

/// In the order of registration. Ends after the first failure.
pub(super) struct Pages<'store> {
    store: &'store OpenStore,
    filter: ClientFilter,
    after: Option<ClientId>,
    page: vec::IntoIter<ClientRecord>,
    page_clients_max: usize,
    is_at_end: bool,
}

impl<'store> Pages<'store> {
    /// The clients behind `after`; `expected` is how many will be taken, when that is known.
    pub(super) fn new(
        store: &'store OpenStore,
        filter: ClientFilter,
        after: Option<ClientId>,
        expected: Option<usize>,
    ) -> Self {
        let page_clients_max = expected.unwrap_or(PAGE_CLIENTS_MAX).clamp(1, PAGE_CLIENTS_MAX);
        let page = Vec::new().into_iter();
        Self { store, filter, after, page, page_clients_max, is_at_end: false }
    }

    fn turn(&mut self) -> Result<(), Failure> {
        let question = self.store.handle.clients(&self.filter, self.after, self.page_clients_max);
        let page = self.store.wait(question)?;
        self.is_at_end = page.is_empty();
        self.after = page.last().map_or(self.after, |client| Some(client.client_id));
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<ClientRecord, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(client) = self.page.next() {
                return Some(Ok(client));
            }
            if self.is_at_end {
                return None;
            }
            if let Err(failure) = self.turn() {
                self.is_at_end = true;
                return Some(Err(failure));
            }
        }
    }
}
