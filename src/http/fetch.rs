//! Fetches documents from URLs that a stranger may have chosen: the one place from which this server sends requests
//! to the internet (Client ID Metadata Document §8.6).
//!
//! A host name is resolved once, all its addresses are checked, and the connection can lead only to these addresses:
//! each request has an HTTP client of its own, which knows no other addresses. No proxies, cookies, redirects,
//! retries, or compressed bodies; one deadline for everything; a maximum size of the body.

mod connected;
mod posted;

use std::{
    borrow::Cow,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use reqwest::{Client, RequestBuilder, Response, dns, redirect, retry};
use tokio::{sync::OnceCell, time::timeout};
use url::{Host, Url, form_urlencoded};

pub(crate) use self::connected::Connected;
use super::form::FORM;
use crate::{
    internet::{Internet, Place},
    special_use::{is_private, is_public},
    traces::{StepSpan, around, note_status, propagate},
};

/// The `User-Agent` of all outgoing requests.
const USER_AGENT: &str = concat!("Doorward/", env!("CARGO_PKG_VERSION"));

/// The servers that a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A stranger's URL: over https to public addresses only, on a port that no other service uses.
    Public,
    /// The same, and loopback too, for a server that only this machine can reach (Client ID Metadata Document §8.6
    /// permits it for development).
    PublicOrLoopback,
    /// An operator's URL: any address over https, and this machine over http.
    Configured,
    /// An operator's URL that may lead into private networks, there over http too; public addresses over https only.
    Private,
}

/// Sends requests, each on a connection of its own.
#[derive(Debug)]
pub(crate) struct Fetcher {
    internet: Internet,
    reach: Reach,
    bytes_max: usize,
    within: Duration,
    /// Built for the first request, from the certificates that the machine trusts at that time.
    tls: OnceCell<rustls::ClientConfig>,
}

/// A fetched JSON document.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why a fetch failed. `Display` holds nothing of the response, and is the same for an unknown host and for a host in
/// our network: otherwise strangers could find out the names of our network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("this URL is not one that is fetched here")]
    Url,
    #[error("the host cannot be reached, or not at a public address")]
    Unresolved(#[source] io::Error),
    /// At least one address of the host is not public.
    #[error("the host cannot be reached, or not at a public address")]
    NotPublic,
    #[error("the host cannot be reached, or not at a public address")]
    Unreachable(#[source] reqwest::Error),
    /// The request could not be prepared.
    #[error("nothing can be fetched")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the host did not answer in full within {0} seconds")]
    Late(u64),
    /// An unexpected status, such as a redirect.
    #[error("the host answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the answer is not JSON, or says that it is not")]
    NotJson,
    #[error("the answer is compressed, which was not asked for")]
    Encoded,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

impl FetchError {
    /// Whether the server says that the document does not exist.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Status(StatusCode::NOT_FOUND | StatusCode::GONE))
    }

    /// The reason in one word, for traces.
    fn kind(&self) -> Cow<'static, str> {
        match self {
            Self::Url => "url".into(),
            Self::Unresolved(_) => "unresolved".into(),
            Self::NotPublic => "not_public".into(),
            Self::Unreachable(_) => "unreachable".into(),
            Self::Setup(_) => "setup".into(),
            Self::Late(_) => "timeout".into(),
            Self::Status(status) => status.as_str().to_owned().into(),
            Self::NotJson => "not_json".into(),
            Self::Encoded => "encoded".into(),
            Self::TooLarge(_) => "too_large".into(),
            Self::Broken(_) => "broken".into(),
        }
    }

    /// Whether a later try may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Url => false,
            Self::Status(_) => !self.is_gone(),
            Self::Unresolved(_)
            | Self::NotPublic
            | Self::Unreachable(_)
            | Self::Setup(_)
            | Self::Late(_)
            | Self::NotJson
            | Self::Encoded
            | Self::TooLarge(_)
            | Self::Broken(_) => true,
        }
    }
}

