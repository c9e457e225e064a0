//! A browser's session: its cookie has an identifier and a secret, and the store has the hash of the secret.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, request::Parts};

use super::{claims, held::Held};
use crate::{
    app::App,
    audit::Actor,
    clock::Timestamp,
    http::request_id::origin,
    http::{answer::Response, cookie::Cookies},
    store::{ResourceOwner, SessionId, SessionRecord, StoreError},
};

/// The name of the cookie.
const COOKIE: &str = "doorward-session";

/// The prefix of the cookie's value, so that leaked values can be recognized.
const PREFIX: &str = "dws_";

/// The least time between two updates of a session in use, in milliseconds.
const PROLONGED_EVERY_MILLIS: u64 = 60_000;

/// The session of a resource owner who is signed in with the requesting browser.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) owner: ResourceOwner,
}

impl Session {
    /// The token that binds a form to this session and to the content that its page is `about` (OAuth 2.1 §7.10).
    pub(crate) fn form_token(&self, app: &App, about: &[u8]) -> String {
        let tag = hmac::sign(app.keys.forms(), &self.signed(about));
        BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    /// Whether the token that a form `sent` matches, in constant time.
    pub(crate) fn made_form(&self, app: &App, about: &[u8], sent: Option<&str>) -> bool {
        let tag = sent.and_then(|sent| BASE64_URL_SAFE_NO_PAD.decode(sent).ok());
        tag.is_some_and(|tag| hmac::verify(app.keys.forms(), &self.signed(about), &tag).is_ok())
    }

    fn signed(&self, about: &[u8]) -> Vec<u8> {
        [self.id.as_bytes(), about].concat()
    }
}

/// The session of the request's cookie, if it has not expired and the settings still let the person in. Each use
/// extends it; a HEAD does not.
pub(crate) async fn session(app: &App, head: &Parts) -> Result<Option<Session>, StoreError> {
    let Some(cookie) = held(app, &head.headers) else { return Ok(None) };
    let now = app.clock.now();
    let Some(kept) = app.store.session(cookie.id).await? else { return Ok(None) };
    if !kept.hash.matches(&cookie.secret.hash()) || kept.idle_at <= now || kept.expires_at <= now {
        return Ok(None);
    }
    // The settings may have become stricter since the sign-in.
    if !claims::may_stay(&app.config.sign_in, &kept.owner) {
        return Ok(None);
    }
    if head.method != Method::HEAD {
        prolong(app, &kept, now).await;
    }
    Ok(Some(Session { id: cookie.id, owner: kept.owner }))
}

/// The newest session of a person, if it has not expired and the settings still let the person in. An app that acts
/// for the person uses the session, which extends it.
pub(crate) async fn newest_session(
    app: &App,
    subject: &str,
    now: Timestamp,
) -> Result<Option<ResourceOwner>, StoreError> {
    let Some(kept) = app.store.newest_session(subject, now).await? else { return Ok(None) };
    if !claims::may_stay(&app.config.sign_in, &kept.owner) {
        return Ok(None);
    }
    prolong(app, &kept, now).await;
    Ok(Some(kept.owner))
}

/// Extends the idle time of a session in use, every now and then.
async fn prolong(app: &App, kept: &SessionRecord, now: Timestamp) {
    let idle_at = idle_at(app, now);
    if idle_at.as_millis() < kept.idle_at.as_millis() + PROLONGED_EVERY_MILLIS {
        return;
    }
    // The session is valid without the update, so a store that cannot be written does not matter.
    if let Err(error) = app.store.prolong_session(kept.session_id, idle_at).await {
        tracing::warn!(%error, "a session could not be prolonged");
    }
}

fn held(app: &App, headers: &HeaderMap) -> Option<Held> {
    Held::read(&cookies(app).read(headers, COOKIE)?, PREFIX)
}

pub(super) fn cookies(app: &App) -> Cookies {
    Cookies::of(&app.config.server.issuer)
}

fn idle_at(app: &App, now: Timestamp) -> Timestamp {
    now.after_seconds(app.config.sign_in.session_idle_minutes * 60)
}

/// Begins a session, and ends the one that the browser had, so its old cookie is useless.
pub(super) async fn begin(
    app: &App,
    head: &Parts,
    owner: ResourceOwner,
    response: &mut Response,
) -> Result<(), StoreError> {
    end(app, head).await?;
    let by = app.author(Actor::Person(owner.subject.clone()), origin(head));
    let now = app.clock.now();
    let new = Held::generate(now, &app.entropy);
    let session = SessionRecord {
        session_id: new.id,
        hash: new.secret.hash(),
        owner,
        signed_in_at: now,
        idle_at: idle_at(app, now),
        expires_at: now.after_seconds(app.config.sign_in.session_lifetime_minutes * 60),
    };
    app.store.begin_session(session, by).await?;
    cookies(app).set(response, COOKIE, &new.text(PREFIX));
    Ok(())
}

/// Ends the session of the browser.
pub(super) async fn end(app: &App, head: &Parts) -> Result<(), StoreError> {
    if let Some(held) = held(app, &head.headers)
        && let Some(kept) = app.store.session(held.id).await?
        && kept.hash.matches(&held.secret.hash())
    {
        let by = app.author(Actor::Person(kept.owner.subject), origin(head));
        app.store.end_session(held.id, by).await?;
    }
    Ok(())
}

/// Deletes the session cookie in the browser.
pub(super) fn forget(app: &App, response: &mut Response) {
    cookies(app).clear(response, COOKIE);
}

/// Entry point of a fuzz target: every cookie value that is read is written back unchanged.
#[cfg(fuzzing)]
pub(super) fn fuzz(value: &str) {
    if let Some(held) = Held::read(value, PREFIX) {
        assert_eq!(held.text(PREFIX), value);
    }
}
