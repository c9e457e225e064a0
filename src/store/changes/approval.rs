//! Clients that wait for an operator.

use super::clients::{Removed, document_state, remove};
use crate::store::{
    DocumentClientRecord, EventRecord, Standing, StandingChanged, Waiting, WaitingMax,
    column::{Stored as _, Value},
    statements::document_clients,
    transaction::Transaction,
};
use crate::{
    audit::{Action, Author},
    client::ClientIdentifier,
};

/// Records a client with a document that is to wait. `event` says which person asked for it.
pub(in crate::store) async fn hold_document<T: Transaction>(
    change: &mut T,
    document: &DocumentClientRecord,
    max: WaitingMax,
    event: &EventRecord,
) -> Result<Waiting, T::Fault> {
    let subject = event.subject.as_deref().unwrap_or_default();
    let parameters = [
        document.url.value(),
        document.document_client_id.value(),
        document.first_allowed_at.value(),
        document.metadata.value(),
        Value::limit(max.in_total),
        Value::text(subject),
        Value::limit(max.of_one_person),
    ];
    if change.record(&document_clients::HOLD, &parameters, event).await? > 0 {
        return Ok(Waiting::Now);
    }
    let state = document_state(change, &document.url).await?;
    Ok(state.map_or(Waiting::TooMany, |state| Waiting::Is(state.standing)))
}

/// Removes a client if it still waits: an approval at the same moment wins or loses whole.
pub(in crate::store) async fn reject_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    reason: &str,
    by: &Author,
) -> Result<StandingChanged, T::Fault> {
    let Some(removed) = Removed::find(change, client).await? else {
        return Ok(StandingChanged::NotThere);
    };
    if removed.standing != Standing::Pending {
        return Ok(StandingChanged::Is(removed.standing));
    }
    let ended = remove(change, removed, Action::ClientRejected, reason, by).await?;
    Ok(StandingChanged::Now { ended })
}
