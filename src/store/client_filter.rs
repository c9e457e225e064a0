//! Which clients a list shows.

use ipnet::IpNet;

use super::{
    ClientFlags, ClientRecord, ClientState, DocumentClientRecord, Standing, Store, StoreError,
    SuspendedFamilies, column::Value, statements::clients,
};
use crate::{
    admission::DestinationPattern,
    client::{ClientId, ClientMetadata, ProfileName},
    clock::Timestamp,
    family::{Destination, FamilyId, FamilyKey},
};

/// How many records one question looks through for those that pass a filter.
pub(super) const LOOKED_THROUGH: usize = 500;

/// Which clients a list shows; an absent bound lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// Only clients that came through this door.
    pub profile: Option<ProfileName>,
    /// Only clients with all of these flags.
    pub flags: ClientFlags,
    /// Only clients registered at this moment or later.
    pub issued_from: Option<Timestamp>,
    /// Only clients registered before this moment.
    pub issued_until: Option<Timestamp>,
    /// Only clients for which this standing holds: their own, or that of a suspended family.
    pub standing: Option<Standing>,
    /// Only clients whose `client_name` contains this text, without regard to ASCII case.
    pub name_contains: Option<String>,
    /// Only clients with a redirect URI that leads there.
    pub destination: Option<DestinationPattern>,
    /// Only clients of this family.
    pub family: Option<FamilyId>,
    /// Only clients with this label.
    pub label: Option<String>,
    /// Only clients that registered from an address of this network.
    pub source: Option<IpNet>,
    /// Only clients last used at this moment or later.
    pub used_from: Option<Timestamp>,
    /// Only clients last used before this moment; clients that were never used have no last use.
    pub used_until: Option<Timestamp>,
    /// Only clients that were never used.
    pub is_unused: bool,
}

impl ClientFilter {
    /// Whether a registered client passes while these families are suspended.
    pub fn passes(&self, client: &ClientRecord, suspended: &SuspendedFamilies) -> bool {
        self.profile.is_none_or(|profile| profile == client.profile)
            && client.flags.contains(self.flags)
            && self.source.is_none_or(|network| {
                client.source.is_some_and(|source| network.contains(&source.to_canonical()))
            })
            && self.passes_in_common(client.issued_at, &client.state, &client.metadata)
            && self.passes_by_standing(&client.state, &client.metadata, suspended)
    }

    /// Whether a client with a document passes: the first permission counts as its registration. It came through no door
    /// of a profile, has no flags, and no source.
    pub fn passes_document(
        &self,
        client: &DocumentClientRecord,
        suspended: &SuspendedFamilies,
    ) -> bool {
        self.profile.is_none()
            && self.flags == ClientFlags::default()
            && self.source.is_none()
            && self.passes_in_common(client.first_allowed_at, &client.state, &client.metadata)
            && self.passes_by_standing(&client.state, &client.metadata, suspended)
    }

    fn passes_by_standing(
        &self,
        state: &ClientState,
        metadata: &str,
        suspended: &SuspendedFamilies,
    ) -> bool {
        self.standing.is_none_or(|standing| standing == suspended.standing_of(state, metadata))
    }

    fn passes_in_common(&self, issued_at: Timestamp, state: &ClientState, metadata: &str) -> bool {
        let (used_from, used_until) = self.used();
        let used_at = state.used_at.map_or(NEVER_USED, millis);
        self.issued_from.is_none_or(|from| issued_at >= from)
            && self.issued_until.is_none_or(|until| issued_at < until)
            && (used_from..used_until).contains(&used_at)
            && self.label.as_ref().is_none_or(|label| state.terms.label.as_ref() == Some(label))
            && self.name_contains.as_ref().is_none_or(|name| has_name(metadata, name))
            && self.passes_by_metadata(metadata)
    }

