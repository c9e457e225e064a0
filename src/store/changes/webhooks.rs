//! Where each webhook is in the trail.

use crate::clock::Timestamp;
use crate::store::{
    TrailPosition,
    column::{Columns as _, Stored as _, Value},
    statements::webhooks,
    transaction::Transaction,
    webhooks::WebhookCursor,
};

/// Gives each of these webhooks a cursor, and takes it from all others.
pub(in crate::store) async fn begin_webhooks<T: Transaction>(
    change: &mut T,
    names: &[String],
) -> Result<(), T::Fault> {
    let cursors: Vec<WebhookCursor> = change.select(&webhooks::SELECT_ALL, &[]).await?;
    for gone in cursors.iter().filter(|cursor| !names.contains(&cursor.webhook)) {
        change.execute(&webhooks::DROP, &[gone.webhook.value()]).await?;
    }
    for name in names {
        let parameters = [name.value(), Value::FIRST, Value::FIRST];
        change.execute(&webhooks::BEGIN, &parameters).await?;
    }
    Ok(())
}

pub(in crate::store) async fn advance_webhook<T: Transaction>(
    change: &mut T,
    webhook: &String,
    from: &TrailPosition,
    to: &TrailPosition,
) -> Result<usize, T::Fault> {
    let mut parameters = vec![webhook.value()];
    to.write(&mut |value| parameters.push(value));
    from.write(&mut |value| parameters.push(value));
    change.execute(&webhooks::ADVANCE, &parameters).await
}

pub(in crate::store) async fn note_webhook_failure<T: Transaction>(
    change: &mut T,
    webhook: &String,
    at: Timestamp,
    failure: &String,
) -> Result<usize, T::Fault> {
    let parameters = [webhook.value(), at.value(), failure.value()];
    change.execute(&webhooks::NOTE_FAILURE, &parameters).await
}
