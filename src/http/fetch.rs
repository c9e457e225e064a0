//! Fetches what others publish, from URLs that may be a stranger's: the one place from which this server
//! sends requests into the internet (Client ID Metadata Document §8.6; "SSRF" in `docs/protocol.md`).
//!
//! A name is resolved once, all its addresses are checked, and the connection can lead to these alone: it
//! belongs to a client of its own, which knows no other addresses, keeps no connection and follows nothing.
//! No proxies, cookies, redirects, retries or compressed bodies; one deadline over all; a bound on the body.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use reqwest::{Client, RequestBuilder, Response, dns, redirect, retry};
use tokio::{sync::OnceCell, time::timeout};
use url::{Host, Url, form_urlencoded};

use crate::{internet::Internet, special_use::is_public};

/// What a server sees of us.
const USER_AGENT: &str = concat!("Doorward/", env!("CARGO_PKG_VERSION"));

/// Where requests may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A stranger's URL: over https to public addresses, each of them, on a port that is no other service's.
    Public,
    /// The same where the server itself is only there for this machine, which is public enough then
    /// (Client ID Metadata Document §8.6 lets development do so).
    PublicOrLoopback,
    /// A URL of the operator's: anywhere over https, over http to this machine alone.
    Configured,
}

/// Sends requests, each on a connection of its own.
#[derive(Debug)]
pub(crate) struct Fetcher {
    internet: Internet,
    reach: Reach,
    bytes_max: usize,
    within: Duration,
    /// Made when it is needed first, from whom the machine trusts then.
    tls: OnceCell<rustls::ClientConfig>,
}

/// A JSON document that was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why nothing was fetched. `Display` holds nothing of what the other server sent, and does not tell an
/// address of ours from one that is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("this URL is not one that is fetched here")]
    Url,
    #[error("the host has no address")]
    Unresolved(#[source] io::Error),
    #[error("the host has an address that is not public")]
    NotPublic,
    #[error("the host could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// We could not even try.
    #[error("nothing can be fetched")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the host did not answer in full within {0} seconds")]
    Late(u64),
    /// A redirect is one as well.
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

impl Fetcher {
    /// Answers may have `bytes_max` bytes and must have arrived `within` this, counted from the question
    /// for the name.
    pub(crate) fn new(
        internet: Internet,
        reach: Reach,
        bytes_max: usize,
        within: Duration,
    ) -> Self {
        Self { internet, reach, bytes_max, within, tls: OnceCell::new() }
    }

    /// The document at `url`; only status 200 counts.
    pub(crate) async fn get(&self, url: &Url) -> Result<Fetched, FetchError> {
        self.in_time(async {
            let answer = self.send(url, |client| client.get(url.clone())).await?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            self.read(answer).await
        })
        .await
    }

    /// What `url` answers to a form, whatever the status.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        authorization: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.in_time(async {
            let request = |client: &Client| {
                let request = client
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form);
                match authorization {
                    Some(value) => request.header(AUTHORIZATION, value),
                    None => request,
                }
            };
            let answer = self.send(url, request).await?;
            self.read(answer).await
        })
        .await
    }

    async fn in_time<T>(
        &self,
        fetched: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let late = Err(FetchError::Late(self.within.as_secs()));
        timeout(self.within, fetched).await.unwrap_or(late)
    }

    async fn send(
        &self,
        url: &Url,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Response, FetchError> {
        let addresses = self.checked_addresses(url).await?;
        let client = self.client(addresses).await?;
        let request = request(&client).header(ACCEPT, "application/json");
        request.send().await.map_err(|error| FetchError::Unreachable(error.without_url()))
    }

    /// All addresses of the host, if every one may be connected to.
    async fn checked_addresses(&self, url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        if !self.reach.admits_url(url) {
            return Err(FetchError::Url);
        }
        let addresses = match url.host() {
            Some(Host::Domain(name)) => {
                self.internet.addresses(name).await.map_err(FetchError::Unresolved)?
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

    /// A client that can connect to these addresses and no others, whatever name it is given.
    async fn client(&self, addresses: Vec<IpAddr>) -> Result<Client, FetchError> {
        let tls = self.tls.get_or_try_init(|| self.internet.tls_config());
        let tls = tls.await.map_err(|error| FetchError::Setup(error.into()))?;
        Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Checked(addresses))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .pool_max_idle_per_host(0)
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
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            if body.len() + piece.len() > self.bytes_max {
                return Err(FetchError::TooLarge(self.bytes_max));
            }
            body.extend_from_slice(&piece);
        }
        let headers = std::mem::take(answer.headers_mut());
        Ok(Fetched { status: answer.status(), headers, body: body.freeze() })
    }
}

fn broken(error: reqwest::Error) -> FetchError {
    FetchError::Broken(error.without_url())
}

impl Reach {
    /// Whether this may be fetched, as far as can be told before its host is known.
    fn admits_url(self, url: &Url) -> bool {
        match self {
            Self::Public | Self::PublicOrLoopback => {
                let port = url.port_or_known_default().unwrap_or_default();
                // Below are the services of machines, none of which would hand out a document.
                url.scheme() == "https" && (port == 443 || port >= 1024)
            }
            Self::Configured => matches!(url.scheme(), "https" | "http"),
        }
    }

    fn admits_address(self, address: IpAddr, is_encrypted: bool) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::PublicOrLoopback => is_public(address) || address.is_loopback(),
            Self::Configured => is_encrypted || address.is_loopback(),
        }
    }
}

/// Whether the answer says that it is `application/json`, or another type that is written in JSON
/// (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(text)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix("application/") else { return false };
    subtype == "json" || subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty())
}

/// The addresses that were checked, as the answer to any question.
struct Checked(Vec<IpAddr>);

impl dns::Resolve for Checked {
    fn resolve(&self, _: dns::Name) -> dns::Resolving {
        // The port of the URL takes the place of the 0.
        let addresses: Vec<SocketAddr> = self.0.iter().map(|&ip| (ip, 0).into()).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as dns::Addrs) })
    }
}
