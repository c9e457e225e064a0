//! All records of a kind brought from one store into another, and a look at both afterwards.
//!
//! Both stores are walked in the order of keys, with a page or two in memory. Nothing is remembered between
//! two runs: what is there already is known by its record, so a copy that was interrupted is run again. A
//! server may go on with the source meanwhile; what it does behind the place where the walk has been is for the
//! next run.

mod kinds;

use std::{fmt::Write as _, vec};

use aws_lc_rs::digest::{Context, SHA256};

use super::{Store, StoreError};
use crate::{clock::Timestamp, secret::SecretHash};

/// How many records are read at once, and kept in one change.
const PAGE_RECORDS_MAX: usize = 500;

/// A kind of record, as it is copied.
pub(crate) trait Kind: Sized {
    /// What tells one from another, in the order in which they are walked.
    type Key: Clone + Ord;

    /// What several are called.
    const PLURAL: &'static str;

    /// What tells it from others.
    fn key(&self) -> Self::Key;

    /// What a sentence calls it.
    fn name(&self) -> String;

    /// When it was made or changed, as far as it says.
    fn changed_at(&self) -> Timestamp;

    /// Whether it has come to its end by `now`, and need not be copied.
    fn is_over(&self, now: Timestamp) -> bool;

    /// Writes everything of it down that has to be the same in both stores.
    fn write(&self, to: &mut Written);

    /// The next of them in the order of keys; the last page is the empty one.
    async fn page(
        store: &Store,
        after: Option<Self::Key>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError>;

    /// Keeps them as one change; returns how many were not there already, or in an earlier state.
    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError>;
}

/// What is written down of a record: no two different ones are written alike.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Written(Vec<u8>);

impl Written {
    /// Bytes of which every record of the kind has as many.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn moment(&mut self, at: Timestamp) {
        self.bytes(&at.as_millis().to_be_bytes());
    }

    fn hash(&mut self, hash: &SecretHash) {
        self.bytes(hash.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.long(text.as_bytes());
    }

    fn long(&mut self, bytes: &[u8]) {
        // The length tells where one ends and the next begins.
        self.bytes(&(bytes.len() as u64).to_be_bytes());
        self.bytes(bytes);
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes(&[value.is_some().into()]);
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Which of the two stores failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("the source")]
    Source(#[source] StoreError),
    #[error("the target")]
    Target(#[source] StoreError),
}

/// What became of the records that were handed to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Those that are new there, or in a later state.
    pub(crate) kept: u64,
    /// Those that the target had already, as they are or otherwise.
    pub(crate) already_there: u64,
}

/// Whether a store has any of a kind.
pub(crate) async fn has_any<K: Kind>(store: &Store) -> Result<bool, StoreError> {
    Ok(!K::page(store, None, 1).await?.is_empty())
}

/// Brings every record of `from` that is not over by `began` into `to`, a page a change. `progress` is told how
/// many were handed over since it was told last.
pub(crate) async fn copy<K: Kind>(
    from: &Store,
    to: &Store,
    began: Timestamp,
    progress: &mut dyn FnMut(usize),
) -> Result<Copied, CopyError> {
    let mut copied = Copied::default();
    let mut page = page::<K>(from, None).await.map_err(CopyError::Source)?;
    while let Some(last) = page.last().map(Kind::key) {
        page.retain(|record| !record.is_over(began));
        let number = page.len();
        let (kept, following) = tokio::join!(K::import(to, page), self::page(from, Some(last)));
        let kept = kept.map_err(CopyError::Target)?;
        copied.kept += kept as u64;
        copied.already_there += number.saturating_sub(kept) as u64;
        progress(number);
        page = following.map_err(CopyError::Source)?;
    }
    Ok(copied)
}

/// How the target has a record of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    Same,
    /// Otherwise.
    Differs,
    /// Not at all.
    Missing,
    /// Otherwise or not at all, and it was made or changed after the copy had begun.
    Later,
}

/// What a look at both stores has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// What the source has, but for those that are later.
    pub(crate) source: Sum,
    /// What the target has of the same.
    pub(crate) target: Sum,
    pub(crate) differing: u64,
    pub(crate) missing: u64,
    pub(crate) later: u64,
    /// What the target alone has.
    pub(crate) others: u64,
}

impl Comparison {
    /// Whether the target has everything that it should have.
    pub(crate) fn is_good(&self) -> bool {
        self.differing == 0 && self.missing == 0 && self.source == self.target
    }
}