impl Fetcher {
    /// A fetcher for responses of at most `bytes_max` bytes that arrive `within` this time, counted from the lookup
    /// of the name.
    pub(crate) fn new(
        internet: Internet,
        reach: Reach,
        bytes_max: usize,
        within: Duration,
    ) -> Self {
        Self { internet, reach, bytes_max, within, tls: OnceCell::new() }
    }

    /// Fetches the document at `url`; any status but 200 is an error. The fetch holds `place`, and so does a DNS
    /// lookup that outlives it.
    pub(crate) async fn get(&self, url: &Url, place: Place) -> Result<Fetched, FetchError> {
        self.in_time(&Method::GET, url, async {
            let answer = self.send(url, &place, |client| client.get(url.clone())).await?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            self.read(answer).await
        })
        .await
    }

    /// Posts a form to `url` and returns the response, whatever its status.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        authorization: Option<HeaderValue>,
        place: Place,
    ) -> Result<Fetched, FetchError> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.in_time(&Method::POST, url, async {
            let request = |client: &Client| {
                let request = client.post(url.clone()).header(CONTENT_TYPE, FORM).body(form);
                match authorization {
                    Some(value) => request.header(AUTHORIZATION, value),
                    None => request,
                }
            };
            let answer = self.send(url, &place, request).await?;
            self.read(answer).await
        })
        .await
    }

    /// Sends one request within the deadline, as a step in the trace of the request that needs it.
    async fn in_time<T>(
        &self,
        method: &Method,
        url: &Url,
        fetched: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let step = StepSpan::request(method, url);
        let late = Err(FetchError::Late(self.within.as_secs()));
        let outcome = around(step.as_ref(), timeout(self.within, fetched)).await.unwrap_or(late);
        if let (Some(step), Err(error)) = (&step, &outcome) {
            step.failed(error.kind());
        }
        outcome
    }

    async fn send(
        &self,
        url: &Url,
        place: &Place,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Response, FetchError> {
        let addresses = self.checked_addresses(url, place).await?;
        let client = self.client(addresses, 0).await?;
        let mut context = HeaderMap::new();
        if self.reach.is_the_operators() {
            propagate(&mut context);
        }
        let request = request(&client).header(ACCEPT, "application/json").headers(context);
        let answer = request.send().await;
        let answer = answer.map_err(|error| FetchError::Unreachable(error.without_url()))?;
        note_status(answer.status());
        Ok(answer)
    }

    /// All addresses of the host, if each of them may be connected to.
    async fn checked_addresses(&self, url: &Url, place: &Place) -> Result<Vec<IpAddr>, FetchError> {
        if !self.reach.admits_url(url) {
            return Err(FetchError::Url);
        }
        let addresses = match url.host() {
            Some(Host::Domain(name)) => {
                let found = self.internet.addresses(name, Arc::clone(place)).await;
                found.map_err(FetchError::Unresolved)?
            }
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            None => return Err(FetchError::Url),
        };
        if addresses.is_empty() {
            return Err(FetchError::Unresolved(io::ErrorKind::NotFound.into()));
        }
        let is_encrypted = url.scheme() == "https";
        let is_admitted = |address: &IpAddr| self.reach.admits_address(*address, is_encrypted);
        addresses.iter().all(is_admitted).then_some(addresses).ok_or(FetchError::NotPublic)
    }

    /// An HTTP client that connects to these addresses only, whatever name it is given, and keeps at most `kept`
    /// connections.
    async fn client(&self, addresses: Vec<IpAddr>, kept: usize) -> Result<Client, FetchError> {
        let tls = self.tls.get_or_try_init(|| self.internet.tls_config());
        let tls = tls.await.map_err(|error| FetchError::Setup(error.into()))?;
        Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Checked(addresses))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .pool_max_idle_per_host(kept)
            .http1_only()
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| FetchError::Setup(error.into()))
    }

    async fn read(&self, mut answer: Response) -> Result<Fetched, FetchError> {
        let encoding = answer.headers().get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(FetchError::Encoded);
        }
        if !is_json(answer.headers()) {
            return Err(FetchError::NotJson);
        }
        let body = self.body(&mut answer).await?;
        let headers = std::mem::take(answer.headers_mut());
        Ok(Fetched { status: answer.status(), headers, body })
    }

    async fn body(&self, answer: &mut Response) -> Result<Bytes, FetchError> {
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            if body.len() + piece.len() > self.bytes_max {
                return Err(FetchError::TooLarge(self.bytes_max));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

fn broken(error: reqwest::Error) -> FetchError {
    FetchError::Broken(error.without_url())
}

impl Reach {
    /// Whether the operator named the server, so that it may see our trace identifiers.
    fn is_the_operators(self) -> bool {
        match self {
            Self::Public | Self::PublicOrLoopback => false,
            Self::Configured | Self::Private => true,
        }
    }

    /// Whether the URL may be fetched, as far as the URL alone tells.
    fn admits_url(self, url: &Url) -> bool {
        match self {
            Self::Public | Self::PublicOrLoopback => {
                let port = url.port_or_known_default().unwrap_or_default();
                // Lower ports belong to other services, none of which would serve a document.
                url.scheme() == "https" && (port == 443 || port >= 1024)
            }
            Self::Configured | Self::Private => matches!(url.scheme(), "https" | "http"),
        }
    }

    fn admits_address(self, address: IpAddr, is_encrypted: bool) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::PublicOrLoopback => is_public(address) || address.is_loopback(),
            Self::Configured => is_encrypted || address.is_loopback(),
            Self::Private => {
                let is_near = is_private(address) || address.is_loopback();
                is_near || is_encrypted && is_public(address)
            }
        }
    }
}

