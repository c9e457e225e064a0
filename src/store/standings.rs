//! How many clients have which standing. All clients are counted in small steps; those that are not active are counted at
//! once.

use super::{
    ClientRecord, ClientState, Standing, Store, StoreError, SuspendedFamilies,
    column::{Record, Row, Value, columns, first_after},
    statements::{clients, document_clients},
};
use crate::client::ClientId;

/// How many clients one step counts.
const CLIENTS_MAX: usize = 5_000;

/// How many clients that are in no family yet are read to find the family. The server finds it within seconds.
const WITHOUT_FAMILY_MAX: usize = 2_000;

/// How many clients with a metadata document one statement reads.
const DOCUMENTS_MAX: usize = 500;

/// How many clients are not active, by the standing that holds for them: their own, or that of a suspended family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// Clients that wait for an operator.
    pub pending: u64,
    /// Clients that an operator blocked, alone or with their family.
    pub suspended: u64,
    /// Clients that were not used for a long time.
    pub dormant: u64,
}

impl Standings {
    fn of(counted: &[StandingCount]) -> Self {
        let mut standings = Self::default();
        for StandingCount { standing, clients } in counted {
            if let Some(number) = standings.number(*standing) {
                *number += clients;
            }
        }
        standings
    }

    /// The number of clients of a standing; `None` for active clients.
    const fn number(&mut self, standing: Standing) -> Option<&mut u64> {
        match standing {
            Standing::Active => None,
            Standing::Pending => Some(&mut self.pending),
            Standing::Suspended => Some(&mut self.suspended),
            Standing::Dormant => Some(&mut self.dormant),
        }
    }

    /// Counts clients with this standing of their own as suspended by their family.
    fn suspend(&mut self, own: Standing, clients: u64) {
        if let Some(number) = self.number(own) {
            *number = number.saturating_sub(clients);
        }
        self.suspended += clients;
    }

    /// Counts a client as suspended, which has its own standing, if that of its family holds instead.
    fn suspend_by(&mut self, suspended: &SuspendedFamilies, own: &ClientState, metadata: &str) {
        if suspended.standing_of(own, metadata) != own.standing {
            self.suspend(own.standing, 1);
        }
    }

    /// How many there are.
    pub const fn sum(&self) -> u64 {
        self.pending + self.suspended + self.dormant
    }
}

impl std::ops::Add for Standings {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pending: self.pending + other.pending,
            suspended: self.suspended + other.suspended,
            dormant: self.dormant + other.dormant,
        }
    }
}

columns! {
    /// How many clients have a standing of their own.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct StandingCount {
        /// The standing.
        pub standing: Standing = "standing",
        /// The number of clients.
        pub clients: u64 = "count(*)",
    }
}

/// Selected alone.
impl Record for ClientId {
    const TABLE: &'static str = <ClientRecord as Record>::TABLE;
    const NAMES: &'static str = "client_id";

    fn name(_: &impl Row) -> String {
        "the identifier of a client".to_owned()
    }
}

/// Selected, never inserted.
impl Record for StandingCount {
    const TABLE: &'static str = <ClientRecord as Record>::TABLE;
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "the number of clients".to_owned()
    }
}

impl Store {
    /// How many registered clients are not active. Reads those alone, and the clients of suspended families.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standings(&self) -> Result<Standings, StoreError> {
        let own: Vec<StandingCount> = self.select(&clients::COUNT_STANDINGS, Vec::new()).await?;
        let mut standings = Standings::of(&own);
        let suspended = self.suspended_families().await?;
        for family in suspended.iter() {
            let parameters = vec![Value::Id(*family.as_bytes())];
            let members: Vec<StandingCount> =
                self.select(&clients::COUNT_STANDINGS_OF_FAMILY, parameters).await?;
            for StandingCount { standing, clients } in members {
                standings.suspend(standing, clients);
            }
        }
        if !suspended.is_empty() {
            self.suspend_those_without_family(&suspended, &mut standings).await?;
        }
        Ok(standings)
    }

    /// Clients whose family is not stored yet have one by what they say.
    async fn suspend_those_without_family(
        &self,
        suspended: &SuspendedFamilies,
        standings: &mut Standings,
    ) -> Result<(), StoreError> {
        let (clients, _) = self.clients_without_family(None, WITHOUT_FAMILY_MAX).await?;
        for client in clients {
            standings.suspend_by(suspended, &client.state, &client.metadata);
        }
        Ok(())
    }

    /// How many clients with a metadata document are not active. While a family is suspended, their documents are read:
    /// they are in no family that is stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_standings(&self) -> Result<Standings, StoreError> {
        let own: Vec<StandingCount> =
            self.select(&document_clients::COUNT_STANDINGS, Vec::new()).await?;
        let mut standings = Standings::of(&own);
        let suspended = self.suspended_families().await?;
        let mut after = None;
        while !suspended.is_empty() {
            let page = self.document_clients(after.as_deref(), DOCUMENTS_MAX).await?;
            for client in &page {
                standings.suspend_by(&suspended, &client.state, &client.metadata);
            }
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some(last.url);
        }
        Ok(standings)
    }

    /// Counts the next clients of any standing, beginning after `after`: how many, and the last one unless no more follow.
    /// The caller sets the pace.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_clients_after(
        &self,
        after: Option<ClientId>,
    ) -> Result<(u64, Option<ClientId>), StoreError> {
        let Some(first) = first_after(after).map(Value::Id) else { return Ok((0, None)) };
        let parameters = vec![first.clone(), Value::limit(CLIENTS_MAX - 1)];
        let last: Option<ClientId> = self.select_one(&clients::SELECT_AHEAD, parameters).await?;
        if last.is_some() {
            return Ok((CLIENTS_MAX as u64, last));
        }
        let rest: Option<StandingCount> =
            self.select_one(&clients::COUNT_FROM, vec![first]).await?;
        Ok((rest.map_or(0, |rest| rest.clients), None))
    }
}
