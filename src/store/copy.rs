//! All clients of one store brought into another, and a look at both afterwards.
//!
//! Both stores are walked in the order of identifiers, with a page or two in memory. Nothing is remembered
//! between two runs: what is there already is known by its record, so a copy that was interrupted is run
//! again. A server may register clients in the source meanwhile; those behind the place where the walk has
//! been are for the next run.

use std::{fmt::Write as _, vec};

use aws_lc_rs::digest::{Context, SHA256};

use super::{ClientFilter, ClientRecord, Imported, Store, StoreError};
use crate::{client::ClientId, clock::Timestamp};

/// How many clients are read at once, and kept in one change.
const PAGE_CLIENTS_MAX: usize = 500;

/// Which of the two stores failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("the source")]
    Source(#[source] StoreError),
    #[error("the target")]
    Target(#[source] StoreError),
}

/// What became of the clients that were handed to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) kept: u64,
    /// Clients that the target had already, with this record or with another.
    pub(crate) already_there: u64,
}

/// Brings every client of `from` into `to`, a page a change; what is there stays as it is. `progress` is told
/// how many clients were handed over since it was told last.
pub(crate) async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    progress: &mut dyn FnMut(usize),
) -> Result<Copied, CopyError> {
    let mut copied = Copied::default();
    let mut page = page(from, None).await.map_err(CopyError::Source)?;
    while let Some(last) = page.last().map(|client| client.client_id) {
        let number = page.len();
        let (outcomes, next) = tokio::join!(to.import_clients(page), self::page(from, Some(last)));
        for outcome in outcomes.map_err(CopyError::Target)? {
            match outcome {
                Imported::Kept => copied.kept += 1,
                Imported::AlreadyThere | Imported::Differs => copied.already_there += 1,
            }
        }
        progress(number);
        page = next.map_err(CopyError::Source)?;
    }
    Ok(copied)
}

/// How the target has a client of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    Same,
    /// With another record.
    Differs,
    /// Not at all.
    Missing,
    /// Not at all, and it was registered after the copy had begun.
    Later,
}

/// What a look at both stores has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The clients of the source, but for those that are later.
    pub(crate) source: Sum,
    /// The clients of the same identifiers in the target.
    pub(crate) target: Sum,
    pub(crate) differing: u64,
    pub(crate) missing: u64,
    pub(crate) later: u64,
    /// Clients of the target alone.
    pub(crate) others: u64,
}

impl Comparison {
    /// Whether the target has everything that it should have.
    pub(crate) fn is_good(&self) -> bool {
        self.differing == 0 && self.missing == 0 && self.source == self.target
    }
}

/// Compares the stores client by client. `began` is when the copy did; `watch` is told of each client of the
/// source.
pub(crate) async fn compare(
    from: &dyn Store,
    to: &dyn Store,
    began: Timestamp,
    watch: &mut dyn FnMut(ClientId, Twin),
) -> Result<Comparison, CopyError> {
    let (mut source, mut target) = (Summing::new(), Summing::new());
    let (mut differing, mut missing, mut later, mut others) = (0, 0, 0, 0);
    let (mut sources, mut targets) = (Walk::new(from), Walk::new(to));
    let mut candidate = targets.next().await.map_err(CopyError::Target)?;
    while let Some(client) = sources.next().await.map_err(CopyError::Source)? {
        while candidate.as_ref().is_some_and(|other| other.client_id < client.client_id) {
            others += 1;
            candidate = targets.next().await.map_err(CopyError::Target)?;
        }
        let found = match candidate.take_if(|other| other.client_id == client.client_id) {
            Some(other) => {
                candidate = targets.next().await.map_err(CopyError::Target)?;
                target.add(&other);
                if other == client { Twin::Same } else { Twin::Differs }
            }
            None if client.issued_at >= began => Twin::Later,
            None => Twin::Missing,
        };
        match found {
            Twin::Same => {}
            Twin::Differs => differing += 1,
            Twin::Missing => missing += 1,
            Twin::Later => later += 1,
        }
        if found != Twin::Later {
            source.add(&client);
        }
        watch(client.client_id, found);
    }
    while candidate.is_some() {
        others += 1;
        candidate = targets.next().await.map_err(CopyError::Target)?;
    }
    let (source, target) = (source.finish(), target.finish());
    Ok(Comparison { source, target, differing, missing, later, others })
}

/// How many clients, and the SHA-256 of their records in the order of identifiers, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) clients: u64,
    pub(crate) sha256: String,
}

struct Summing {
    clients: u64,
    digest: Context,
}

impl Summing {
    fn new() -> Self {
        Self { clients: 0, digest: Context::new(&SHA256) }
    }

    fn add(&mut self, client: &ClientRecord) {
        let ClientRecord { client_id, issued_at, profile, source, flags, metadata } = client;
        self.clients += 1;
        self.digest.update(client_id.as_bytes());
        self.digest.update(&issued_at.as_millis().to_be_bytes());
        self.digest.update(&flags.bits().to_be_bytes());
        // No address is empty.
        let source = source.map(|address| address.to_string()).unwrap_or_default();
        for text in [profile.as_str(), &source, metadata] {
            // The length tells where one ends and the next begins.
            self.digest.update(&(text.len() as u64).to_be_bytes());
            self.digest.update(text.as_bytes());
        }
    }

