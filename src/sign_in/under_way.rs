//! A sign-in under way at a provider, sealed in a cookie of the browser that began it.
//!
//! The server stores nothing of it: a stranger who begins sign-ins costs no disk, and any node with the operator's
//! secret finishes what another one began. The key follows from that secret and the `state`; so the cookie opens
//! only beside the answer it belongs to, and an answer is worth nothing in another browser (login CSRF). The
//! provider is sealed in it, against mix-ups. Each sign-in has a cookie of its own, so tabs do not disturb each
//! other.
//!
//! A cookie is cleared when its answer arrives. A copy of it can be replayed until it expires, which signs nobody
//! in: the provider redeems a code once, and the ID token must repeat the nonce. The replay costs a request to the
//! provider, so failures count against the source as sign-ins do.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;

use super::{held::Held, session::cookies};
use crate::{
    app::App, clock::Timestamp, entropy::Entropy, grant::CodeVerifier, http::answer::Response,
    secret, secret::Secret, store::SessionId,
};

/// The name of the cookies, before the identifier of the sign-in.
const COOKIE: &str = "doorward-sign-in";

/// The prefix of a `state`, so that leaked values can be recognized.
const STATE: &str = "dwu_";

/// How long a person may take at the provider, in seconds.
const SECONDS_MAX: u32 = 600;

/// The most bytes of the authorization request that waits. Browsers store 4,096 bytes of a cookie (RFC 6265bis
/// §5.6), of which the name, base64, and the rest of the content take about a third.
pub(super) const WAITING_BYTES_MAX: usize = 2_600;

/// The most bytes of these cookies in one browser: proxies commonly accept 8 KiB of a header.
const BYTES_MAX: usize = 6 << 10;

/// The most sign-ins under way in one browser.
const COUNT_MAX: usize = 5;

/// A sign-in under way.
pub(super) struct UnderWay {
    /// The identifier, and the secret that ties the response to the browser's cookie.
    held: Held,
    /// The `id` of the provider, in the settings.
    pub(super) provider: String,
    /// The nonce that the ID token must repeat.
    pub(super) nonce: String,
    /// The PKCE verifier for the provider's token endpoint (RFC 7636).
    pub(super) verifier: CodeVerifier,
    /// The query of the authorization request that waits.
    pub(super) authorization_request: String,
}

impl UnderWay {
    pub(super) fn begin(provider: &str, request: &str, now: Timestamp, entropy: &Entropy) -> Self {
        Self {
            held: Held::generate(now, entropy),
            provider: provider.to_owned(),
            nonce: secret::text("", &[Secret::generate(entropy).as_bytes()]),
            verifier: CodeVerifier::generate(entropy),
            authorization_request: request.to_owned(),
        }
    }

    /// The `state` that the provider repeats in its response.
    pub(super) fn state(&self) -> String {
        self.held.text(STATE)
    }

    /// Sets the cookie of this sign-in. The oldest ones make room.
    pub(super) fn hold(
        &self,
        app: &App,
        headers: &HeaderMap,
        now: Timestamp,
        response: &mut Response,
    ) {
        let content = self.content(now);
        let issuer = &app.config.server.issuer;
        let sealed = app.keys.seal_sign_in(&self.state(), issuer, content.as_bytes());
        let value = BASE64_URL_SAFE_NO_PAD.encode(sealed);
        for id in oldest(app, headers, value.len()) {
            clear(app, id, response);
        }
        cookies(app).set_one(response, (COOKIE, &name(self.held.id)), &value, SECONDS_MAX);
    }

    /// The sign-in that this browser began with the `state` of a response; `None` if it is over, made up, or from
    /// another browser.
    pub(super) fn returned(app: &App, headers: &HeaderMap, state: &str) -> Option<Self> {
        let held = Held::read(state, STATE)?;
        let name = name(held.id);
        let cookies = cookies(app).read_each(headers, COOKIE);
        let (_, value) = cookies.into_iter().find(|(id, _)| *id == name)?;
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let content = app.keys.open_sign_in(state, &app.config.server.issuer, sealed)?;
        Self::read(held, str::from_utf8(&content).ok()?, app.clock.now())
    }