    fn passes_by_metadata(&self, metadata: &str) -> bool {
        if self.destination.is_none() && self.family.is_none() {
            return true;
        }
        let Ok(metadata) = serde_json::from_str::<ClientMetadata>(metadata) else { return false };
        let mut uris = metadata.redirect_uris.as_slice().iter();
        self.destination
            .as_ref()
            .is_none_or(|wanted| uris.any(|uri| wanted.matches(&Destination::of(uri))))
            && self.family.is_none_or(|family| FamilyKey::of(&metadata).id() == family)
    }

    /// Whether only [`Self::passes`] decides, and no statement.
    pub(super) const fn reads_records(&self) -> bool {
        self.name_contains.is_some()
            || self.destination.is_some()
            || self.family.is_some()
            || self.source.is_some()
            || self.label.is_some()
            || self.standing.is_some()
    }

    /// The bounds of the last use in milliseconds, where [`NEVER_USED`] is before every moment.
    pub(super) fn used(&self) -> (i64, i64) {
        let is_bounded = self.used_from.is_some() || self.used_until.is_some();
        let from = match self.used_from {
            Some(from) => millis(from),
            None if is_bounded => 0,
            None => NEVER_USED,
        };
        let until = self.used_until.map_or(i64::MAX, millis);
        (from, if self.is_unused { 0 } else { until })
    }
}

/// Stands for the last use of a client that was never used.
const NEVER_USED: i64 = -1;

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// Whether the name in a document contains `name`, without regard to ASCII case. A document that is not JSON has no name.
fn has_name(metadata: &str, name: &str) -> bool {
    let document = serde_json::from_str::<serde_json::Value>(metadata).unwrap_or_default();
    let found = document.get("client_name").and_then(serde_json::Value::as_str);
    found.is_some_and(|found| found.to_ascii_lowercase().contains(&name.to_ascii_lowercase()))
}

/// Where a list in the order of last use goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUsed {
    /// When the last client of the page before was last used.
    pub used_at: Timestamp,
    /// That client.
    pub client_id: ClientId,
}

impl LastUsed {
    /// The place of a client; `None` if it was never used.
    pub fn of(client: &ClientRecord) -> Option<Self> {
        let used_at = client.state.used_at?;
        Some(Self { used_at, client_id: client.client_id })
    }
}

impl Store {
    /// At most `limit` clients that were used and pass `filter`, the one that was used last first, beginning behind
    /// `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients_by_use(
        &self,
        filter: &ClientFilter,
        after: Option<LastUsed>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let suspended = self.suspended_for(filter).await?;
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < limit {
            let page = self.page_by_use(filter, after, LOOKED_THROUGH).await?;
            let Some(last) = page.last().and_then(LastUsed::of) else { break };
            after = Some(last);
            found.extend(page.into_iter().filter(|client| filter.passes(client, &suspended)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The next clients within the bounds of the last use; the rest of the filter is not applied.
    pub(super) async fn page_by_use(
        &self,
        filter: &ClientFilter,
        after: Option<LastUsed>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let (from, until) = filter.used();
        // Nothing sorts behind a use at `until` before all clients with that use.
        let (used_at, client_id) = after.map_or((until, Value::Id([0; 16])), |last| {
            (millis(last.used_at), Value::Id(*last.client_id.as_bytes()))
        });
        let number = |number| Value::Number(Some(number));
        let parameters =
            vec![number(used_at), client_id, number(from), number(until), Value::limit(limit)];
        self.select(&clients::SELECT_PAGE_BY_USE, parameters).await
    }

    /// At most `limit` clients with a document that people have allowed and that pass `filter`, in the order of their
    /// URLs, beginning after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_clients_behind(
        &self,
        filter: &ClientFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DocumentClientRecord>, StoreError> {
        let suspended = self.suspended_for(filter).await?;
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        while found.len() < limit {
            let page = self.document_clients(after.as_deref(), LOOKED_THROUGH).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.url.clone());
            let page = page.into_iter();
            found.extend(page.filter(|client| filter.passes_document(client, &suspended)));
        }
        found.truncate(limit);
        Ok(found)
    }
}
