//! Events about what changes nothing else.

use crate::store::{EventRecord, statements::events, transaction::Transaction};

/// Stores events alone: about what changes nothing else, as a denied consent.
pub(in crate::store) async fn record_events<T: Transaction>(
    change: &mut T,
    events: &[EventRecord],
) -> Result<usize, T::Fault> {
    change.insert(&events::INSERT, events).await
}
