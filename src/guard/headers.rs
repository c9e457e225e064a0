//! Headers on their way through the built-in proxy: which requests are ambiguous, and what reaches the upstream and the
//! client.
//!
//! `Connection` is processed first (RFC 9110 §7.6.1), then the client's copies of identity headers go, and identity is
//! set last by the caller. In that order, no client can forge an identity or remove one.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
        EXPECT, FORWARDED, HOST, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE,
        STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{Authorized, Guarded};
use crate::config::IdentityHeaders;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// Hop-by-hop headers, beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that the guard decides by, beside `Mcp-*`: one value each, and no hop-by-hop header.
const DECIDED_BY: [HeaderName; 5] = [AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN];

/// Headers of requests that the proxy consumes or sets itself.
const OWN: [HeaderName; 6] =
    [AUTHORIZATION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderName::from_static("x-real-ip")];

/// Headers that would have an upstream serve another target or method than the one that was decided about.
const OVERRIDES: [&str; 7] = [
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Prefixes of request headers that only the proxy may set: servers read a person in the last three, since other
/// proxies set them.
const OWN_PREFIXES: [&str; 5] =
    ["doorward-", "x-forwarded-", "x-auth-request-", "remote-", "x-remote-"];

/// Headers of answers by which an upstream would speak for all of the host.
const OF_THE_HOST: [HeaderName; 4] =
    [ALT_SVC, CLEAR_SITE_DATA, SERVICE_WORKER_ALLOWED, STRICT_TRANSPORT_SECURITY];

impl Guarded {
    /// The plain headers that carry identity. What no header can hold in ASCII is in the assertion alone.
    pub(crate) fn identity_headers(
        &self,
        authorized: &Authorized,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let IdentityHeaders { subject, email, groups, client_id, scope } =
            &self.settings.identity_headers;
        let identity = &authorized.identity;
        let value_of_groups = groups.as_ref().and_then(|_| identity.groups());
        let values = [
            (subject, Some(&*authorized.subject)),
            (email, identity.email.as_deref()),
            (groups, value_of_groups.as_deref()),
            (client_id, Some(&*authorized.client_id)),
            (scope, Some(&*authorized.scope)),
        ];
        let header = |name: &Option<String>| HeaderName::from_bytes(name.as_ref()?.as_bytes()).ok();
        let pairs = values.into_iter();
        pairs
            .filter_map(|(name, value)| Some((header(name)?, HeaderValue::from_str(value?).ok()?)))
            .collect()
    }

    /// The names of the plain headers that carry identity.
    pub(crate) fn identity_names(&self) -> Vec<HeaderName> {
        let names = self.settings.identity_headers.names();
        names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect()
    }
}

/// Why the guard and an upstream could read two different requests from one head.
pub(crate) fn ambiguity(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Some("Transfer-Encoding and Content-Length are both present");
    }
    let is_repeated = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_some();
    if headers.keys().filter(|name| decides(name)).any(|name| is_repeated(&name)) {
        return Some(
            "Authorization, Content-Encoding, Content-Type, Host, Origin, and Mcp-* headers must not be repeated",
        );
    }
    if connection_names(headers).any(|name| decides(&name)) {
        return Some("Connection names a header that is not hop-by-hop");
    }
    None
}

/// The same of the question of a proxy: Envoy joins a repeated header with commas before it asks.
pub(super) fn joined(headers: &HeaderMap) -> Option<&'static str> {
    let has_comma = |name: &str| {
        headers.get(name).is_some_and(|value: &HeaderValue| value.as_bytes().contains(&b','))
    };
    // No value of these has a comma: names that a header cannot hold come in Base64.
    let names = ["mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"];
    names.into_iter().any(has_comma).then_some("Mcp-* headers must not be repeated or have a comma")
}

fn decides(name: &HeaderName) -> bool {
    DECIDED_BY.contains(name) || name.as_str().starts_with("mcp-")
}

/// The headers of a client's request that reach the upstream. `identity` are the plain headers that carry identity:
/// the client's copies go, in every spelling that a gateway interface (CGI, WSGI, Rack) reads as the same name.
pub(crate) fn to_upstream(headers: &HeaderMap, identity: &[HeaderName]) -> HeaderMap {
    let named: Vec<HeaderName> = connection_names(headers).collect();
    let mut kept = HeaderMap::with_capacity(headers.keys_len() + 8);
    for (name, value) in headers {
        if named.contains(name) || is_withheld(name, identity) {
            continue;
        }
        if name == COOKIE {
            if let Some(value) = without_own_cookies(value) {
                kept.append(COOKIE, value);
            }
            continue;
        }
        kept.append(name.clone(), value.clone());
    }
    kept
}

