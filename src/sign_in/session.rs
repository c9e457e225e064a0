//! What a browser holds that has signed in: the name of a session and a secret, of which the hash is kept.

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

/// What the value of the cookie begins with, so that it is known where it was lost.
const PREFIX: &str = "dws_";

/// How seldom a session that is used is written, in milliseconds.
const PROLONGED_EVERY_MILLIS: u64 = 60_000;

/// A resource owner who is signed in with the browser that asks.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) owner: ResourceOwner,
}

impl Session {
    /// What binds a form to this session and to what its page is `about` (OAuth 2.1 §7.10).
    pub(crate) fn form_token(&self, app: &App, about: &[u8]) -> String {
        let tag = hmac::sign(app.keys.forms(), &self.signed(about));
        BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    /// Whether a form that was `sent` comes from such a page, in constant time.
    pub(crate) fn made_form(&self, app: &App, about: &[u8], sent: Option<&str>) -> bool {
        let tag = sent.and_then(|sent| BASE64_URL_SAFE_NO_PAD.decode(sent).ok());
        tag.is_some_and(|tag| hmac::verify(app.keys.forms(), &self.signed(about), &tag).is_ok())
    }

    fn signed(&self, about: &[u8]) -> Vec<u8> {
        [self.id.as_bytes(), about].concat()
    }
}

/// The session that the cookie of a request names, if it lives and whoever began it would still be let in. Being
/// used, it lives on; a HEAD uses nothing.
pub(crate) async fn session(app: &App, head: &Parts) -> Result<Option<Session>, StoreError> {
    let Some(cookie) = held(app, &head.headers) else { return Ok(None) };
    let now = app.clock.now();
    let Some(kept) = app.store.session(cookie.id).await? else { return Ok(None) };
    if !kept.hash.matches(&cookie.secret.hash()) || kept.idle_at <= now || kept.expires_at <= now {
        return Ok(None);
    }
    // The settings may have become stricter since.
    if !claims::may_stay(&app.config.sign_in, &kept.owner) {
        return Ok(None);
    }
    if head.method != Method::HEAD {
        prolong(app, &kept, now).await;
    }
    Ok(Some(Session { id: cookie.id, owner: kept.owner }))
}

/// Who a person is by the newest of their sessions that lives, if they would still be let in. A program that acts for them
/// uses it, so it lives on.
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

/// Lets a session that is used idle anew, every now and then.
async fn prolong(app: &App, kept: &SessionRecord, now: Timestamp) {
    let idle_at = idle_at(app, now);
    if idle_at.as_millis() < kept.idle_at.as_millis() + PROLONGED_EVERY_MILLIS {
        return;
    }
    // The session is good without it, and reading needs no store that can be written.
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

/// Begins a session, and ends the one that the browser had: what it held before, nobody can use any more.
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

/// Ends the session that the browser has.
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

/// Lets the browser forget what it holds.
pub(super) fn forget(app: &App, response: &mut Response) {
    cookies(app).clear(response, COOKIE);
}

/// The door of a fuzz target: what is read as held is what would be written.
#[cfg(fuzzing)]
pub(super) fn fuzz(value: &str) {
    if let Some(held) = Held::read(value, PREFIX) {
        assert_eq!(held.text(PREFIX), value);
    }
}
