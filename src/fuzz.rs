//! The doors of the fuzz targets (`fuzz/`): any bytes in, a panic where a promise is broken. Built under
//! `cfg(fuzzing)` alone.

use std::net::{IpAddr, Ipv4Addr};

use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, FORWARDED},
};
use ipnet::IpNet;
use url::{Host, Url, form_urlencoded};

use crate::{
    authorization,
    client::{DocumentUrl, ProfileName, Reach, RedirectUri, TokenEndpointAuthMethod},
    config::{self, Config},
    grant::{AuthorizationCode, CodeVerifier, RefreshToken},
    guard::{self, mcp, tool_list},
    http::{
        client_address::{Source, client_address as address_of},
        cookie::Cookies,
        form::Form,
    },
    keys, metadata_policy, provider, registration, sign_in, token,
};

/// Any body, at either door: refused with reasons in printable ASCII, or admitted, and then what was
/// admitted would be admitted again, unchanged.
pub fn registration_body(bytes: &[u8]) {
    let settings = Config::default().registration;
    for profile in [ProfileName::Datadog, ProfileName::Rfc7591] {
        match registration::check(bytes, profile, &settings) {
            Ok(document) => {
                let again = registration::check(document.as_bytes(), profile, &settings);
                assert_eq!(again.as_ref(), Ok(&document), "what is registered would not register");
            }
            Err(violations) => {
                assert!(!violations.is_empty(), "nothing is refused without a reason");
                for violation in violations {
                    assert!(violation.reason.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                }
            }
        }
    }
}

/// Any text as the identifier of a client with a document, and the rest as the document there: what is
/// fetched is what was named, and a document is refused with reasons or describes a client whole.
pub fn metadata_document(bytes: &[u8]) {
    let (line, document) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, bytes),
    };
    let named: Option<DocumentUrl> = str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    if let Some(url) = &named {
        let fetched = url.to_url();
        assert_eq!((fetched.scheme(), fetched.host_str()), ("https", Some(url.host())));
        assert!(fetched.username().is_empty() && fetched.password().is_none());
        assert!(fetched.fragment().is_none() && fetched.path().len() > 1);
    }
    let usual = || "https://app.example/client.json".parse().expect("it is a document's URL");
    let url = named.unwrap_or_else(usual);
    match metadata_policy::admit_document(document, &url, &Config::default().registration) {
        Ok(metadata) => {
            assert!(
                metadata.client_name.is_some() && !metadata.redirect_uris.as_slice().is_empty()
            );
            assert_eq!(metadata.token_endpoint_auth_method, TokenEndpointAuthMethod::None);
        }
        Err(violations) => {
            assert!(!violations.is_empty(), "nothing is refused without a reason");
            for violation in violations {
                assert!(violation.reason.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            }
        }
    }
}

/// Any body at the token endpoint: its parameters are those that a browser would have read, and a secret that
/// is read is written again byte for byte.
pub fn token_form(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes) else { return };
    for name in ["code", "refresh_token", "code_verifier", "client_id", "scope", "resource"] {
        let sent = || form_urlencoded::parse(bytes).filter(|(sent, _)| sent == name);
        let values: Vec<_> =
            sent().map(|(_, value)| value).filter(|value| !value.is_empty()).collect();
        assert!(form.all(name).eq(values.iter().map(AsRef::as_ref)));
        match form.one(name) {
            Ok(value) => assert_eq!(value, values.first().map(AsRef::as_ref)),
            Err(_) => assert!(sent().count() > 1, "only what is repeated is refused"),
        }
        for value in form.all(name) {
            let code = value.parse::<AuthorizationCode>().map(|code| code.to_string());
            let token = value.parse::<RefreshToken>().map(|token| token.to_string());
            assert!(code.is_err() || token.is_err(), "one text is two things");
            for written in code.iter().chain(&token) {
                assert_eq!(written, value);
            }
            if let Ok(verifier) = CodeVerifier::parse(value) {
                assert!(verifier.challenge().is_met_by(&verifier));
            }
        }
    }
}

