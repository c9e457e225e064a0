//! A server elsewhere, by its operator API. One connection serves all calls of a command. Redirects are not followed, so
//! that the token goes nowhere else; answers are bounded in size and time.

mod collection;
mod refusal;

use std::{fmt, fs::File, io::Read as _, path::PathBuf, str::FromStr, time::Duration};

use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH},
};
use reqwest::{Client, RequestBuilder, Response, redirect, retry};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::{Host, Url, form_urlencoded};

pub(super) use self::collection::{
    Collection, Query, Read, attributes, below, moment, moment_or_none,
};
use super::{exit::Failure, settings::waiting_runtime};
use crate::internet::Internet;

/// A page of the largest clients, and more.
const BODY_BYTES_MAX: usize = 32 << 20;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// The longest token: an access token.
const TOKEN_BYTES_MAX: u64 = 16 << 10;
/// The variable that holds the token.
const TOKEN: &str = "DOORWARD_TOKEN";

/// The issuer of a server: `https`, or `http` to this machine alone, since the token travels with each call.
#[derive(Clone, Debug)]
pub(super) struct ServerUrl(String);

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Url =
            text.parse().map_err(|_| "write the issuer URL, such as https://auth.example.com")?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err("write the issuer URL, such as https://auth.example.com"),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err("the URL must begin with https://, since the token is sent to it");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL must not hold a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the URL must have no query and no fragment");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server, and what opens its operator API.
pub(super) struct Server {
    url: ServerUrl,
    /// `Authorization`, marked as sensitive.
    authorization: HeaderValue,
    client: Client,
    runtime: Runtime,
}

impl Reply {
    /// Whether the resource does not exist.
    pub(super) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// Whether there is such a resource already.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT
    }

    /// Whether a member of the body breaks a rule.
    pub(super) fn is_invalid(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }
}

/// What the server answers: a success, or a refusal that the caller of [`Server::call`] may expect.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    /// `null` where the body is empty.
    document: Value,
    /// The version of the resource.
    pub(super) etag: Version,
}

/// Why a call has no reply.
#[derive(Debug)]
pub(super) enum CallError {
    /// A later call may have one: the server was not reached, or could not answer then.
    MayPass(Failure),
    /// A later call has none either.
    Lasts(Failure),
}

impl CallError {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::MayPass(failure) | Self::Lasts(failure) => failure,
        }
    }
}

/// The version of a resource; `None` means any.
pub(super) type Version = Option<HeaderValue>;

impl Server {
    /// Reads the token; nothing is sent yet.
    pub(super) fn new(url: ServerUrl, token_file: Option<PathBuf>) -> Result<Self, Failure> {
        let authorization = authorization(token_file)?;
        let runtime = waiting_runtime()?;
        let cannot_connect = || format!("cannot prepare connections to {url}");
        let tls = runtime
            .block_on(Internet::System.tls_config())
            .map_err(Failure::of(cannot_connect()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .http1_only()
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Failure::of(cannot_connect()))?;
        Ok(Self { url, authorization, client, runtime })
    }

    /// Reads a resource or a list.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Reply, Failure> {
        self.wait_for(self.ask(path, query)).map_err(CallError::into_failure)
    }

    /// The same, for work that [`Self::wait_for`] runs.
    pub(super) async fn ask(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Reply, CallError> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let separator = if query.is_empty() { "" } else { "?" };
        self.answer(self.request(Method::GET, &format!("{path}{separator}{query}"))).await
    }

    /// Changes a resource; only in the version of `etag`, if there is one.
    pub(super) fn patch(&self, path: &str, etag: Version, body: &Value) -> Result<Reply, Failure> {
        self.change(Method::PATCH, path, etag, Some(body))
    }

    /// Creates a resource of this kind.
    pub(super) fn create(
        &self,
        path: &str,
        kind: &str,
        attributes: &Value,
    ) -> Result<Reply, Failure> {
        let body = json!({ "data": { "type": kind, "attributes": attributes } });
        self.post(path, Some(&body))
    }

    /// Calls an operation of a collection.
    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Reply, Failure> {
        self.change(Method::POST, path, None, body)
    }

    /// Removes a resource.
    pub(super) fn remove(&self, path: &str) -> Result<Reply, Failure> {
        self.change(Method::DELETE, path, None, None)
    }

    fn change(
        &self,
        method: Method,
        path: &str,
        etag: Version,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let mut request = self.request(method, path);
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.call(request)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.header(ACCEPT, "application/json").header(AUTHORIZATION, &self.authorization)
    }

    fn call(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        self.wait_for(self.answer(request)).map_err(CallError::into_failure)
    }

    /// Runs work that calls the server itself.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Reply, CallError> {
        let unreachable = |error| CallError::MayPass(self.unreachable(error));
        let answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = self.read(answer).await?;
        let document = if body.is_empty() {
            Value::Null
        } else {
            // What stands before the API, such as a proxy, answers in other formats.
            serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::new()))
        };
        let reply = Reply { status, document, etag: headers.get(ETAG).cloned() };
        match reply.failure(&self.url, &headers) {
            Some(failure)
                if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS =>
            {
                Err(CallError::MayPass(failure))
            }
            Some(failure) => Err(CallError::Lasts(failure)),
            None => Ok(reply),
        }
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, CallError> {
        let unreachable = |error| CallError::MayPass(self.unreachable(error));
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                let url = &self.url;
                return Err(CallError::Lasts(Failure::because(format!(
                    "the answer of {url} is larger than {BODY_BYTES_MAX} bytes: ask for less with --limit"
                ))));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// `Authorization` with the token in the file, or in the environment.
fn authorization(file: Option<PathBuf>) -> Result<HeaderValue, Failure> {
    let (place, text) = if let Some(path) = file {
        let place = path.display().to_string();
        let text = read_token(&path).map_err(Failure::of(format!("cannot read {place}")))?;
        (place, text)
    } else {
        let variables = crate::config::environment();
        let token = variables.into_iter().find(|(name, _)| name == TOKEN);
        (TOKEN.to_owned(), token.map(|(_, token)| token).unwrap_or_default())
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::Usage(format!(
            "--server needs an operator token, and {place} has none: set {TOKEN}, or name a file with --token-file. \
             `doorward operator token create` creates a token"
        )));
    }
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_plain);
    let mut value = value.ok_or_else(|| Failure::Usage(format!("{place} holds no token")))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read_token(path: &std::path::Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_over_https_or_to_this_machine_alone() {
        for (text, expected) in [
            ("https://auth.example.com", Some("https://auth.example.com")),
            ("https://auth.example.com/", Some("https://auth.example.com")),
            ("https://example.com:8443/auth/", Some("https://example.com:8443/auth")),
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("http://auth.example.com", None),
            ("http://10.0.0.1", None),
            ("http://localhost.example.com", None),
            ("ftp://localhost", None),
            ("https://user@auth.example.com", None),
            ("https://user:secret@auth.example.com", None),
            ("https://auth.example.com/?a=b", None),
            ("https://auth.example.com/#a", None),
            ("auth.example.com", None),
            ("", None),
        ] {
            let url = text.parse::<ServerUrl>().ok();
            assert_eq!(url.map(|url| url.0).as_deref(), expected, "{text}");
        }
    }
}
