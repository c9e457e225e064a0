//! Where `audit follow` reads: the store, or the audit events of a server, in the order in which they were stored.

use super::{query_sorted, read};
use crate::{
    audit::Action,
    cli::{
        backend::{Backend, BackendRef},
        exit::Failure,
        records::Pages,
        remote::{CallError, Server},
        settings::OpenStore,
    },
    paths,
    store::{EventFilter, EventRecord, StoreError, TAKEN_BACK, TrailPosition},
};

/// How many events are read at once.
const PAGE: usize = 500;

/// As many as come a second time when the last client was removed.
const LAST_MAX: usize = TAKEN_BACK;

/// A place in a trail, behind all that was read.
pub(super) struct Trail {
    filter: EventFilter,
    place: Place,
}

enum Place {
    Store(TrailPosition),
    /// As the server names it.
    Server(String),
}

/// Events that were read at once.
pub(super) struct Batch {
    pub(super) events: Vec<EventRecord>,
    /// Whether there may be more already.
    pub(super) has_more: bool,
}

impl Trail {
    /// Begins behind all that is stored now. Also returns the registrations that may come a second time.
    pub(super) fn begin(
        backend: &Backend,
        filter: EventFilter,
    ) -> Result<(Self, Vec<EventRecord>), Failure> {
        let stored = last_registrations(backend, &filter)?;
        let place = match backend.into() {
            BackendRef::Store(store) => Place::Store(store.wait(store.handle.trail_end())?),
            BackendRef::Server(server) => {
                let asked = server.wait_for(ask(server, &filter, None));
                Place::Server(asked.map_err(CallError::into_failure)?.1)
            }
        };
        Ok((Self { filter, place }, stored))
    }

    /// Reads what was stored since.
    pub(super) async fn next(&mut self, backend: &Backend) -> Result<Batch, CallError> {
        match (BackendRef::from(backend), &mut self.place) {
            (BackendRef::Store(store), Place::Store(place)) => {
                next_of_store(store, &self.filter, place).await
            }
            (BackendRef::Server(server), Place::Server(place)) => {
                let (batch, after) = ask(server, &self.filter, Some(place)).await?;
                *place = after;
                Ok(batch)
            }
            _ => Ok(Batch { events: Vec::new(), has_more: false }),
        }
    }
}

/// The last registrations that pass the filter. Only rows of clients are deleted at the end of their table.
fn last_registrations(
    backend: &Backend,
    filter: &EventFilter,
) -> Result<Vec<EventRecord>, Failure> {
    let EventFilter { action, subject, grant, family, .. } = filter;
    let is_of_people = subject.is_some() || grant.is_some() || family.is_some();
    if is_of_people || action.is_some_and(|action| action != Action::ClientRegistered) {
        return Ok(Vec::new());
    }
    let filter = EventFilter { action: Some(Action::ClientRegistered), ..filter.clone() };
    Pages::new(backend, filter, None, Some(LAST_MAX)).take(LAST_MAX).collect()
}

async fn next_of_store(
    store: &OpenStore,
    filter: &EventFilter,
    place: &mut TrailPosition,
) -> Result<Batch, CallError> {
    let failed = |error| {
        let lasts = matches!(error, StoreError::Corrupt { .. });
        let failure = Failure::of(store.name())(error);
        if lasts { CallError::Lasts(failure) } else { CallError::MayPass(failure) }
    };
    let page = store.handle.follow_trail(*place, PAGE).await.map_err(failed)?;
    let page = page.ok_or_else(|| {
        let why = "was replaced by another: start the command again";
        CallError::Lasts(Failure::because(format!("{} {why}", store.name())))
    })?;
    *place = page.place;
    let has_more = !page.entries.is_empty();
    let events = page.entries.into_iter().map(|entry| entry.event);
    Ok(Batch { events: events.filter(|event| filter.admits(event)).collect(), has_more })
}

/// Asks a server for events behind a place; the place behind them.
async fn ask(
    server: &Server,
    filter: &EventFilter,
    place: Option<&str>,
) -> Result<(Batch, String), CallError> {
    let mut query = query_sorted(filter, "stored");
    query.push(("page[limit]", PAGE.to_string()));
    query.extend(place.map(|place| ("page[cursor]", place.to_owned())));
    let reply = server.ask(paths::AUDIT_EVENTS, &query).await?;
    let document = reply.done().map_err(CallError::Lasts)?;
    let unreadable = |reason: String| CallError::Lasts(server.unreadable(&reason));
    let resources = document["data"].as_array().into_iter().flatten();
    let events = resources.map(|resource| read(&resource["attributes"]["attributes"]));
    let events = events.collect::<Result<_, _>>().map_err(unreadable)?;
    let after = document["meta"]["page"]["after"].as_str();
    let after = after.ok_or_else(|| unreadable("meta.page.after is missing".to_owned()))?;
    let has_more = document["links"]["next"].is_string();
    Ok((Batch { events, has_more }, after.to_owned()))
}