/// Compares the stores record by record. `began` is when the copy did; `watch` is told of each record of the
/// source.
pub(crate) async fn compare<K: Kind>(
    from: &Store,
    to: &Store,
    began: Timestamp,
    watch: &mut dyn FnMut(&K, Twin),
) -> Result<Comparison, CopyError> {
    let (mut source, mut target) = (Summing::new(), Summing::new());
    let (mut differing, mut missing, mut later, mut others) = (0, 0, 0, 0);
    let (mut sources, mut targets) = (Walk::<K>::new(from, began), Walk::<K>::new(to, began));
    let mut candidate = targets.next().await.map_err(CopyError::Target)?;
    while let Some(record) = sources.next().await.map_err(CopyError::Source)? {
        while candidate.as_ref().is_some_and(|other| other.key() < record.key()) {
            others += 1;
            candidate = targets.next().await.map_err(CopyError::Target)?;
        }
        let twin = candidate.take_if(|other| other.key() == record.key());
        if twin.is_some() {
            candidate = targets.next().await.map_err(CopyError::Target)?;
        }
        let (written, twin) = (written(&record), twin.as_ref().map(written));
        let found = match &twin {
            Some(twin) if *twin == written => Twin::Same,
            _ if record.changed_at() >= began => Twin::Later,
            Some(_) => Twin::Differs,
            None => Twin::Missing,
        };
        match found {
            Twin::Same => {}
            Twin::Differs => differing += 1,
            Twin::Missing => missing += 1,
            Twin::Later => later += 1,
        }
        if found != Twin::Later {
            source.add(&written);
            if let Some(twin) = &twin {
                target.add(twin);
            }
        }
        watch(&record, found);
    }
    while candidate.is_some() {
        others += 1;
        candidate = targets.next().await.map_err(CopyError::Target)?;
    }
    let (source, target) = (source.finish(), target.finish());
    Ok(Comparison { source, target, differing, missing, later, others })
}

fn written(record: &impl Kind) -> Written {
    let mut written = Written::default();
    record.write(&mut written);
    written
}

/// How many records, and the SHA-256 of what is written down of them in the order of keys, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) records: u64,
    pub(crate) sha256: String,
}

struct Summing {
    records: u64,
    digest: Context,
}

impl Summing {
    fn new() -> Self {
        Self { records: 0, digest: Context::new(&SHA256) }
    }

    fn add(&mut self, record: &Written) {
        self.records += 1;
        self.digest.update(&record.0);
    }

    fn finish(self) -> Sum {
        let mut sha256 = String::new();
        for byte in self.digest.finish().as_ref() {
            write!(sha256, "{byte:02x}").expect("a string takes any text");
        }
        Sum { records: self.records, sha256 }
    }
}

/// All records of a kind that are not over, one after the other.
struct Walk<'store, K: Kind> {
    store: &'store Store,
    began: Timestamp,
    page: vec::IntoIter<K>,
    last: Option<K::Key>,
}

impl<'store, K: Kind> Walk<'store, K> {
    fn new(store: &'store Store, began: Timestamp) -> Self {
        Self { store, began, page: Vec::new().into_iter(), last: None }
    }

    async fn next(&mut self) -> Result<Option<K>, StoreError> {
        loop {
            if self.page.as_slice().is_empty() {
                self.page = page(self.store, self.last.take()).await?.into_iter();
            }
            let Some(record) = self.page.next() else { return Ok(None) };
            self.last = Some(record.key());
            if !record.is_over(self.began) {
                return Ok(Some(record));
            }
        }
    }
}