/// Whether the response says that it is `application/json`, or another type in JSON (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(text)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix("application/") else { return false };
    subtype == "json" || subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty())
}

/// The checked addresses, as the response to every DNS lookup.
struct Checked(Vec<IpAddr>);

impl dns::Resolve for Checked {
    fn resolve(&self, _: dns::Name) -> dns::Resolving {
        // The HTTP client replaces port 0 by the port of the URL.
        let addresses: Vec<SocketAddr> = self.0.iter().map(|&ip| (ip, 0).into()).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as dns::Addrs) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use rustls::RootCertStore;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinSet,
    };

    use super::*;

    const MAX: usize = 64;
    const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

    fn place() -> Place {
        Arc::new(())
    }

    /// An internet in which every name has these addresses, and the count of its lookups.
    fn internet(addresses: &[&str]) -> (Internet, Arc<AtomicUsize>) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let names = move |_: &str| {
            counted.fetch_add(1, Relaxed);
            addresses.clone()
        };
        let roots = Arc::new(RootCertStore::empty());
        (Internet::Staged { names: Arc::new(names), roots }, asked)
    }

    fn fetcher(reach: Reach, addresses: &[&str]) -> Fetcher {
        Fetcher::new(internet(addresses).0, reach, MAX, Duration::from_secs(10))
    }

    async fn checked(reach: Reach, url: &str, addresses: &[&str]) -> Result<usize, FetchError> {
        let url = Url::parse(url).unwrap();
        fetcher(reach, addresses).checked_addresses(&url, &place()).await.map(|them| them.len())
    }

    /// Serves one connection with `answer`. Returns its URL, and a task that yields the request.
    async fn serve(answer: String, stays: bool) -> (Url, JoinSet<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://door.example:{}/a", listener.local_addr().unwrap().port());
        let mut asked = JoinSet::new();
        asked.spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = connection.read(&mut request).await.unwrap();
            request.truncate(read);
            connection.write_all(answer.as_bytes()).await.unwrap();
            if stays {
                drop(connection.read(&mut [0]).await);
            }
            String::from_utf8(request).unwrap()
        });
        (Url::parse(&url).unwrap(), asked)
    }

    async fn get(answer: &str) -> Result<Fetched, FetchError> {
        let (url, _asked) = serve(answer.to_owned(), false).await;
        fetcher(Reach::Configured, &["127.0.0.1"]).get(&url, place()).await
    }

    #[tokio::test]
    async fn a_strangers_url_is_fetched_from_public_addresses_alone() {
        for (url, addresses) in [
            ("https://a.example/c", &["1.1.1.1", "2606:4700::1111"][..]),
            ("https://a.example:8443/c", &["64:ff9b::101:101"]),
            ("https://1.1.1.1/c", &[]),
            ("https://[2606:4700::1111]/c", &[]),
        ] {
            assert!(checked(Reach::Public, url, addresses).await.is_ok(), "{url} {addresses:?}");
        }
        for (url, addresses) in [
            ("https://a.example/c", &["1.1.1.1", "10.0.0.1"][..]),
            ("https://a.example/c", &["::1", "1.1.1.1"]),
            ("https://a.example/c", &["64:ff9b::a00:1"]),
            ("https://127.0.0.1/c", &["1.1.1.1"]),
            ("https://0x7f.1/c", &["1.1.1.1"]),
            ("https://2130706433/c", &["1.1.1.1"]),
            ("https://[::ffff:169.254.169.254]/c", &["1.1.1.1"]),
        ] {
            let checked = checked(Reach::Public, url, addresses).await;
            assert!(matches!(checked, Err(FetchError::NotPublic)), "{url} {addresses:?}");
        }
        let nowhere = checked(Reach::Public, "https://a.example/c", &[]).await;
        assert!(matches!(nowhere, Err(FetchError::Unresolved(_))));
    }

    #[tokio::test]
    async fn a_url_that_is_not_fetched_costs_no_lookup() {
        for url in ["http://a.example/c", "https://a.example:25/c", "ftp://a.example/c"] {
            let (internet, asked) = internet(&["1.1.1.1"]);
            let fetcher = Fetcher::new(internet, Reach::Public, MAX, Duration::from_secs(10));
            let answer = fetcher.get(&Url::parse(url).unwrap(), place()).await;
            assert!(matches!(answer, Err(FetchError::Url)), "{url}");
            assert_eq!(asked.load(Relaxed), 0);
        }
    }

    #[tokio::test]
    async fn development_reaches_this_machine_and_configured_urls_lead_anywhere() {
        let https = "https://a.example:8443/c";
        assert!(checked(Reach::PublicOrLoopback, https, &["127.0.0.1", "::1"]).await.is_ok());
        assert!(checked(Reach::PublicOrLoopback, https, &["10.0.0.1"]).await.is_err());
        assert!(checked(Reach::PublicOrLoopback, https, &["::ffff:127.0.0.1"]).await.is_err());
        assert!(checked(Reach::Configured, https, &["10.0.0.1"]).await.is_ok());
        let http = "http://a.example/c";
        assert!(checked(Reach::Configured, http, &["127.0.0.1"]).await.is_ok());
        for addresses in [&["10.0.0.1"][..], &["127.0.0.1", "1.1.1.1"]] {
            assert!(checked(Reach::Configured, http, addresses).await.is_err());
        }
    }

    #[tokio::test]
    async fn private_networks_are_reached_over_http_too_and_link_local_addresses_never() {
        for (url, address, expected) in [
            ("http://a.example/c", "10.0.0.1", true),
            ("http://a.example/c", "fd00::1", true),
            ("http://a.example/c", "127.0.0.1", true),
            ("https://a.example/c", "192.168.0.1", true),
            ("https://a.example/c", "1.1.1.1", true),
            ("http://a.example/c", "1.1.1.1", false),
            ("http://a.example/c", "169.254.169.254", false),
            ("https://a.example/c", "169.254.169.254", false),
            ("https://a.example/c", "100.64.0.1", false),
        ] {
            let checked = checked(Reach::Private, url, &[address]).await;
            assert_eq!(checked.is_ok(), expected, "{url} {address}");
        }
        assert!(
            checked(Reach::Private, "http://a.example/c", &["10.0.0.1", "1.1.1.1"]).await.is_err()
        );
    }

    #[tokio::test]
    async fn a_request_says_who_asks_and_for_what_and_nothing_more() {
        let (url, mut asked) = serve(format!("{JSON}\r\n{{}}"), false).await;
        let (internet, lookups) = internet(&["127.0.0.1"]);
        let fetcher = Fetcher::new(internet, Reach::Configured, MAX, Duration::from_secs(10));
        let answer = fetcher.get(&url, place()).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"{}"[..]));
        assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
        assert_eq!(lookups.load(Relaxed), 1, "a name is looked up once");
        let request = asked.join_next().await.unwrap().unwrap().to_ascii_lowercase();
        let mut lines: Vec<&str> = request.trim_end().lines().collect();
        lines.sort_unstable();
        let host = format!("host: door.example:{}", url.port().unwrap());
        let agent = format!("user-agent: {}", USER_AGENT.to_ascii_lowercase());
        assert_eq!(lines, ["accept: application/json", "get /a http/1.1", &host, &agent]);
    }

    #[tokio::test]
    async fn a_form_is_posted_and_answered_with_any_status() {
        let refused = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\n\r\n{\"error\":\"x\"}";
        let (url, mut asked) = serve(refused.to_owned(), false).await;
        let answer = fetcher(Reach::Configured, &["127.0.0.1"])
            .post_form(
                &url,
                &[("a", "b c"), ("d", "&")],
                Some(HeaderValue::from_static("Basic eA==")),
                place(),
            )
            .await
            .unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (400, &b"{\"error\":\"x\"}"[..]));
        let request = asked.join_next().await.unwrap().unwrap();
        assert!(
            request.contains("content-type: application/x-www-form-urlencoded\r\n"),
            "{request}"
        );
        assert!(request.contains("authorization: Basic eA==\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\na=b+c&d=%26"), "{request}");
    }

    #[tokio::test]
    async fn only_status_200_counts_and_nothing_is_followed() {
        for status in [201, 202, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308, 404, 410, 500] {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
            let there = "location: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
            match get(&format!("{head}{there}")).await {
                Err(FetchError::Status(other)) => assert_eq!(other.as_u16(), status),
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn only_json_is_taken_and_uncompressed() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(
                get(&format!("HTTP/1.1 200 X\r\ncontent-type: {kind}\r\n\r\n{{}}")).await.is_ok()
            );
        }
        for kind in ["text/html", "text/json", "application/+json", "application/jsonp", "x"] {
            let answer = get(&format!("HTTP/1.1 200 X\r\ncontent-type: {kind}\r\n\r\n{{}}")).await;
            assert!(matches!(answer, Err(FetchError::NotJson)), "{kind}");
        }
        assert!(matches!(get("HTTP/1.1 200 X\r\n\r\n{}").await, Err(FetchError::NotJson)));
        let answer = get(&format!("{JSON}content-encoding: gzip\r\n\r\n{{}}")).await;
        assert!(matches!(answer, Err(FetchError::Encoded)));
    }

    #[tokio::test]
    async fn a_body_may_be_as_large_as_the_bound() {
        let of = |length: usize| format!("{JSON}\r\n{}", "x".repeat(length));
        assert_eq!(get(&of(MAX)).await.unwrap().body.len(), MAX);
        assert!(matches!(get(&of(MAX + 1)).await, Err(FetchError::TooLarge(MAX))));
        let cut_off = get(&format!("{JSON}content-length: 9\r\n\r\n{{}}")).await;
        assert!(matches!(cut_off, Err(FetchError::Broken(_))), "{cut_off:?}");
    }

    #[tokio::test]
    async fn one_deadline_covers_head_and_body() {
        for so_far in ["", "HTTP/1.1 200 OK\r\n", &format!("{JSON}\r\n{{")] {
            let (url, _asked) = serve(so_far.to_owned(), true).await;
            let (internet, _) = internet(&["127.0.0.1"]);
            let within = Duration::from_millis(100);
            let answer =
                Fetcher::new(internet, Reach::Configured, MAX, within).get(&url, place()).await;
            assert!(matches!(answer, Err(FetchError::Late(_))), "{so_far:?} {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_host_of_ours_is_not_told_from_one_that_is_not_there() {
        let url = "https://a.example/c";
        let ours = checked(Reach::Public, url, &["10.0.0.1"]).await.unwrap_err();
        let nowhere = checked(Reach::Public, url, &[]).await.unwrap_err();
        assert_eq!(ours.to_string(), nowhere.to_string());
    }
}
