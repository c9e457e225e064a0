//! Attempts: requests that were refused, by reason, by the app or the destination that they were about, and by the network
//! they came from. An attempt holds no secret, no body, and no identifier of a person.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use url::Url;

use crate::{audit::words, family::Destination, metrics::Label};

/// Declares the reasons: each with its text in lists and metrics, and what the operator or the developer of the client
/// does about it.
macro_rules! reasons {
    ($($(#[$meaning:meta])* $reason:ident = $text:literal: $advice:literal,)+) => {
        words! {
            /// Why a request was refused.
            pub enum AttemptReason { $($(#[$meaning])* $reason = $text,)+ }
        }

        impl AttemptReason {
            /// What the operator or the developer of the client does about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$reason => $advice,)+ }
            }
        }
    };
}

reasons! {
    /// A limit of registrations is used up.
    RegistrationLimit = "registration.rate_limited":
        "If these are real apps, raise rate_limit.per_source or rate_limit.total; otherwise leave the limit as it is.",
    /// An initial access token is required.
    RegistrationNoToken = "registration.no_token":
        "Create a token with `doorward registration-token create`, and have the client send it as a bearer token.",
    /// The initial access token is not valid.
    RegistrationInvalidToken = "registration.invalid_token":
        "See `doorward registration-token list`: the token has expired, is used up, or was revoked. Create another one.",
    /// The source has failed too often.
    RegistrationFailures = "registration.too_many_failures":
        "The network sent many invalid initial access tokens. If it is yours, correct the token in the client.",
    /// The body is declared as something else than JSON.
    RegistrationMediaType = "registration.media_type":
        "The client must send its metadata as application/json without Content-Encoding.",
    /// The body is too large, too slow, or incomplete.
    RegistrationBody = "registration.body":
        "The client sent more than the server reads, or stopped sending. Send less metadata, and all of it at once.",
    /// The body is no JSON object.
    RegistrationJson = "registration.invalid_json":
        "The client must send one JSON object without repeated members.",
    /// A redirect URI breaks a rule.
    RegistrationRedirectUri = "registration.redirect_uri":
        "Use https, a loopback address, or a private-use scheme. `doorward metadata check` says which rule a redirect URI breaks.",
    /// Another member breaks a rule.
    RegistrationMetadata = "registration.metadata":
        "Save the metadata to a file and run `doorward metadata check`: it names the member and the rule.",
    /// An admission rule rejects the client.
    RegistrationRule = "registration.rule":
        "An admission rule rejects these clients. If that is wrong, find the rule with `doorward rule list` and change it.",
    /// The server could not store the client.
    RegistrationUnavailable = "registration.unavailable":
        "The server could not answer. Run `doorward doctor`, and search the log for the request identifier.",
    /// The authorization request cannot be read.
    AuthorizationRequest = "authorization.request":
        "The client must send each parameter once, with client_id and redirect_uri, and not as a request object.",
    /// There is no such client.
    AuthorizationUnknownClient = "authorization.unknown_client":
        "The client uses a registration that this server does not have. Remove the connection in the app and add it again.",
    /// The client was removed.
    AuthorizationRemovedClient = "authorization.removed_client":
        "The registration was removed; `doorward audit list --client` says why. Remove the connection in the app and add it again.",
    /// The redirect URI is not registered.
    AuthorizationRedirectUri = "authorization.redirect_uri":
        "redirect_uri must equal a registered one, except for the port of a loopback address. Register the client again with it.",
    /// The metadata document of the client could not be used.
    AuthorizationDocument = "authorization.document":
        "The metadata document could not be used. Check that its URL answers 200 with valid metadata, and see client_documents in the settings.",
    /// An admission rule rejects the client.
    AuthorizationRule = "authorization.rule":
        "An admission rule rejects the client. If that is wrong, find the rule with `doorward rule list` and change it.",
    /// The client is suspended.
    AuthorizationSuspended = "authorization.suspended":
        "An operator suspended the client or its family. `doorward client resume` or `doorward family resume` lets people use it again.",
    /// No more clients can wait for approval.
    AuthorizationTooManyWaiting = "authorization.too_many_waiting":
        "Decide about the clients that wait: `doorward client list --standing pending`.",
    /// A form came from another site, or is too old.
    AuthorizationForm = "authorization.form":
        "The person took too long or used an old page, or another site sent the form. They start again in the app.",
    /// The source has failed too often, or a person decided too often.
    AuthorizationFailures = "authorization.too_many_failures":
        "The network or the person sent many requests that failed. Other reasons from the same network show why.",
    /// The response type or mode is not supported.
    AuthorizationResponseType = "authorization.response_type":
        "The client must use response_type=code and no response_mode but query.",
    /// PKCE is missing or wrong.
    AuthorizationPkce = "authorization.pkce":
        "The client must use PKCE: code_challenge with code_challenge_method=S256 (RFC 7636).",
    /// The scope cannot be granted.
    AuthorizationScope = "authorization.scope":
        "The client asks for scopes that this server does not grant it. See registration.scopes and the ceiling of the client.",
    /// The resource is missing or unknown.
    AuthorizationResource = "authorization.resource":
        "The client must name a resource of authorization.resources in the resource parameter (RFC 8707).",
    /// The server could not answer.
    AuthorizationUnavailable = "authorization.unavailable":
        "The server could not answer. Run `doorward doctor`, and search the log for the request identifier.",
    /// The token request cannot be read.
    TokenRequest = "token.request":
        "The client must send a form (application/x-www-form-urlencoded) with each parameter once.",
    /// There is no such client.
    TokenUnknownClient = "token.unknown_client":
        "The client uses a registration that this server does not have. Remove the connection in the app and add it again.",
    /// A resource server that introspects is not known.
    TokenUnknownResource = "token.unknown_resource":
        "The resource server must authenticate with an id and secret of introspection.resource_servers.",
    /// The client sends too many requests.
    TokenLimit = "token.rate_limited":
        "One client sends more requests than token.per_client allows. It should use access tokens until they expire.",
    /// The source has failed too often.
    TokenFailures = "token.too_many_failures":
        "The network sent many requests that failed. Other reasons from the same network show why.",
    /// The grant type is not supported or not registered.
    TokenGrantType = "token.grant_type":
        "The client must use authorization_code or refresh_token, and must have registered that grant type.",
    /// The code or refresh token is not valid.
    TokenInvalidGrant = "token.invalid_grant":
        "The code or refresh token was used before, has expired, or was revoked. The person connects the app again; `doorward audit list --action grant.reused` shows reuse.",
    /// The PKCE verifier is wrong.
    TokenVerifier = "token.verifier":
        "code_verifier must be the value whose SHA-256 the client sent as code_challenge. Two running copies of an app can mix them up.",
    /// The scope goes beyond what was allowed.
    TokenScope = "token.scope":
        "The client asks for more than the person allowed. It must send them to the authorization endpoint again.",
    /// The resource goes beyond what was allowed.
    TokenResource = "token.resource":
        "The client asks for a resource that the person did not allow. It must name it in the authorization request.",
    /// The server could not answer.
    TokenUnavailable = "token.unavailable":
        "The server could not answer. Run `doorward doctor`, and search the log for the request identifier.",
}

impl Label for AttemptReason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = Self::ALL;

    fn position(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        self.as_str()
    }
}

/// A refused request, as an extension of its response. `server/exchange.rs` adds the source and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) reason: AttemptReason,
    /// The family of the client, or the destination of the request, if either is known.
    pub(crate) target: Option<Box<str>>,
}

/// The longest target that is kept, in bytes.
const TARGET_BYTES_MAX: usize = 200;

/// A target without its end, if it is too long.
pub(crate) fn target(text: String) -> Box<str> {
    let mut text = text;
    text.truncate(text.floor_char_boundary(TARGET_BYTES_MAX));
    text.into_boxed_str()
}

/// Where a redirect URI leads, whatever rules it breaks.
pub(crate) fn destination(redirect_uri: &str) -> Option<Box<str>> {
    let url = Url::parse(redirect_uri).ok()?;
    let place = match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => host.parse::<Destination<'static>>(),
        (scheme, _) => format!("scheme:{scheme}").parse(),
    };
    place.ok().map(|place| target(place.to_string()))
}

/// The network of an address: an IPv4 /24 or an IPv6 /48, which one caller can have all of.
pub(crate) fn network(address: IpAddr) -> Option<IpNet> {
    let address = address.to_canonical();
    let prefix = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, prefix).ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_and_has_advice_in_whole_sentences() {
        for reason in AttemptReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert!(reason.advice().ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn a_destination_is_a_host_loopback_or_a_scheme_and_never_a_path() {
        for (uri, place) in [
            ("https://App.Example:8443/cb?secret=1", Some("app.example")),
            ("http://evil.example/cb", Some("evil.example")),
            ("http://127.0.0.1:7777/cb", Some("loopback")),
            ("http://[::1]/cb", Some("loopback")),
            ("cursor://anysphere/cb", Some("scheme:cursor")),
            ("javascript:alert(1)", Some("scheme:javascript")),
            ("localhost:3000/cb", Some("scheme:localhost")),
            ("not a url", None),
            ("", None),
        ] {
            assert_eq!(destination(uri).as_deref(), place, "{uri}");
        }
        let long = format!("https://{}.example/", "a.".repeat(200));
        assert!(destination(&long).is_none_or(|place| place.len() <= TARGET_BYTES_MAX));
        assert_eq!(target("é".repeat(150)).chars().count(), 100);
    }

    #[test]
    fn a_network_holds_what_one_caller_can_choose_from() {
        for (address, of) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ] {
            let network = network(address.parse().unwrap()).unwrap();
            assert_eq!(network.to_string(), of);
        }
    }
}
