//! The built-in proxy: finds the guarded resource of a request, has the decision made, and passes the request to the
//! upstream of the resource and its answer to the client, neither of them whole.

mod answer_body;
mod cors;
mod errors;
mod exchange;
mod request_body;
mod streams;
#[cfg(test)]
mod tests;
mod upstream;

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Version, header::HOST};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(crate) use self::exchange::{Sender, answer};
use self::{
    streams::{Limits, Streams},
    upstream::{TimeLimits, Upstream},
};
use super::{Guarded, Guards, target::Target};
use crate::{
    app::App,
    config::{Config, Guard},
    grant::GrantId,
    http::{
        body::BodyReader, body_budget::BodyBudget, client_address::Source, request_event::chain,
    },
    internet::Internet,
    paths,
};

/// How often the grants of open streams are looked up.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The documents of all hosts, which the guard answers itself (RFC 9728 §3).
const DOCUMENTS: &str = paths::PROTECTED_RESOURCE;

/// All resources that the built-in proxy protects.
pub(crate) struct Proxies {
    all: Vec<Proxied>,
    /// Host and port of the issuer.
    issuer: String,
    /// Cancelled when the server stops.
    draining: CancellationToken,
    /// Request bodies, answers that are read whole, and unfinished events. Apart from those of everybody else: who fills
    /// it up stops no registration.
    bodies: Arc<BodyBudget>,
    /// Questions of other proxies. The operator named these few peers, and each asks for many callers, so that one may
    /// take all of it; no caller of the built-in proxy shares it.
    questions: BodyBudget,
}

/// A resource with its upstream.
pub(crate) struct Proxied {
    guarded: Arc<Guarded>,
    /// Host and port, without the port that the scheme implies.
    authority: String,
    upstream: Arc<Upstream>,
    streams: Arc<Streams>,
}

/// Where a request belongs.
pub(crate) enum Place<'a> {
    Resource(&'a Proxied),
    /// It is for a host that is not served here.
    OtherHost,
}

impl Proxies {
    pub(crate) fn new(all: &[Guarded], config: &Config, internet: &Internet) -> Self {
        let guarded = all.iter().cloned();
        let connections = &config.connections;
        let body = Duration::from_secs(connections.body_timeout_seconds);
        Self {
            all: guarded.filter_map(|guarded| Proxied::new(guarded, body, internet)).collect(),
            issuer: authority_of(config.issuer_origin()).to_owned(),
            draining: CancellationToken::new(),
            bodies: Arc::new(BodyBudget::new(
                connections.body_bytes_max,
                connections.body_bytes_per_source_max,
            )),
            questions: BodyBudget::new(connections.body_bytes_max, connections.body_bytes_max),
        }
    }

    /// Where a request belongs; `None` to an endpoint of this server.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Option<Place<'_>> {
        if self.all.is_empty() || request.uri().path().starts_with(DOCUMENTS) {
            return None;
        }
        let host = host_of(request)?;
        let path = request.uri().path();
        let here = self.all.iter().filter(|proxied| proxied.is_at(host));
        let longest = |proxied: &&Proxied| proxied.guarded.path.len();
        if let Some(proxied) = here.clone().filter(|proxied| proxied.has(path)).max_by_key(longest)
        {
            return Some(Place::Resource(proxied));
        }
        if same_authority(host, &self.issuer) {
            return None;
        }
        // All of a host of its own is guarded, what belongs to no resource as well.
        if let Some(proxied) = here.max_by_key(longest) {
            return Some(Place::Resource(proxied));
        }
        self.all.iter().any(|proxied| proxied.has(path)).then_some(Place::OtherHost)
    }

    /// How the questions of a proxy that may ask are read.
    pub(super) fn question_reader(&self, app: &App, peer: IpAddr) -> BodyReader<'_> {
        let deadline = Duration::from_secs(app.config.connections.body_timeout_seconds);
        BodyReader { budget: &self.questions, source: Source::of(peer), deadline }
    }

    /// The server stops: streams of events end now, everything else may finish.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }
}