/// The next page. A store that goes back, as one whose keys are damaged does, would be walked for ever.
async fn page<K: Kind>(store: &Store, after: Option<K::Key>) -> Result<Vec<K>, StoreError> {
    let page = K::page(store, after.clone(), PAGE_RECORDS_MAX).await?;
    match page.last() {
        Some(last) if Some(last.key()) <= after => Err(StoreError::Corrupt {
            what: last.name(),
            source: "it does not stand where it belongs".into(),
        }),
        _ => Ok(page),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, path::Path, sync::Arc};

    use tempfile::TempDir;

    use super::*;
    use crate::{
        client::{ClientId, ProfileName},
        config::Config,
        store::{
            Access, ClientFlags, ClientRecord, ClientRegistration, ClientState, GrantRecord,
            contract::{Records, grants::Grants},
            open_folder,
        },
    };

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn open(folder: &Path) -> Arc<Store> {
        open_folder(folder, &Config::default().embedded, Access::Serve).unwrap()
    }

    /// Two stores of which one was copied into the other, the records that were, and the next ones.
    async fn copied(count: usize) -> (Arc<Store>, Arc<Store>, Records, [TempDir; 2]) {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let [from, to] = [0, 1].map(|index: usize| open(folders[index].path()));
        let mut records = Records::new();
        from.import_clients(records.take(count)).await.unwrap();
        let mut told = 0;
        let kept =
            copy::<ClientRecord>(&from, &to, NOW, &mut |clients| told += clients).await.unwrap();
        assert_eq!((kept, told), (Copied { kept: count as u64, already_there: 0 }, count));
        (from, to, records, folders)
    }

    async fn compared(from: &Store, to: &Store, began: u64) -> (Comparison, Vec<Twin>) {
        let mut twins = Vec::new();
        let mut watch = |_: &ClientRecord, twin| {
            if twin != Twin::Same {
                twins.push(twin);
            }
        };
        let began = Timestamp::from_millis(began);
        let found = compare(from, to, began, &mut watch).await.unwrap();
        (found, twins)
    }

    #[tokio::test]
    async fn pages_are_copied_to_their_end_and_both_sides_add_up_to_the_same() {
        let (from, to, _, _folders) = copied(2 * PAGE_RECORDS_MAX + 1).await;

        let (found, twins) = compared(&from, &to, 0).await;

        assert!(found.is_good() && twins.is_empty(), "{found:?}");
        assert_eq!((found.source.records, found.others), (1_001, 0));
    }

    #[test]
    fn the_sum_of_a_record_stays_the_same_from_release_to_release() {
        let mut sum = Summing::new();
        sum.add(&written(&ClientRecord {
            client_id: ClientId::from_bytes([7; 16]),
            issued_at: Timestamp::from_millis(1_764_000_000_125),
            profile: ProfileName::Rfc7591,
            source: Some(IpAddr::from([192, 0, 2, 1])),
            flags: ClientFlags::LOOK_ALIKE,
            metadata: "{}".to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        }));

        // As Python's hashlib says.
        let expected = "9b351cbbe40daf42a9b798dafad612ae68ed5a8d1c09cf4f6d940d9e436b510f";
        assert_eq!(sum.finish(), Sum { records: 1, sha256: expected.to_owned() });
    }

    #[tokio::test]
    async fn what_was_registered_since_the_copy_began_is_no_fault_and_what_was_before_is() {
        let (from, to, mut records, _folders) = copied(3).await;
        let before = records.next();
        let after = records.next();
        let began = after.issued_at.as_millis();
        from.import_clients(vec![after]).await.unwrap();
        let (found, twins) = compared(&from, &to, began).await;
        assert_eq!((found.is_good(), &twins[..], found.later), (true, &[Twin::Later][..], 1));
        assert_eq!((found.source.records, found.target.records), (3, 3));

        from.import_clients(vec![before]).await.unwrap();

        let (found, twins) = compared(&from, &to, began).await;
        assert_eq!((found.is_good(), found.missing), (false, 1));
        assert_eq!(twins, [Twin::Missing, Twin::Later]);
    }

    #[tokio::test]
    async fn what_the_target_has_of_its_own_is_counted_and_does_not_disturb() {
        let (from, to, mut records, _folders) = copied(3).await;
        let mut own = records.take(2);
        own[0].client_id = ClientId::from_bytes([0; 16]);
        to.import_clients(own).await.unwrap();

        let (found, _) = compared(&from, &to, 0).await;

        assert!(found.is_good(), "{found:?}");
        assert_eq!(found.others, 2, "before all others and after them");
    }

    #[tokio::test]
    async fn what_has_expired_is_neither_copied_nor_missed() {
        let (from, to, _, _folders) = copied(0).await;
        let grants = Grants::new();
        let mut wanted = grants.take(PAGE_RECORDS_MAX + 2);
        // A whole page of them is no end.
        for expired in &mut wanted[..=PAGE_RECORDS_MAX] {
            expired.expires_at = NOW;
        }
        from.import_grants(wanted).await.unwrap();

        let outcome = copy::<GrantRecord>(&from, &to, NOW, &mut |_| {}).await.unwrap();
        let found = compare::<GrantRecord>(&from, &to, NOW, &mut |_, _| {}).await.unwrap();

        assert_eq!(outcome, Copied { kept: 1, already_there: 0 });
        assert!(found.is_good(), "{found:?}");
        assert_eq!((found.source.records, found.target.records), (1, 1));
    }

    #[tokio::test]
    async fn a_grant_that_is_used_while_it_is_copied_is_no_fault() {
        let (from, to, _, _folders) = copied(0).await;
        let mut grant = Grants::new().next();
        from.import_grants(vec![grant.clone()]).await.unwrap();
        copy::<GrantRecord>(&from, &to, NOW, &mut |_| {}).await.unwrap();
        grant.code.redeemed_at = Some(NOW.after_seconds(1));
        from.import_grants(vec![grant]).await.unwrap();

        let compared = async |began| {
            let found = compare::<GrantRecord>(&from, &to, began, &mut |_, _| {}).await.unwrap();
            (found.is_good(), found.later, found.differing)
        };
        assert_eq!(compared(NOW.after_seconds(1)).await, (true, 1, 0));
        assert_eq!(compared(NOW.after_seconds(2)).await, (false, 0, 1));
    }
}
