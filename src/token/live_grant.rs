//! The current state of the grant behind a token.

use crate::{
    app::App,
    clock::Timestamp,
    grant::GrantId,
    identified_client,
    store::{GrantOfClient, GrantRecord, StoreError},
};

/// The grant, unless it was revoked or has expired, or its client was removed or is blocked.
pub(crate) async fn live_grant(
    app: &App,
    id: GrantId,
    now: Timestamp,
) -> Result<Option<GrantRecord>, StoreError> {
    let Some(GrantOfClient { grant, client }) = app.store.grant_of_client(id).await? else {
        return Ok(None);
    };
    if grant.expires_at <= now || !identified_client::is_live(app, &grant, client) {
        return Ok(None);
    }
    identified_client::note_use(app, &grant.client);
    Ok(Some(grant))
}
