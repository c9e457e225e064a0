//! The requests and streams that are open to one upstream: how many there may be, and when those of a grant end.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::{
    clock::Timestamp, grant::GrantId, guard::Authorized, http::client_address::Source,
    metrics::GuardMetrics,
};

/// The part of all streams that one source may open, and one person by all their grants.
const SHARE: usize = 4;

/// How many streams there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) in_all: usize,
    pub(crate) per_grant: usize,
}

/// The open streams.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: Limits,
    metrics: Arc<GuardMetrics>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    in_all: usize,
    by_source: HashMap<Source, usize>,
    by_person: HashMap<Arc<str>, usize>,
    by_grant: HashMap<GrantId, OfGrant>,
}

/// Who opens a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opener<'a> {
    pub(crate) subject: &'a str,
    pub(crate) grant: GrantId,
    /// When the access token expires.
    pub(crate) expires_at: Timestamp,
}

impl<'a> Opener<'a> {
    pub(crate) fn of(authorized: &'a Authorized) -> Self {
        let Authorized { subject, grant, expires_at, .. } = authorized;
        Self { subject, grant: *grant, expires_at: *expires_at }
    }
}

#[derive(Debug)]
struct OfGrant {
    open: usize,
    end: CancellationToken,
    /// When the latest of the access tokens expires that the grant has used here.
    expires_at: Timestamp,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    InAll,
    OfSource,
    OfPerson,
    OfGrant,
}

/// A grant that has streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) grant: GrantId,
    pub(crate) expires_at: Timestamp,
}

impl Streams {
    pub(crate) fn new(limits: Limits, metrics: Arc<GuardMetrics>) -> Arc<Self> {
        Arc::new(Self { limits, metrics, table: Mutex::default() })
    }

    /// A place for a request, until it is dropped. Another request of the grant with a later token lets all its streams
    /// go on.
    pub(crate) fn open(
        self: &Arc<Self>,
        source: Source,
        opener: Option<Opener<'_>>,
    ) -> Result<Stream, Full> {
        let mut table = self.table();
        if let Some(full) = table.full(self.limits, source, opener) {
            return Err(full);
        }
        let Table { in_all, by_source, by_person, by_grant } = &mut *table;
        *in_all += 1;
        self.metrics.streams.add(1);
        *by_source.entry(source).or_default() += 1;
        let of = opener.map(|Opener { subject, grant, expires_at }| {
            let subject: Arc<str> = match by_person.get_key_value(subject) {
                Some((known, _)) => Arc::clone(known),
                None => subject.into(),
            };
            *by_person.entry(Arc::clone(&subject)).or_default() += 1;
            let of = by_grant.entry(grant).or_insert_with(|| OfGrant {
                open: 0,
                end: CancellationToken::new(),
                expires_at,
            });
            of.open += 1;
            of.expires_at = of.expires_at.max(expires_at);
            Of { subject, grant, end: of.end.clone() }
        });
        Ok(Stream { streams: Arc::clone(self), source, of })
    }

    /// The grants that have streams.
    pub(crate) fn grants(&self) -> Vec<Open> {
        let table = self.table();
        let open = table.by_grant.iter();
        open.map(|(grant, of)| Open { grant: *grant, expires_at: of.expires_at }).collect()
    }

    /// Ends all streams of a grant.
    pub(crate) fn end(&self, grant: GrantId) {
        if let Some(of) = self.table().by_grant.remove(&grant) {
            of.end.cancel();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The limit that another stream would exceed.
    fn full(&self, limits: Limits, source: Source, opener: Option<Opener<'_>>) -> Option<Full> {
        let share = (limits.in_all / SHARE).max(1);
        let of_source = self.by_source.get(&source).copied().unwrap_or(0);
        if self.in_all >= limits.in_all {
            return Some(Full::InAll);
        }
        if of_source >= share {
            return Some(Full::OfSource);
        }
        let Opener { subject, grant, .. } = opener?;
        if self.by_grant.get(&grant).is_some_and(|of| of.open >= limits.per_grant) {
            return Some(Full::OfGrant);
        }
        let of_person = self.by_person.get(subject).copied().unwrap_or(0);
        (of_person >= share).then_some(Full::OfPerson)
    }
}

/// A place that a request takes.
#[derive(Debug)]
pub(crate) struct Stream {
    streams: Arc<Streams>,
    source: Source,
    /// `None` where the path is public.
    of: Option<Of>,
}

/// Whose stream it is.
#[derive(Debug)]
struct Of {
    subject: Arc<str>,
    grant: GrantId,
    /// Cancelled when the grant ends.
    end: CancellationToken,
}

impl Stream {
    pub(crate) fn end(&self) -> Option<&CancellationToken> {
        self.of.as_ref().map(|of| &of.end)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut table = self.streams.table();
        table.in_all -= 1;
        self.streams.metrics.streams.sub(1);
        take_one(&mut table.by_source, &self.source);
        let Some(Of { subject, grant, end }) = &self.of else { return };
        take_one(&mut table.by_person, subject);
        // Those that were told to end are counted no longer: the entry may be one of a later stream.
        if !end.is_cancelled()
            && let Some(of) = table.by_grant.get_mut(grant)
        {
            of.open -= 1;
            if of.open == 0 {
                table.by_grant.remove(grant);
            }
        }
    }
}

fn take_one<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    /// A person with one grant.
    fn grant(last: u8) -> Opener<'static> {
        const SUBJECTS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        of_person(SUBJECTS[usize::from(last)], last)
    }

