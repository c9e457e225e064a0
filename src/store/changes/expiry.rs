//! What time ends: grants, clients, and events.

use serde_json::json;

use super::{
    clients::{Tombstone, delete, put_standing},
    families::lock_each,
    grants::{Ending, end_grants},
};
use crate::{
    audit::{Action, Author, EventId},
    client::ClientIdentifier,
    grant::GrantId,
    store::{
        ClientUse, DocumentClientRecord, Due, Expired, Expiry, GrantRecord, Lapse, Life, Standing,
        column::{Stored as _, Value},
        family_record::family_of,
        statements::{clients, document_clients, events, grants, sweep},
        transaction::Transaction,
    },
};

/// Deletes those of these grants that have expired or lost their client, and returns how many.
pub(in crate::store) async fn expire_grants<T: Transaction>(
    change: &mut T,
    ids: &[GrantId],
    by: &Author,
) -> Result<usize, T::Fault> {
    let (mut told, mut deleted) = (Vec::new(), 0);
    for id in ids {
        let gone: Vec<GrantRecord> =
            change.select(&sweep::EXPIRE_GRANT, &[id.value(), by.at.value()]).await?;
        deleted += gone.len();
        for grant in &gone {
            let ending = if grant.is_live(by.at) { &Ending::ORPHANED } else { &Ending::EXPIRED };
            told.extend(ending.event(grant, by));
        }
    }
    change.insert(&events::INSERT, &told).await?;
    Ok(deleted)
}

/// A client under the lock of the change.
struct Locked {
    client: ClientIdentifier,
    metadata: String,
    life: Life,
}

async fn lock<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
) -> Result<Option<Locked>, T::Fault> {
    let locked = |metadata: &String, life| Locked {
        client: client.clone(),
        metadata: metadata.clone(),
        life,
    };
    Ok(match client {
        ClientIdentifier::Registered(id) => {
            let found = super::clients::locked(change, *id).await?;
            found.map(|record| locked(&record.metadata, Life::from(&record)))
        }
        ClientIdentifier::Document(url) => {
            let url = [Value::text(url.as_str())];
            let found: Vec<DocumentClientRecord> =
                change.select(&document_clients::SELECT_AND_LOCK, &url).await?;
            found.first().map(|record| locked(&record.metadata, Life::from(record)))
        }
    })
}

/// Locks those of these clients that exist, and then their families, which the removed ones leave: family by family, this
/// change and another one that counts clients could wait for each other.
async fn lock_all<T: Transaction>(
    change: &mut T,
    clients: &[ClientIdentifier],
) -> Result<Vec<Locked>, T::Fault> {
    let mut all = Vec::with_capacity(clients.len());
    for client in clients {
        all.extend(lock(change, client).await?);
    }
    let families = all.iter().filter_map(|locked| family_of(&locked.metadata)).collect();
    lock_each(change, families).await?;
    Ok(all)
}

/// Makes clients dormant and removes them, if they are still due: a person may have allowed one since it was found.
/// [`super::allow`] locks the client as well, so that one of the two changes sees what the other did.
pub(in crate::store) async fn expire_clients<T: Transaction>(
    change: &mut T,
    clients: &[ClientIdentifier],
    expiry: &Expiry,
    by: &Author,
) -> Result<Expired, T::Fault> {
    let (mut outcome, mut told) = (Expired::default(), Vec::new());
    for mut locked in lock_all(change, clients).await? {
        let client = &locked.client.clone();
        let grants: Vec<GrantRecord> =
            change.select(&grants::SELECT_OF_CLIENT, &[client.value()]).await?;
        restore_use(change, &mut locked, &grants).await?;
        let has_live_grant = grants.iter().any(|grant| grant.is_live(by.at));
        match expiry.due(&locked.life, has_live_grant, by.at) {
            None => {}
            Some(Due::Dormant) => {
                let unused_days = expiry.unused_days(&locked.life, by.at);
                let detail =
                    json!({ "from": "active", "reason": "idle", "unused_days": unused_days });
                let event = by.event(Action::ClientDormant).about(client).with(&detail);
                put_standing(change, Standing::Dormant, event).await?;
                outcome.dormant += 1;
            }
            Some(Due::Removal(lapse)) => {
                let ended = end_grants(change, grants, &Ending::EXPIRED, by).await?;
                delete(change, client, &locked.metadata).await?;
                let tombstone = Tombstone {
                    reason: lapse.as_str(),
                    metadata: &locked.metadata,
                    began_at: locked.life.began_at,
                    grants: if lapse == Lapse::Over { ended } else { 0 },
                    unused_days: (lapse != Lapse::Over)
                        .then(|| expiry.unused_days(&locked.life, by.at)),
                };
                told.push(tombstone.on(by.event(Action::ClientRemoved).about(client)));
                outcome.removed += 1;
            }
        }
    }
    change.insert(&events::INSERT, &told).await?;
    Ok(outcome)
}

/// A client with a grant was used, also if a crash lost its last use before it was stored.
async fn restore_use<T: Transaction>(
    change: &mut T,
    locked: &mut Locked,
    grants: &[GrantRecord],
) -> Result<(), T::Fault> {
    let authorized_at = grants.iter().map(|grant| grant.issued_at).max();
    if let (ClientIdentifier::Registered(client_id), None, Some(used_at)) =
        (&locked.client, locked.life.used_at, authorized_at)
    {
        let use_of = ClientUse { client_id: *client_id, used_at };
        change.insert(&clients::NOTE_USE, &[use_of]).await?;
        locked.life.used_at = Some(used_at);
    }
    Ok(())
}

/// Deletes the events from `first` to `last`, but for removals of clients from `removals_end` on.
pub(in crate::store) async fn forget_events<T: Transaction>(
    change: &mut T,
    first: EventId,
    last: EventId,
    removals_end: EventId,
) -> Result<usize, T::Fault> {
    change.execute(&events::DELETE, &[first.value(), last.value(), removals_end.value()]).await
}
