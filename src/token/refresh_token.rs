//! `grant_type=refresh_token` (RFC 6749 §6, OAuth 2.1 §4.3): exchanges the newest refresh token of a grant for its
//! successor and an access token.

use super::{
    access_token::{self, Extent},
    authorization_code::narrowed,
    client::Client,
    error::TokenError,
    request::required,
    response,
};
use crate::{
    app::App,
    audit::Author,
    client::Scope,
    grant::RefreshToken,
    http::form::Form,
    metrics::RefreshOutcome,
    operators,
    store::{GrantRecord, Rotated, Rotation},
};

const INVALID: TokenError = TokenError::InvalidGrant("refresh_token");

/// Rotates a refresh token, and counts the outcome.
pub(super) async fn rotate(
    app: &App,
    client: &Client,
    grant: Option<GrantRecord>,
    form: &Form<'_>,
    by: &Author,
) -> Result<String, TokenError> {
    let rotated = try_to_rotate(app, client, grant, form, by).await;
    let outcome = match &rotated {
        Ok((outcome, _)) => *outcome,
        Err(TokenError::Store(_) | TokenError::Keys(_)) => RefreshOutcome::Failed,
        Err(_) => RefreshOutcome::Invalid,
    };
    app.metrics.refreshes[outcome].add_one();
    rotated?.1.ok_or(INVALID)
}

/// The outcome, and the body of the response, if the client gets one. The body is built before the store is changed,
/// so nothing can fail after the change.
async fn try_to_rotate(
    app: &App,
    client: &Client,
    grant: Option<GrantRecord>,
    form: &Form<'_>,
    by: &Author,
) -> Result<(RefreshOutcome, Option<String>), TokenError> {
    let now = by.at;
    let token: RefreshToken = required(form, "refresh_token")?.parse().map_err(|_| INVALID)?;
    // A request with both parameters may have looked up the grant of the other one.
    let grant = grant.filter(|grant| grant.grant_id == token.grant).ok_or(INVALID)?;
    let family = token.family.hash();
    let of_family = grant.refresh.as_ref().filter(|kept| kept.family.matches(&family));
    let refresh = of_family.filter(|_| grant.client == client.identifier).ok_or(INVALID)?;
    // In the last second of its grant, an access token would expire at once.
    if grant.expires_at.as_seconds() <= now.as_seconds() || refresh.expires_at <= now {
        return Ok((RefreshOutcome::Expired, None));
    }
    // The person has lost the role that the grant needs, at least for now: the client has to ask the person again.
    if !operators::still_back(app, &grant, now).await? {
        return Ok((RefreshOutcome::Expired, None));
    }
    let (scope, resources) = (scope(&grant, form)?, narrowed(&grant, form)?);
    let extent = Extent { scope, resources, expires_at: grant.expires_at };
    let access_token = access_token::issue(app, &grant, &extent, now)?;
    let successor = token.successor(app.keys.successors());
    let settings = &app.config.token;
    let rotation = Rotation {
        family,
        presented: token.secret.hash(),
        successor: successor.secret.hash(),
        at: now,
        expires_at: now.after_days(settings.refresh_token_idle_days),
        graced_from: now.before_seconds(settings.refresh_grace_seconds),
    };
    let body = response::body(&access_token, Some(&successor), extent.scope.as_ref());
    Ok(match app.store.rotate_refresh_token(grant.grant_id, rotation, by).await? {
        Rotated::Succeeded => (RefreshOutcome::Rotated, Some(body)),
        Rotated::Repeated => (RefreshOutcome::Grace, Some(body)),
        Rotated::Refused => (RefreshOutcome::Invalid, None),
        Rotated::Reused => {
            tracing::warn!(grant.id = %grant.grant_id, "an old refresh token was used again");
            app.metrics.tokens.refresh_tokens_used_again.add_one();
            (RefreshOutcome::Reused, None)
        }
    })
}

/// The scope of the access token: that of the grant, or less (RFC 6749 §6). The refresh token keeps the whole scope.
fn scope(grant: &GrantRecord, form: &Form<'_>) -> Result<Option<Scope>, TokenError> {
    let Some(text) = form.one("scope")? else { return Ok(grant.scope.clone()) };
    let asked = Scope::parse(text).map_err(|_| TokenError::InvalidScope)?;
    let is_allowed = |token: &str| {
        grant.scope.as_ref().is_some_and(|scope| scope.tokens().any(|allowed| allowed == token))
    };
    match asked {
        Some(asked) if asked.tokens().all(is_allowed) => Ok(Some(asked)),
        Some(_) => Err(TokenError::InvalidScope),
        None => Ok(grant.scope.clone()),
    }
}
