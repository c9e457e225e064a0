//! The end of tokens before their time (RFC 7009). Whatever token of a grant is revoked, the grant ends, and
//! with it every other token of it: a client that gives one of them up gives up what it was allowed. Grants
//! of other installations of the same client are others, and stay.

use super::{access_token, client::Client, error::TokenError, request::required};
use crate::{
    app::App,
    audit::{Action, Author},
    clock::Timestamp,
    grant::{GrantId, RefreshToken},
    http::form::Form,
};

/// What became of a token.
pub(super) enum Revoked {
    Ended,
    /// It is none of this client's, or not any more.
    Nothing,
}

/// Revokes a token of this client. One that is unknown, expired or another's is passed over in silence
/// (RFC 7009 §2.2): the answer tells nobody which tokens there are. `token_type_hint` is not needed, since a
/// token says what it is.
pub(super) async fn revoke(
    app: &App,
    client: &Client,
    form: &Form<'_>,
    by: Author,
) -> Result<Revoked, TokenError> {
    let token = required(form, "token")?;
    if let Some(id) = grant_of(app, token, by.at).await?
        && let Some(grant) = app.store.grant(id).await?
        && grant.client == client.identifier
    {
        app.store.revoke_grant(id, Action::TokenRevoked, "by_client", by).await?;
        return Ok(Revoked::Ended);
    }
    Ok(Revoked::Nothing)
}

/// The grant that a token of ours comes from.
async fn grant_of(app: &App, token: &str, now: Timestamp) -> Result<Option<GrantId>, TokenError> {
    if let Ok(refresh_token) = token.parse::<RefreshToken>() {
        let grant = app.store.grant(refresh_token.grant).await?;
        let family = refresh_token.family.hash();
        let refresh = grant.and_then(|grant| grant.refresh);
        let is_of_family = refresh.is_some_and(|kept| kept.family.matches(&family));
        return Ok(is_of_family.then_some(refresh_token.grant));
    }
    Ok(access_token::read(app, token, now).and_then(|claims| claims.grant()))
}