    fn of_person(subject: &str, grant: u8) -> Opener<'_> {
        Opener { subject, grant: GrantId::from_bytes([grant; 16]), expires_at: NOW }
    }

    #[test]
    fn streams_are_bounded_by_grant_by_source_and_in_all() {
        let streams = Streams::new(Limits { in_all: 8, per_grant: 2 }, Arc::default());
        let mut held = Vec::new();
        let mut open = |from: u8, of| {
            let opened = streams.open(source(from), of);
            opened.map(|stream| held.push(stream)).err()
        };
        assert_eq!(open(1, Some(grant(1))), None);
        assert_eq!(open(2, Some(grant(1))), None);
        assert_eq!(open(3, Some(grant(1))), Some(Full::OfGrant));
        assert_eq!(open(1, None), None);
        assert_eq!(open(1, None), Some(Full::OfSource));
        for from in 4..9 {
            assert_eq!(open(from, Some(grant(from))), None);
        }
        assert_eq!(open(9, Some(grant(9))), Some(Full::InAll));
        held.clear();
        let table = streams.table();
        assert!(table.in_all == 0 && table.by_source.is_empty());
        assert!(table.by_person.is_empty() && table.by_grant.is_empty());
    }

    #[test]
    fn a_person_with_many_grants_and_addresses_opens_a_quarter_of_all_streams() {
        let streams = Streams::new(Limits { in_all: 8, per_grant: 2 }, Arc::default());
        let mut open = (1..9).map(|nth| streams.open(source(nth), Some(of_person("eve", nth))));
        let first = [open.next().unwrap().unwrap(), open.next().unwrap().unwrap()];
        assert!(open.all(|opened| opened.is_err_and(|full| full == Full::OfPerson)));
        assert!(streams.open(source(9), Some(of_person("alice", 9))).is_ok());
        drop(first);
        assert!(
            streams.open(source(1), Some(of_person("eve", 1))).is_ok(),
            "what ended counts no more"
        );
    }

    #[test]
    fn a_grant_that_ends_ends_all_its_streams_and_no_other() {
        let streams = Streams::new(Limits { in_all: 100, per_grant: 10 }, Arc::default());
        let ended = streams.open(source(1), Some(grant(1))).unwrap();
        let other = streams.open(source(1), Some(grant(2))).unwrap();
        streams.end(GrantId::from_bytes([1; 16]));
        assert!(ended.end().unwrap().is_cancelled());
        assert!(!other.end().unwrap().is_cancelled());
        let later = streams.open(source(1), Some(grant(1))).unwrap();
        assert!(!later.end().unwrap().is_cancelled());
        drop(ended);
        assert_eq!(streams.grants().len(), 2, "the later stream is still there");
        drop((later, other));
        assert!(streams.grants().is_empty());
    }

    #[test]
    fn a_later_token_lets_the_streams_of_its_grant_go_on() {
        let streams = Streams::new(Limits { in_all: 100, per_grant: 10 }, Arc::default());
        let id = GrantId::from_bytes([1; 16]);
        let until = |expires_at| Some(Opener { subject: "alice", grant: id, expires_at });
        let _first = streams.open(source(1), until(NOW)).unwrap();
        let later = NOW.after_seconds(900);
        drop(streams.open(source(1), until(later)).unwrap());
        assert_eq!(streams.grants(), [Open { grant: id, expires_at: later }]);
        drop(streams.open(source(1), until(NOW)).unwrap());
        assert_eq!(streams.grants(), [Open { grant: id, expires_at: later }]);
    }
}