/// Whether a proxy that asks must remove a header of the client, although the proxy knows framing and `Connection` itself:
/// one by which the client could pass for somebody else. What proxies set themselves stays.
pub(super) fn is_forged(name: &HeaderName, identity: &[HeaderName]) -> bool {
    const OF_PROXIES: [&str; 5] = [
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
    ];
    let of_transport = HOP_BY_HOP.contains(name) || [CONTENT_LENGTH, EXPECT, HOST].contains(name);
    !of_transport && !OF_PROXIES.contains(&name.as_str()) && is_withheld(name, identity)
}

fn is_withheld(name: &HeaderName, identity: &[HeaderName]) -> bool {
    let is_ours = |name: &str| {
        OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || OVERRIDES.contains(&name)
            || HOP_BY_HOP.iter().chain(&OWN).chain(identity).any(|own| name == canonical(own))
    };
    let text = name.as_str();
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return is_ours(text);
    }
    let alias = canonical(name);
    is_ours(&alias) || alias.starts_with("mcp-") || DECIDED_BY.iter().any(|own| *alias == *own)
}

/// The name as a gateway interface would read it: all punctuation is the same.
fn canonical(name: &HeaderName) -> String {
    name.as_str().replace(|character: char| !character.is_ascii_alphanumeric(), "-")
}

/// Removes from an upstream's answer what must not reach the client.
pub(crate) fn to_client(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_names(headers).collect();
    for name in HOP_BY_HOP.iter().chain(&OF_THE_HOST).chain(&named) {
        headers.remove(name);
    }
    let is_own = |value: &HeaderValue| is_own_cookie(value.as_bytes());
    if headers.get_all(SET_COOKIE).iter().any(is_own) {
        let others: Vec<HeaderValue> =
            headers.get_all(SET_COOKIE).iter().filter(|value| !is_own(value)).cloned().collect();
        headers.remove(SET_COOKIE);
        for value in others {
            headers.append(SET_COOKIE, value);
        }
    }
}

/// What `Connection` names, as far as it can be a header.
fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
}

/// `Cookie` without the cookies of this server; `None` when nothing is left.
fn without_own_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    let pairs = || value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    if !pairs().any(is_own_cookie) {
        return Some(value.clone());
    }
    let others: Vec<&[u8]> = pairs().filter(|pair| !is_own_cookie(pair)).collect();
    let others = others.join(&b"; "[..]);
    (!others.is_empty()).then(|| HeaderValue::from_bytes(&others).ok()).flatten()
}