impl Proxied {
    fn new(guarded: Guarded, body: Duration, internet: &Internet) -> Option<Self> {
        let Guard { upstream, connect_timeout_seconds, first_byte_timeout_seconds, .. } =
            &guarded.settings;
        let limits = TimeLimits {
            connect: Duration::from_secs(*connect_timeout_seconds),
            first_byte: Duration::from_secs(*first_byte_timeout_seconds),
            body,
        };
        let upstream = Upstream::new(upstream.as_ref()?, limits, internet.clone())?;
        let streams = Limits {
            in_all: guarded.settings.streams_max,
            per_grant: guarded.settings.streams_per_grant,
        };
        Some(Self {
            authority: authority_of(&guarded.origin).to_owned(),
            upstream: Arc::new(upstream),
            streams: Streams::new(streams, Arc::clone(&guarded.metrics)),
            guarded: Arc::new(guarded),
        })
    }

    fn is_at(&self, host: &str) -> bool {
        same_authority(host, &self.authority)
    }

    /// Whether a path lies in the resource or is named by a rule.
    fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(&*self.guarded.path);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || Target::read(path.as_bytes()).is_ok_and(|target| self.guarded.has(&target))
    }
}

/// Ends the streams of grants that have ended, for as long as it is polled.
pub(crate) async fn end_streams(app: &App, guards: &Guards) {
    if !guards.proxies.all.is_empty() {
        // A store that is slow holds up no stream whose token has expired.
        tokio::join!(end_expired(app, &guards.proxies), end_revoked(app, guards));
    }
}

/// Ends the streams of tokens that expired long enough ago.
async fn end_expired(app: &App, proxies: &Proxies) {
    loop {
        sleep(LOOK_EVERY).await;
        for proxied in &proxies.all {
            proxied.upstream.close_idle();
            let after = proxied.guarded.settings.stream_after_expiry_seconds;
            let now = app.clock.now();
            for open in proxied.streams.grants() {
                if open.expires_at.after_seconds(after) <= now {
                    proxied.streams.end(open.grant);
                }
            }
        }
    }
}

/// Ends the streams of grants that were revoked or have ended. While the store does not answer, streams go on until
/// their tokens expire.
async fn end_revoked(app: &App, guards: &Guards) {
    loop {
        sleep(LOOK_EVERY).await;
        let all = guards.proxies.all.iter();
        let grants: HashSet<GrantId> =
            all.flat_map(|proxied| proxied.streams.grants()).map(|open| open.grant).collect();
        side_by_side(grants.into_iter(), |grant| end_if_revoked(app, guards, grant)).await;
    }
}

async fn end_if_revoked(app: &App, guards: &Guards, grant: GrantId) {
    match guards.liveness.is_alive(app, grant, app.clock.now()).await {
        Ok(true) => {}
        Ok(false) => {
            for proxied in &guards.proxies.all {
                proxied.streams.end(grant);
            }
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "couldn't look up the grants of open streams");
        }
    }
}

/// Does `work` for all items, for eight of them at a time: one by one, thousands of lookups would take longer than
/// streams may outlive their grant.
async fn side_by_side<T, F: Future<Output = ()>>(
    items: impl Iterator<Item = T>,
    work: impl Fn(T) -> F,
) {
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let one_by_one = || async {
        while let Some(item) = next() {
            Box::pin(work(item)).await;
        }
    };
    let pair = || async { tokio::join!(one_by_one(), one_by_one()) };
    tokio::join!(pair(), pair(), pair(), pair());
}

/// The host that a request is for. A target with another host than the header is for none (RFC 9112 §3.2.2).
fn host_of<B>(request: &Request<B>) -> Option<&str> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = request.headers().get(HOST).map(|value| value.to_str().unwrap_or_default());
    match (authority, host) {
        (Some(authority), None) if request.version() >= Version::HTTP_2 => Some(authority),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => Some(""),
        (_, host) => host,
    }
}

/// What stands behind the scheme of an origin.
fn authority_of(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, authority)| authority)
}

/// Whether a host as it was sent is this one. Browsers leave out the port that the scheme implies, others may not; TLS
/// may end in front, so that both schemes' ports mean none.
fn same_authority(sent: &str, own: &str) -> bool {
    let without_port = |text: &str| -> Option<usize> {
        [":80", ":443"].iter().find_map(|port| text.strip_suffix(port)).map(str::len)
    };
    let bare = |text: &str| without_port(text).unwrap_or(text.len());
    let (sent, own) =
        (sent.as_bytes().split_at(bare(sent)).0, own.as_bytes().split_at(bare(own)).0);
    !sent.is_empty() && sent.eq_ignore_ascii_case(own)
}