    fn finish(self) -> Sum {
        let mut sha256 = String::new();
        for byte in self.digest.finish().as_ref() {
            write!(sha256, "{byte:02x}").expect("a string takes any text");
        }
        Sum { clients: self.clients, sha256 }
    }
}

/// All clients of a store, one after the other.
struct Walk<'store> {
    store: &'store dyn Store,
    page: vec::IntoIter<ClientRecord>,
    last: Option<ClientId>,
}

impl<'store> Walk<'store> {
    fn new(store: &'store dyn Store) -> Self {
        Self { store, page: Vec::new().into_iter(), last: None }
    }

    async fn next(&mut self) -> Result<Option<ClientRecord>, StoreError> {
        if self.page.as_slice().is_empty() {
            self.page = page(self.store, self.last).await?.into_iter();
        }
        let client = self.page.next();
        self.last = client.as_ref().map_or(self.last, |client| Some(client.client_id));
        Ok(client)
    }
}

async fn page(store: &dyn Store, after: Option<ClientId>) -> Result<Vec<ClientRecord>, StoreError> {
    store.clients(&ClientFilter::default(), after, PAGE_CLIENTS_MAX).await
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, path::Path, sync::Arc};

    use tempfile::TempDir;

    use super::*;
    use crate::{
        client::ProfileName,
        config::Config,
        store::{Access, ClientFlags, contract::Records, open_folder},
    };

    fn open(folder: &Path) -> Arc<dyn Store> {
        open_folder(folder, &Config::default().embedded, Access::Serve).unwrap()
    }

    /// Two stores of which one was copied into the other, the records that were, and the next ones.
    async fn copied(count: usize) -> (Arc<dyn Store>, Arc<dyn Store>, Records, [TempDir; 2]) {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let [from, to] = [0, 1].map(|index: usize| open(folders[index].path()));
        let mut records = Records::new();
        from.import_clients(records.take(count)).await.unwrap();
        let mut told = 0;
        let kept = copy(&*from, &*to, &mut |clients| told += clients).await.unwrap();
        assert_eq!((kept, told), (Copied { kept: count as u64, already_there: 0 }, count));
        (from, to, records, folders)
    }

    async fn compared(from: &dyn Store, to: &dyn Store, began: u64) -> (Comparison, Vec<Twin>) {
        let mut twins = Vec::new();
        let mut watch = |_, twin| {
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
        let (from, to, _, _folders) = copied(2 * PAGE_CLIENTS_MAX + 1).await;

        let (found, twins) = compared(&*from, &*to, 0).await;

        assert!(found.is_good() && twins.is_empty(), "{found:?}");
        assert_eq!((found.source.clients, found.others), (1_001, 0));
    }

    #[test]
    fn the_sum_of_a_record_stays_the_same_from_release_to_release() {
        let mut sum = Summing::new();
        sum.add(&ClientRecord {
            client_id: ClientId::from_bytes([7; 16]),
            issued_at: Timestamp::from_millis(1_764_000_000_125),
            profile: ProfileName::Rfc7591,
            source: Some(IpAddr::from([192, 0, 2, 1])),
            flags: ClientFlags::LOOK_ALIKE,
            metadata: "{}".to_owned(),
        });

        // As Python's hashlib says.
        let expected = "9b351cbbe40daf42a9b798dafad612ae68ed5a8d1c09cf4f6d940d9e436b510f";
        assert_eq!(sum.finish(), Sum { clients: 1, sha256: expected.to_owned() });
    }

    #[tokio::test]
    async fn what_was_registered_since_the_copy_began_is_no_fault_and_what_was_before_is() {
        let (from, to, mut records, _folders) = copied(3).await;
        let before = records.next();
        let after = records.next();
        let began = after.issued_at.as_millis();
        from.import_clients(vec![after]).await.unwrap();
        let (found, twins) = compared(&*from, &*to, began).await;
        assert_eq!((found.is_good(), &twins[..], found.later), (true, &[Twin::Later][..], 1));
        assert_eq!((found.source.clients, found.target.clients), (3, 3));

        from.import_clients(vec![before]).await.unwrap();

        let (found, twins) = compared(&*from, &*to, began).await;
        assert_eq!((found.is_good(), found.missing), (false, 1));
        assert_eq!(twins, [Twin::Missing, Twin::Later]);
    }

    #[tokio::test]
    async fn what_the_target_has_of_its_own_is_counted_and_does_not_disturb() {
        let (from, to, mut records, _folders) = copied(3).await;
        let mut own = records.take(2);
        own[0].client_id = ClientId::from_bytes([0; 16]);
        to.import_clients(own).await.unwrap();

        let (found, _) = compared(&*from, &*to, 0).await;

        assert!(found.is_good(), "{found:?}");
        assert_eq!(found.others, 2, "before all others and after them");
    }
}
