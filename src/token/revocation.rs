//! Revocation (RFC 7009). Revoking any token of a grant ends the grant and all its tokens: a client that revokes a
//! token gives up its access. Grants of other installations of the client are not affected.

use super::{access_token, client::Client, error::TokenError, request::required};
use crate::{
    app::App,
    audit::{Action, Author},
    clock::Timestamp,
    grant::{GrantId, RefreshToken},
    http::form::Form,
};

/// The outcome of a revocation.
pub(super) enum Revoked {
    Ended,
    /// The token is not a valid token of this client.
    Nothing,
}

/// Revokes a token of this client. An unknown or expired token, or another client's, is ignored (RFC 7009 §2.2): the
/// response does not reveal which tokens exist. `token_type_hint` is not needed, because the form of a token shows
/// its type.
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

/// The grant of a token that this server issued.
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