    /// Deletes the cookie of this sign-in.
    pub(super) fn end(&self, app: &App, response: &mut Response) {
        clear(app, self.held.id, response);
    }

    /// The encrypted content, one member a line; no member contains a line break.
    fn content(&self, now: Timestamp) -> String {
        let expires_at = now.after_seconds(SECONDS_MAX.into()).as_millis();
        let Self { provider, nonce, authorization_request, .. } = self;
        let verifier = self.verifier.as_str();
        format!("{expires_at}\n{provider}\n{nonce}\n{verifier}\n{authorization_request}")
    }

    fn read(held: Held, content: &str, now: Timestamp) -> Option<Self> {
        let mut lines = content.splitn(5, '\n');
        let mut line = || lines.next();
        let expires_at = Timestamp::from_millis(line()?.parse().ok()?);
        let read = Self {
            held,
            provider: line()?.to_owned(),
            nonce: line()?.to_owned(),
            verifier: CodeVerifier::parse(line()?).ok()?,
            authorization_request: line()?.to_owned(),
        };
        (now < expires_at).then_some(read)
    }
}

/// The sign-ins that make room for one of so many bytes. Their identifiers sort by the time of their start.
fn oldest(app: &App, headers: &HeaderMap, bytes: usize) -> Vec<SessionId> {
    let mut held: Vec<(SessionId, usize)> = Vec::new();
    for (name, value) in cookies(app).read_each(headers, COOKIE) {
        held.extend(id(&name).map(|id| (id, value.len())));
    }
    held.sort_unstable();
    let mut left = BYTES_MAX.saturating_sub(bytes);
    let is_kept = |(nth, (_, bytes)): (usize, &(SessionId, usize))| {
        left = left.saturating_sub(*bytes);
        nth + 1 < COUNT_MAX && left > 0
    };
    let kept = held.iter().rev().enumerate().map(is_kept).take_while(|is_kept| *is_kept).count();
    held.truncate(held.len() - kept);
    held.into_iter().map(|(id, _)| id).collect()
}

fn clear(app: &App, id: SessionId, response: &mut Response) {
    cookies(app).set_one(response, (COOKIE, &name(id)), "", 0);
}

/// The suffix of the cookie's name, unique to the sign-in.
fn name(id: SessionId) -> String {
    secret::text("", &[id.as_bytes()])
}

fn id(name: &str) -> Option<SessionId> {
    secret::read(name, "").map(SessionId::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn a_cookie_of_the_longest_request_fits_into_a_browser() {
        let request = "x".repeat(WAITING_BYTES_MAX);
        let sign_in = UnderWay::begin(&"p".repeat(32), &request, NOW, &Entropy::seeded(1));
        // The nonce and the tag of the seal.
        let sealed = sign_in.content(NOW).len() + 12 + 16;
        let name = format!("__Host-{COOKIE}-AAAAAAAAAAA.{}=", name(sign_in.held.id));
        assert!(sealed.div_ceil(3) * 4 + name.len() <= 4_096, "{sealed}");
    }

    #[test]
    fn what_was_sealed_is_read_as_it_was_until_it_expires() {
        let entropy = Entropy::seeded(1);
        let sign_in = UnderWay::begin("acme", "client_id=x", NOW, &entropy);
        let content = sign_in.content(NOW);
        let read = |after| {
            let held = Held::generate(NOW, &entropy);
            UnderWay::read(held, &content, NOW.after_seconds(after))
        };
        let again = read(599).unwrap();
        assert_eq!((again.provider.as_str(), &again.nonce), ("acme", &sign_in.nonce));
        assert_eq!(again.verifier.as_str(), sign_in.verifier.as_str());
        assert_eq!(again.authorization_request, "client_id=x");
        assert!(read(600).is_none());
    }
}