/// Any text as a redirect URI: refused, or kept as it is and equal to itself; and a browser, whose parser
/// is another one, goes where we think it goes.
pub fn redirect_uri(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok((uri, reach)) = RedirectUri::parse(text) else { return };

    assert_eq!(uri.as_str(), text);
    assert_eq!(uri.reach(), Ok(reach));
    assert!(uri.matches(text));
    assert!(text.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'#' && byte != b'\\'));
    let url = Url::parse(text).expect("a browser reads what is registered");
    assert!(url.username().is_empty() && url.password().is_none());
    match reach {
        Reach::Loopback => {
            assert_eq!(url.scheme(), "http");
            assert!(matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
            let mut other_port = url.clone();
            other_port.set_port(Some(1)).expect("http has ports");
            if url.as_str() == text {
                assert!(uri.matches(other_port.as_str()), "a loopback port may differ");
            }
        }
        Reach::Public => {
            assert_eq!(url.scheme(), "https");
            if let Some(Host::Ipv4(address)) = url.host() {
                assert!(
                    !address.is_loopback() && !address.is_private() && !address.is_link_local()
                );
            }
        }
        Reach::Lan => assert!(matches!(url.scheme(), "http" | "https")),
        Reach::PrivateUse => {
            assert!(!matches!(url.scheme(), "http" | "https" | "javascript" | "data"))
        }
    }
}

/// Any lines in front of what our own proxy says: nobody can talk us into another address than the one that
/// the proxy saw, nor be heard at all without a proxy.
pub fn client_address(bytes: &[u8]) {
    const SEEN: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let proxies: Vec<IpNet> = vec![proxy.into()];
    let claims =
        || bytes.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());

    for (name, own) in [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")] {
        let mut headers = HeaderMap::new();
        for claim in claims() {
            headers.append(name, claim);
        }
        let claimed = address_of(proxy, &headers, &proxies);
        let _ = Source::of(claimed);
        assert_eq!(address_of(SEEN, &headers, &proxies), SEEN, "a stranger was believed");
        headers.append(name, HeaderValue::from_static(own));
        assert_eq!(address_of(proxy, &headers, &proxies), SEEN, "our own proxy was not believed");
        headers.append(
            FORWARDED,
            HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static("")),
        );
        let _ = address_of(proxy, &headers, &proxies);
    }
}

/// Any bytes as an authorization request: a page, or an answer that goes to a redirect URI of the client, with
/// its state and the issuer, and cannot be told from one of ours.
pub fn authorization_request(bytes: &[u8]) {
    authorization::fuzz(bytes);
}

/// Any bytes as a file of settings and as the value of every variable: faults with their places, or
/// settings that can be printed.
pub fn configuration(bytes: &[u8]) {
    config::fuzz(bytes);
}

/// Any lines of cookies: a session is read from what was written as one, and from nothing else.
pub fn cookies(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, line);
        }
    }
    for issuer in ["https://door.example", "http://127.0.0.1:8080"] {
        if let Some(value) = Cookies::of(issuer).read(&headers, "doorward-session") {
            sign_in::fuzz_session(&value);
        }
    }
}

/// Any answers of a provider, one a line: what nobody signed signs nobody in.
pub fn provider_answers(bytes: &[u8]) {
    provider::fuzz_provider(bytes);
}

/// Any body of a request to a guarded MCP server, and any stream of its answers: a tool that is read from a body is the
/// only one that it names in any reading, and a stream is filtered alike however it arrives.
pub fn mcp_message(bytes: &[u8]) {
    mcp::fuzz(bytes);
    tool_list::fuzz(bytes);
}

/// Any header and claims of a JWT, each on a line, and behind them what is done to a good one: only what a key
/// has signed is accepted, of ours for access tokens and of a provider for ID tokens, and nothing of it may
/// be another.
pub fn jwt(bytes: &[u8]) {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (header, claims, edits) = (line(), line(), line());
    keys::fuzz(header, claims, |token| altered(token, edits));
    provider::fuzz_id_token(header, claims, |token| altered(token, edits));
    token::fuzz_claims(claims);
}

/// Any bytes as the target of a request to a guarded resource: refused, or read as browsers read it.
pub fn guard_target(bytes: &[u8]) {
    guard::fuzz_target(bytes);
}

/// A token with some of its characters replaced, some taken away and some put in; `None` when it is the same.
fn altered(token: &str, edits: &[u8]) -> Option<String> {
    const BASE64URL: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = token.as_bytes().to_vec();
    for edit in edits.chunks_exact(4) {
        // From the end, where the signature stands.
        let back = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % (bytes.len() + 1);
        let place = bytes.len() - back;
        match (edit[0] % 3, place < bytes.len()) {
            (0, true) => bytes[place] = BASE64URL[usize::from(edit[3] % 64)],
            (1, true) => drop(bytes.drain(place..)),
            _ => bytes.insert(place, edit[3]),
        }
    }
    String::from_utf8(bytes).ok().filter(|altered| altered != token)
}