/// Whether a pair, or the start of `Set-Cookie`, names a cookie of this server. Browsers compare prefixes without
/// regard to case, and take a pair without `=` for a value that they send without a name (RFC 6265bis §5.6).
fn is_own_cookie(pair: &[u8]) -> bool {
    let pair = pair.split(|byte| *byte == b';').next().unwrap_or_default();
    let nameless = pair.trim_ascii_start().strip_prefix(b"=").unwrap_or(pair);
    let text = nameless.trim_ascii().to_ascii_lowercase();
    let name = [&b"__host-"[..], b"__secure-"].iter().find_map(|prefix| text.strip_prefix(*prefix));
    name.unwrap_or(&text).starts_with(b"doorward")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers
                .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// The names that are left of one header beside an ordinary one.
    fn left(lines: &[(&str, &str)]) -> Vec<String> {
        let identity = [HeaderName::from_static("x-user"), HeaderName::from_static("remote_email")];
        let kept = to_upstream(&headers(lines), &identity);
        kept.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn a_repeated_header_that_the_guard_decides_by_is_ambiguous() {
        for name in [
            "authorization",
            "host",
            "origin",
            "content-type",
            "content-encoding",
            "mcp-session-id",
            "mcp-name",
            "mcp-method",
            "mcp-param-region",
            "mcp-protocol-version",
        ] {
            assert_eq!(ambiguity(&headers(&[(name, "a")])), None, "{name}");
            for second in ["a", "b", ""] {
                assert!(ambiguity(&headers(&[(name, "a"), (name, second)])).is_some(), "{name}");
            }
        }
        assert_eq!(ambiguity(&headers(&[("accept", "a"), ("accept", "b")])), None);
    }

    #[test]
    fn two_framings_are_ambiguous() {
        let both = [("transfer-encoding", "chunked"), ("content-length", "3")];
        assert!(ambiguity(&headers(&both)).is_some());
        assert_eq!(ambiguity(&headers(&both[..1])), None);
        assert_eq!(ambiguity(&headers(&both[1..])), None);
    }

    #[test]
    fn a_connection_that_names_what_the_guard_decides_by_is_ambiguous() {
        for named in ["Authorization", "close, Origin", "x ,\tMCP-Name ", "host", "Content-Type"] {
            assert!(ambiguity(&headers(&[("connection", named)])).is_some(), "{named}");
        }
        let two = headers(&[("connection", "close"), ("connection", "mcp-session-id")]);
        assert!(ambiguity(&two).is_some());
        for named in ["close", "keep-alive, X-Other", "Doorward-Assertion", ",, ;", ""] {
            assert_eq!(ambiguity(&headers(&[("connection", named)])), None, "{named}");
        }
    }

    #[test]
    fn hop_by_hop_headers_and_all_that_connection_names_go() {
        let sent = [
            ("connection", "close, X-One"),
            ("connection", "x-two,X-Three"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABk"),
            ("accept", "*/*"),
        ];
        assert_eq!(left(&sent), ["accept"]);
    }

    #[test]
    fn a_client_sets_no_identity_in_any_spelling() {
        for name in [
            "Doorward-Assertion",
            "Doorward_Assertion",
            "DOORWARD-anything",
            "Doorward_any_thing",
            "doorward.assertion",
            "x-user",
            "x_user",
            "X_USER",
            "remote_email",
            "remote-email",
            "x-forwarded-for",
            "x_forwarded_user",
            "x-forwarded-host",
            "forwarded",
            "x-real-ip",
            "x_real_ip",
        ] {
            assert_eq!(left(&[("accept", "*/*"), (name, "forged")]), ["accept"], "{name}");
        }
    }

    #[test]
    fn a_client_overrides_neither_the_target_nor_the_method() {
        for name in OVERRIDES {
            assert!(left(&[(name, "/admin")]).is_empty(), "{name}");
            assert!(left(&[(&name.replace('-', "_"), "/admin")]).is_empty(), "{name}");
        }
    }

    #[test]
    fn aliases_of_what_the_guard_decides_by_go() {
        for name in ["mcp_session_id", "mcp-session_id", "authorization", "content_type", "origin_"]
        {
            let expected: &[&str] = if name == "origin_" { &["origin_"] } else { &[] };
            assert_eq!(left(&[(name, "x")]), expected, "{name}");
        }
        assert_eq!(left(&[("mcp-session-id", "x"), ("x_api_key", "y")]).len(), 2);
    }

    #[test]
    fn the_token_the_host_and_the_framing_of_the_client_go() {
        let sent = [
            ("authorization", "Bearer secret"),
            ("host", "mcp.example.com"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("content-type", "application/json"),
        ];
        assert_eq!(left(&sent), ["content-type"]);
    }

    #[test]
    fn cookies_of_this_server_never_reach_an_upstream() {
        for (sent, kept) in [
            ("a=1; b=2", Some("a=1; b=2")),
            ("doorward-session=s", None),
            ("a=1;doorward-session=s ; b=2", Some("a=1; b=2")),
            ("__Host-doorward-session=s; a=1", Some("a=1")),
            ("__hOST-Doorward-session-x=s", None),
            ("__Secure-doorward=s", None),
            ("doorward-sign-in.id=s", None),
            ("=doorward-session=s; a", Some("a")),
            ("adoorward=1", Some("adoorward=1")),
        ] {
            let upstream = to_upstream(&headers(&[("cookie", sent)]), &[]);
            let value = upstream.get(COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(value, kept, "{sent}");
        }
    }

    #[test]
    fn an_upstream_sets_no_cookie_of_this_server() {
        let mut answer = headers(&[
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "doorward-session=theirs"),
            ("set-cookie", " __Host-doorward-session=theirs; Secure; Path=/"),
            ("set-cookie", "__HOST-DOORWARD-SESSION=theirs"),
            ("set-cookie", "=doorward-session=theirs"),
            ("set-cookie", "b=doorward"),
        ]);
        to_client(&mut answer);
        let left: Vec<_> = answer.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=1; Path=/", "b=doorward"]);
    }

    #[test]
    fn an_upstream_does_not_speak_for_the_host() {
        let mut answer = headers(&[
            ("alt-svc", "h3=\":443\""),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("location", "https://elsewhere.example/"),
        ]);
        to_client(&mut answer);
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["location"]);
    }
}
