//! `/oauth2/grants`: what somebody has allowed, for them to look at and to take back (OAuth 2.1 §7.9).

use std::net::IpAddr;

use http::{StatusCode, request::Parts};
use hyper::body::Incoming;

use super::{
    consent::{ago, destination, document_host, language, name, wanted, wanted_resources},
    endpoint::{shown, sign_in_page, text_of},
    error::PageError,
};
use crate::{
    app::App,
    client::{ClientIdentifier, RedirectUri},
    clock::Timestamp,
    grant::GrantId,
    http::{
        answer::{Response, see_other},
        form::Form,
        same_origin::is_same_origin,
    },
    identified_client,
    pages::{AllowedGrant, FormTarget, GrantsPage, page},
    sign_in::{self, FORM_BYTES_MAX, Session},
    store::{ConsentRecord, GrantRecord, StoreError},
};

/// How many grants are looked up for one page.
const PAGE_MAX: usize = 50;

/// `GET /oauth2/grants`.
pub(crate) async fn grants(app: &App, head: &Parts) -> Response {
    list(app, head).await.unwrap_or_else(|error| shown(app, error))
}

async fn list(app: &App, head: &Parts) -> Result<Response, PageError> {
    let form = Form::parse(head.uri.query().unwrap_or_default().as_bytes())?;
    // What is no grant has all of them before it.
    let before = form.one("before")?.and_then(|id| id.parse().ok());
    let session = sign_in::session(app, head).await.map_err(PageError::Grants)?;
    let Some(session) = session else { return Ok(sign_in_page(app, None, "")) };
    let kept = app.store.newest_grants(&session.owner.subject, before, PAGE_MAX).await;
    let kept = kept.map_err(PageError::Grants)?;
    let now = app.clock.now();
    let mut grants = Vec::new();
    for grant in kept.iter().filter(|grant| grant.expires_at > now) {
        let allowed = allowed(app, &session, grant, language(&head.headers), now).await;
        grants.extend(allowed.map_err(PageError::Grants)?);
    }
    let shown = GrantsPage {
        site: sign_in::site(app),
        account: sign_in::account(&session.owner),
        grants,
        more: kept.get(PAGE_MAX - 1).map(|last| last.grant_id.to_string()),
    };
    Ok(page(&shown, StatusCode::OK, FormTarget::Ourselves))
}

/// What is told of a grant; `None` when its client was deleted, and it with it.
async fn allowed(
    app: &App,
    session: &Session,
    grant: &GrantRecord,
    language: &str,
    now: Timestamp,
) -> Result<Option<AllowedGrant>, StoreError> {
    let name = match &grant.client {
        ClientIdentifier::Registered(id) => match app.store.client(*id).await? {
            Some(record) => name(&identified_client::metadata(&record)?, language),
            None => return Ok(None),
        },
        // Its document is not fetched to be looked at in passing.
        ClientIdentifier::Document(_) => None,
    };
    let redirect_uri = &grant.code.redirect_uri;
    let destination = match RedirectUri::parse(redirect_uri) {
        Ok((uri, reach)) => destination(&uri, reach),
        // By the rules of an earlier release.
        Err(_) => redirect_uri.clone(),
    };
    Ok(Some(AllowedGrant {
        form_token: session.form_token(app, &about(grant.grant_id)),
        grant: grant.grant_id.to_string(),
        destination,
        name,
        document_host: document_host(&grant.client),
        allowed: ago(grant.issued_at, now),
        resources: wanted_resources(app, &grant.resources),
        wanted: wanted(app, grant.scope.as_ref(), None),
    }))
}

/// What the form is about that takes a grant back: no authorization request has a space in it.
fn about(grant: GrantId) -> Vec<u8> {
    format!("take back {grant}").into_bytes()
}

/// `POST /oauth2/grants`: takes a grant back.
pub(crate) async fn take_back(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let taken = async {
        let text = text_of(app, source, &head.headers, body, FORM_BYTES_MAX).await?;
        revoke(app, head, &text).await
    };
    taken.await.unwrap_or_else(|error| shown(app, error))
}

async fn revoke(app: &App, head: &Parts, body: &str) -> Result<Response, PageError> {
    if !is_same_origin(&head.headers, app.config.issuer_origin()) {
        return Err(PageError::ForeignForm);
    }
    let form = Form::parse(body.as_bytes())?;
    let session = sign_in::session(app, head).await.map_err(PageError::Grants)?;
    let Some(session) = session else { return Ok(sign_in_page(app, None, "")) };
    let id: Option<GrantId> = form.one("grant")?.and_then(|id| id.parse().ok());
    // Only the page makes this token, and only of grants that are theirs who look at it.
    let made = form.one("form_token")?;
    let id = id.filter(|id| session.made_form(app, &about(*id), made)).ok_or(PageError::OldForm)?;
    if let Some(grant) = app.store.grant(id).await? {
        let before = app.store.consent(&grant.subject, &grant.client).await?;
        if let Some(consent) = before {
            // The next page is a whole one again.
            let ended = ConsentRecord { expires_at: app.clock.now(), ..consent };
            app.store.keep_consent(ended).await?;
        }
        app.store.revoke_grant(id).await?;
    }
    Ok(see_other(&sign_in::go_on(app, "")))
}
