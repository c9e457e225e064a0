//! The documents that are remembered: as many as there may be, the least recently used of them given up for
//! a new one. Only a document that was admitted comes in, so that a stranger who names URLs at random, or
//! lets them fail, drives nothing out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    client::{ClientMetadata, DocumentUrl},
    clock::Timestamp,
};

/// Documents, and when each was used last.
#[derive(Debug)]
pub(super) struct Memory {
    documents_max: usize,
    documents: HashMap<DocumentUrl, Remembered>,
    /// The URLs in the order of their last use.
    by_use: BTreeMap<u64, DocumentUrl>,
    /// How often any was used.
    uses: u64,
}

#[derive(Debug)]
struct Remembered {
    metadata: Arc<ClientMetadata>,
    fresh_until: Timestamp,
    used: u64,
}

impl Memory {
    pub(super) fn new(documents_max: usize) -> Self {
        Self { documents_max, documents: HashMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// What the document at `url` said, while that may be used without asking again.
    pub(super) fn fresh(
        &mut self,
        url: &DocumentUrl,
        now: Timestamp,
    ) -> Option<Arc<ClientMetadata>> {
        let remembered = self.documents.get_mut(url).filter(|it| now < it.fresh_until)?;
        self.uses += 1;
        let place = self.by_use.remove(&remembered.used).unwrap_or_else(|| url.clone());
        remembered.used = self.uses;
        self.by_use.insert(self.uses, place);
        Some(Arc::clone(&remembered.metadata))
    }

    /// Takes what the document says now in place of what it said before.
    pub(super) fn keep(
        &mut self,
        url: &DocumentUrl,
        metadata: Arc<ClientMetadata>,
        fresh_until: Timestamp,
    ) {
        self.forget(url);
        if self.documents.len() >= self.documents_max
            && let Some((_, least)) = self.by_use.pop_first()
        {
            self.documents.remove(&least);
        }
        self.uses += 1;
        let used = self.uses;
        self.by_use.insert(used, url.clone());
        self.documents.insert(url.clone(), Remembered { metadata, fresh_until, used });
    }

    pub(super) fn forget(&mut self, url: &DocumentUrl) {
        if let Some(forgotten) = self.documents.remove(url) {
            self.by_use.remove(&forgotten.used);
        }
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
        memory.keep(&url(number), Arc::default(), THEN);
    }

    #[test]
    fn a_document_is_fresh_until_it_is_not() {
        let mut memory = Memory::new(2);
        keep(&mut memory, 1);
        assert!(memory.fresh(&url(1), Timestamp::from_millis(999)).is_some());
        assert!(memory.fresh(&url(1), THEN).is_none());
        memory.keep(&url(1), Arc::default(), Timestamp::from_millis(1_001));
        assert!(memory.fresh(&url(1), THEN).is_some());
        memory.forget(&url(1));
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
        assert_eq!((memory.documents.len(), memory.by_use.len()), (3, 3));
    }
}
