//! `grant_type=authorization_code` (RFC 6749 §4.1.3, OAuth 2.1 §4.1.3): exchanges a code for tokens, once.

use super::{
    access_token::{self, Extent},
    client::Client,
    error::TokenError,
    request::required,
    response,
};
use crate::{
    app::App,
    audit::{Action, Author},
    client::GrantType,
    clock::Timestamp,
    grant::{AuthorizationCode, CodeVerifier, RefreshToken, ResourceIndicator},
    http::form::Form,
    store::{GrantRecord, Purchase, Redeemed, RefreshRecord},
};

const INVALID: TokenError = TokenError::InvalidGrant("code");

/// Redeems a code. The response is built before the store is changed, so nothing can fail after the change.
pub(super) async fn redeem(
    app: &App,
    client: &Client,
    grant: Option<GrantRecord>,
    form: &Form<'_>,
    by: &Author,
) -> Result<String, TokenError> {
    let now = by.at;
    let code: AuthorizationCode = required(form, "code")?.parse().map_err(|_| INVALID)?;
    let redirect_uri = form.one("redirect_uri")?;
    // OAuth 2.1 §4.1.3: every code has a challenge, so every request needs a verifier.
    let verifier =
        CodeVerifier::parse(required(form, "code_verifier")?).map_err(|_| TokenError::Verifier)?;
    // A request with both parameters may have looked up the grant of the other one.
    let grant = grant.filter(|grant| grant.grant_id == code.grant).ok_or(INVALID)?;
    let is_bound = code.secret.hash().matches(&grant.code.hash)
        && grant.client == client.identifier
        && redirect_uri.is_none_or(|uri| uri == grant.code.redirect_uri);
    if !is_bound {
        return Err(INVALID);
    }
    if !grant.code.challenge.is_met_by(&verifier) {
        return Err(TokenError::Verifier);
    }
    if grant.code.redeemed_at.is_some() {
        return Err(used_again(app, &grant, by).await);
    }
    if grant.code.expires_at <= now {
        return Err(INVALID);
    }
    let refresh_token = client
        .grant_types
        .as_slice()
        .contains(&GrantType::RefreshToken)
        .then(|| RefreshToken::generate(grant.grant_id, &app.entropy));
    let purchase = purchase(app, &grant, refresh_token.as_ref(), now);
    let (scope, resources) = (grant.scope.clone(), narrowed(&grant, form)?);
    let extent = Extent { scope, resources, expires_at: purchase.expires_at };
    let access_token = access_token::issue(app, &grant, &extent, now)?;
    let body = response::body(&access_token, refresh_token.as_ref(), extent.scope.as_ref());
    let event = by.event(Action::GrantRedeemed).about_grant(&grant);
    match app.store.redeem_code(grant.grant_id, purchase, event).await? {
        Redeemed::Now => Ok(body),
        Redeemed::Before => Err(used_again(app, &grant, by).await),
        Redeemed::NotThere => Err(INVALID),
    }
}

/// The change to the store that redeems the code.
fn purchase(
    app: &App,
    grant: &GrantRecord,
    refresh_token: Option<&RefreshToken>,
    now: Timestamp,
) -> Purchase {
    let settings = &app.config.token;
    let refresh = refresh_token.map(|token| RefreshRecord {
        family: token.family.hash(),
        current: token.secret.hash(),
        previous: None,
        expires_at: now.after_days(settings.refresh_token_idle_days),
    });
    let expires_at = match refresh {
        Some(_) => grant.issued_at.after_days(settings.grant_lifetime_days),
        None => now.after_seconds(settings.access_token_lifetime_seconds),
    };
    Purchase { at: now, expires_at, refresh }
}

/// Ends the grant of a code that is redeemed twice with the right verifier: either caller may be a thief, so the
/// tokens of the first exchange are revoked (OAuth 2.1 §4.1.2). A caller without the verifier does not get this far:
/// otherwise strangers could end the grants of others.
async fn used_again(app: &App, grant: &GrantRecord, by: &Author) -> TokenError {
    tracing::warn!(grant.id = %grant.grant_id, "an authorization code was used again");
    app.metrics.tokens.codes_used_again.add_one();
    let by = by.clone();
    match app.store.revoke_grant(grant.grant_id, Action::GrantReused, "code", by).await {
        Ok(_) => INVALID,
        Err(error) => error.into(),
    }
}

/// The requested resources, which must be among the allowed ones; all of them if the request names none (RFC 8707
/// §2.2).
pub(super) fn narrowed<'grant>(
    grant: &'grant GrantRecord,
    form: &Form<'_>,
) -> Result<Vec<&'grant ResourceIndicator>, TokenError> {
    let mut named: Vec<&ResourceIndicator> = Vec::new();
    for text in form.all("resource") {
        let asked = ResourceIndicator::parse(text).map_err(|_| TokenError::InvalidTarget)?;
        let allowed = grant.resources.iter().find(|allowed| allowed.names_the_same(&asked));
        let allowed = allowed.ok_or(TokenError::InvalidTarget)?;
        if !named.contains(&allowed) {
            named.push(allowed);
        }
    }
    Ok(if named.is_empty() { grant.resources.iter().collect() } else { named })
}
