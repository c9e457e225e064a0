//! The documents that are remembered, in two pools: those of clients with a grant, and all others. Each pool holds a
//! bounded number, and its least recently used entry makes room. Strangers fill only the second pool, so they cannot
//! evict a client that somebody uses.
//!
//! Only an admitted document gets in. A URL without one has an entry only if its client has a grant.
//!
//! No cache crate fits: freshness follows the clock of the process, a stale document stays for the sake of tokens, and
//! an entry changes pools when its client gets a grant. `moka` would take the order of use off our hands, for five
//! crates and twice the time of a hit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    client::{ClientMetadata, DocumentUrl, GrantTypes},
    clock::Timestamp,
};

/// How long a document must be gone until its client ends, in seconds.
pub(super) const GONE_SECONDS: u64 = 3_600;

/// How soon a document is fetched again in the background after a fetch that failed, in seconds.
const RETRY_SECONDS: u64 = 60;

const EPOCH: Timestamp = Timestamp::from_millis(0);

/// All documents.
#[derive(Debug)]
pub(super) struct Memory {
    granted: Pool,
    others: Pool,
}

/// What is known of a client, as far as its tokens depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its document has not been seen here.
    Unknown,
    /// What its document allowed when it was last seen.
    Known(GrantTypes),
    /// Its document is gone.
    Ended,
}

/// What is remembered of one URL.
#[derive(Debug)]
struct Entry {
    /// What the document said when it was last admitted.
    metadata: Option<Arc<ClientMetadata>>,
    fresh_until: Timestamp,
    /// When the document is fetched again in the background, if the client is in use then.
    due_at: Timestamp,
    /// When the server first said that the document is gone, if it has not come back since.
    gone_since: Option<Timestamp>,
    has_ended: bool,
    used: u64,
}

impl Default for Entry {
    /// Of a document that has not been seen: not fresh, and due.
    fn default() -> Self {
        Self {
            metadata: None,
            fresh_until: EPOCH,
            due_at: EPOCH,
            gone_since: None,
            has_ended: false,
            used: 0,
        }
    }
}

impl Memory {
    pub(super) fn new(documents_max: usize) -> Self {
        Self { granted: Pool::new(documents_max), others: Pool::new(documents_max) }
    }

    /// The document at `url` while it is fresh.
    pub(super) fn fresh(
        &mut self,
        url: &DocumentUrl,
        now: Timestamp,
    ) -> Option<Arc<ClientMetadata>> {
        let entry = self.entry(url)?;
        if now < entry.fresh_until { entry.metadata.clone() } else { None }
    }

    pub(super) fn standing(&mut self, url: &DocumentUrl) -> Standing {
        match self.entry(url) {
            Some(entry) if entry.has_ended => Standing::Ended,
            Some(Entry { metadata: Some(metadata), .. }) => {
                Standing::Known(metadata.grant_types.clone())
            }
            _ => Standing::Unknown,
        }
    }

    pub(super) fn has_grant(&self, url: &DocumentUrl) -> bool {
        self.granted.entries.contains_key(url)
    }

    /// Moves a client that has a grant out of the reach of strangers.
    pub(super) fn note_grant(&mut self, url: &DocumentUrl) {
        if !self.has_grant(url) {
            let entry = self.others.remove(url).unwrap_or_default();
            self.granted.put(url, entry);
        }
    }

    /// Whether a client with a grant is due for a fetch in the background. Says so once, until the fetch is overdue.
    pub(super) fn take_due(&mut self, url: &DocumentUrl, now: Timestamp) -> bool {
        let Some(entry) = self.granted.get(url).filter(|entry| entry.due_at <= now) else {
            return false;
        };
        entry.due_at = now.after_seconds(RETRY_SECONDS);
        true
    }

    /// A document that was admitted replaces everything known before.
    pub(super) fn arrived(
        &mut self,
        url: &DocumentUrl,
        metadata: Arc<ClientMetadata>,
        fresh_until: Timestamp,
    ) {
        let metadata = Some(metadata);
        let entry = Entry { metadata, fresh_until, due_at: fresh_until, ..Entry::default() };
        let pool = if self.has_grant(url) { &mut self.granted } else { &mut self.others };
        pool.put(url, entry);
    }

    /// The server says that the document is gone. Its client ends once the server has said so for long enough.
    pub(super) fn gone(&mut self, url: &DocumentUrl, now: Timestamp) {
        self.others.remove(url);
        let Some(entry) = self.granted.get(url) else { return };
        let since = *entry.gone_since.get_or_insert(now);
        let ends_at = since.after_seconds(GONE_SECONDS);
        entry.fresh_until = EPOCH;
        entry.has_ended = ends_at <= now;
        entry.due_at = if entry.has_ended { now.after_seconds(GONE_SECONDS) } else { ends_at };
    }

    /// A fetch failed in a way that ends nothing.
    pub(super) fn failed(&mut self, url: &DocumentUrl, now: Timestamp) {
        if let Some(entry) = self.granted.get(url) {
            entry.due_at = now.after_seconds(RETRY_SECONDS);
        }
    }

    fn entry(&mut self, url: &DocumentUrl) -> Option<&mut Entry> {
        if self.has_grant(url) { self.granted.get(url) } else { self.others.get(url) }
    }
}

/// A bounded number of entries, in the order of their last use.
#[derive(Debug)]
struct Pool {
    entries_max: usize,
    entries: HashMap<DocumentUrl, Entry>,
    by_use: BTreeMap<u64, DocumentUrl>,
    /// How many uses there were of any entry.
    uses: u64,
}

