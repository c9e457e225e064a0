//! What the next days will do to unused clients.

use serde_json::{Value, json};

use super::{Examined, Finding, Look};
use crate::{
    client::{ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    config::Config,
    http::request_event::chain,
    store::{self, Access, Due, Expiry, Lapse, Store, StoreError, Walk},
};

/// How far the preview looks ahead.
const DAYS: u64 = 7;
/// How many clients are looked at in one step.
const PAGE_RECORDS: usize = 5_000;
/// How many clients the preview names.
const NAMED_MAX: usize = 5;

/// Which clients become dormant or are removed in the next days, unless they are used? `store::database` reports
/// a store that cannot be opened.
pub(super) fn preview(examined: &Examined<'_>) -> Vec<Finding> {
    let Ok(store) = examined.wait(store::open(examined.config, Access::Read)) else {
        return Vec::new();
    };
    let previewed = examined.wait(Preview::of(&store, examined.config, examined.clock.now()));
    let closed = examined.wait(store.close());
    let look = Look::at("clients.expiry_preview", &examined.config.store);
    vec![match previewed.and_then(|preview| closed.map(|()| preview)) {
        Err(error) => look.problem(chain(&error), "run `doorward store check`"),
        Ok(None) => {
            look.ok("clients never expire: clients.unused_days and clients.idle_days are 0")
        }
        Ok(Some(preview)) => preview.finding(look, examined.config),
    }]
}

/// A client that is due.
struct Named {
    client: ClientIdentifier,
    /// What it calls itself.
    name: Option<String>,
    due: Due,
}

#[derive(Default)]
struct Preview {
    dormant: u64,
    removed: u64,
    first: Vec<Named>,
}

impl Preview {
    /// `None` if clients never expire.
    async fn of(kept: &Store, config: &Config, now: Timestamp) -> Result<Option<Self>, StoreError> {
        let marks = kept.marks().await?;
        let expiry = Expiry {
            unused_days: config.clients.unused_days,
            idle_days: config.clients.idle_days,
            counts_from: store::counts_from(&marks, now),
        };
        if !expiry.is_on() {
            return Ok(None);
        }
        let mut preview = Self::default();
        let mut walk = Some(Walk::START);
        while let Some(from) = walk {
            let page = kept.due_clients(&expiry, now.after_days(DAYS), from, PAGE_RECORDS).await?;
            for (client, due) in page.due {
                preview.take(kept, client, due).await?;
            }
            walk = page.next;
        }
        Ok(Some(preview))
    }

    async fn take(
        &mut self,
        store: &Store,
        client: ClientIdentifier,
        due: Due,
    ) -> Result<(), StoreError> {
        match due {
            Due::Dormant => self.dormant += 1,
            Due::Removal(_) => self.removed += 1,
        }
        if self.first.len() < NAMED_MAX {
            let metadata = match &client {
                ClientIdentifier::Registered(id) => store.client(*id).await?.map(|it| it.metadata),
                ClientIdentifier::Document(url) => {
                    store.document_client(url).await?.map(|it| it.metadata)
                }
            };
            let metadata: Option<ClientMetadata> =
                metadata.and_then(|text| serde_json::from_str(&text).ok());
            let name = metadata.and_then(|it| it.client_name).map(|name| name.as_str().to_owned());
            self.first.push(Named { client, name, due });
        }
        Ok(())
    }

    fn finding(self, look: Look, config: &Config) -> Finding {
        let data = json!({
            "days": DAYS,
            "dormant": self.dormant,
            "removed": self.removed,
            "first": self.first.iter().map(Named::json).collect::<Vec<_>>(),
        });
        let what = self.text();
        let finding = if self.removed > 0 && !config.authorizes() {
            let advice = "set clients.unused_days = 0 if another server authorizes the clients";
            look.warning(
                format!(
                    "{what}; this server has no sign-in, so it cannot see that clients are used"
                ),
                advice,
            )
        } else {
            look.ok(what)
        };
        Finding { data: Some(data), ..finding }
    }

    fn text(&self) -> String {
        let Self { dormant, removed, first } = self;
        let counts = format!(
            "in the next {DAYS} days, unless they are used: {dormant} become dormant, {removed} are removed"
        );
        if first.is_empty() {
            return counts;
        }
        let names: Vec<String> = first.iter().map(Named::text).collect();
        let more = (dormant + removed).saturating_sub(first.len() as u64);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("{counts}: {}{more}", names.join(", "))
    }
}

impl Named {
    const fn due(&self) -> &'static str {
        match self.due {
            Due::Dormant => "dormant",
            Due::Removal(Lapse::Unused) => "removed, unused",
            Due::Removal(Lapse::Idle) => "removed, idle",
            Due::Removal(Lapse::Over) => "removed, by a rule",
        }
    }

    fn text(&self) -> String {
        let name = self.name.as_ref().map_or_else(|| self.client.to_string(), Clone::clone);
        format!("{name} ({})", self.due())
    }

    fn json(&self) -> Value {
        let (outcome, reason) = match self.due {
            Due::Dormant => ("dormant", Lapse::Idle),
            Due::Removal(lapse) => ("removed", lapse),
        };
        json!({
            "client_id": self.client.to_string(),
            "client_name": self.name,
            "outcome": outcome,
            "reason": reason.as_str(),
        })
    }
}