impl Pool {
    fn new(entries_max: usize) -> Self {
        Self { entries_max, entries: HashMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// Counts as a use.
    fn get(&mut self, url: &DocumentUrl) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(url)?;
        self.uses += 1;
        let place = self.by_use.remove(&entry.used).unwrap_or_else(|| url.clone());
        entry.used = self.uses;
        self.by_use.insert(self.uses, place);
        Some(entry)
    }

    /// Replaces an entry, or makes room for a new one.
    fn put(&mut self, url: &DocumentUrl, entry: Entry) {
        self.remove(url);
        if self.entries.len() >= self.entries_max
            && let Some((_, least)) = self.by_use.pop_first()
        {
            self.entries.remove(&least);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, url.clone());
        self.entries.insert(url.clone(), Entry { used: self.uses, ..entry });
    }

    fn remove(&mut self, url: &DocumentUrl) -> Option<Entry> {
        let entry = self.entries.remove(url)?;
        self.by_use.remove(&entry.used);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Timestamp = Timestamp::from_millis(1_000);

    fn url(number: usize) -> DocumentUrl {
        format!("https://a.example/{number}").parse().unwrap()
    }

    fn keep(memory: &mut Memory, number: usize) {
        memory.arrived(&url(number), Arc::default(), THEN);
    }

    #[test]
    fn a_document_is_fresh_until_its_time_has_passed() {
        let mut memory = Memory::new(2);
        keep(&mut memory, 1);
        assert!(memory.fresh(&url(1), Timestamp::from_millis(999)).is_some());
        assert!(memory.fresh(&url(1), THEN).is_none());
        memory.arrived(&url(1), Arc::default(), Timestamp::from_millis(1_001));
        assert!(memory.fresh(&url(1), THEN).is_some());
        memory.gone(&url(1), THEN);
        assert!(memory.fresh(&url(1), Timestamp::from_millis(0)).is_none());
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let now = Timestamp::from_millis(0);
        let mut memory = Memory::new(3);
        for number in 1..=3 {
            keep(&mut memory, number);
        }
        assert!(memory.fresh(&url(1), now).is_some());
        keep(&mut memory, 3);
        keep(&mut memory, 4);
        let known: Vec<usize> =
            (1..=4).filter(|&number| memory.fresh(&url(number), now).is_some()).collect();
        assert_eq!(known, [1, 3, 4]);
        for number in 5..100 {
            keep(&mut memory, number);
        }
        assert_eq!((memory.others.entries.len(), memory.others.by_use.len()), (3, 3));
    }

    #[test]
    fn strangers_do_not_evict_a_client_with_a_grant() {
        let now = Timestamp::from_millis(0);
        let mut memory = Memory::new(3);
        keep(&mut memory, 1);
        memory.note_grant(&url(1));
        memory.note_grant(&url(2));
        keep(&mut memory, 2);
        for number in 3..100 {
            keep(&mut memory, number);
        }
        assert!(memory.fresh(&url(1), now).is_some() && memory.fresh(&url(2), now).is_some());
        assert_eq!((memory.granted.entries.len(), memory.others.entries.len()), (2, 3));
    }

    #[test]
    fn clients_with_a_grant_are_bounded_as_well() {
        let mut memory = Memory::new(3);
        for number in 0..100 {
            memory.note_grant(&url(number));
        }
        assert_eq!((memory.granted.entries.len(), memory.granted.by_use.len()), (3, 3));
    }

    #[test]
    fn a_client_ends_when_its_document_is_still_gone_an_hour_later() {
        let at = |seconds| Timestamp::from_millis(0).after_seconds(seconds);
        let mut memory = Memory::new(3);
        let known = Standing::Known(GrantTypes::default());
        keep(&mut memory, 1);
        memory.note_grant(&url(1));
        memory.gone(&url(1), at(10));
        memory.gone(&url(1), at(10 + GONE_SECONDS - 1));
        assert_eq!(memory.standing(&url(1)), known, "it may be a mistake");
        memory.failed(&url(1), at(20 + GONE_SECONDS));
        assert_eq!(memory.standing(&url(1)), known, "nothing says that it is still gone");
        memory.gone(&url(1), at(10 + GONE_SECONDS));
        assert_eq!(memory.standing(&url(1)), Standing::Ended);
        keep(&mut memory, 1);
        assert_eq!(memory.standing(&url(1)), known, "it has come back");
        memory.gone(&url(1), at(10_000));
        assert_eq!(memory.standing(&url(1)), known, "the hour starts over");
    }

    #[test]
    fn a_client_with_a_grant_is_due_when_its_document_is_stale_and_a_minute_after_a_failure() {
        let at = |seconds| THEN.after_seconds(seconds);
        let mut memory = Memory::new(3);
        keep(&mut memory, 1);
        assert!(!memory.take_due(&url(1), at(1)), "a stranger is never due");
        memory.note_grant(&url(1));
        assert!(!memory.take_due(&url(1), Timestamp::from_millis(999)));
        assert!(memory.take_due(&url(1), at(0)));
        assert!(!memory.take_due(&url(1), at(59)), "a fetch is on its way");
        assert!(memory.take_due(&url(1), at(60)), "no fetch came back");
        memory.failed(&url(1), at(100));
        assert!(!memory.take_due(&url(1), at(159)) && memory.take_due(&url(1), at(160)));
    }
}
