//! What each violation says, and what the developer of the client does about it, for `docs/connect/errors.md`.

use super::{
    fault::Problem, grant_type::GrantTypeError, jwks::JwkSetError, name::ClientNameError,
    redirect_uri::RedirectUriError, uri::UriError, web_uri::WebUriError,
};
use crate::json::JsonProblem;

/// Declares the rows of one type of fault. The compiler requires one for each variant.
macro_rules! rows {
    ($name:ident: $type:ident { $($variant:pat, $sample:expr, $fix:literal;)+ } $(elsewhere $others:pat)?) => {
        fn $name() -> Vec<(String, &'static str)> {
            let fix = |fault: &$type| match fault {
                $($variant => $fix,)+
                $($others => unreachable!("it has rows of its own"),)?
            };
            let samples = [$($sample),+];
            samples.iter().map(|sample| (sample.to_string(), fix(sample))).collect()
        }
    };
}

rows! { of_bodies: JsonProblem {
    JsonProblem::Empty, JsonProblem::Empty, "Send a body.";
    JsonProblem::NotUtf8, JsonProblem::NotUtf8, "Encode the body in UTF-8.";
    JsonProblem::NotJson { .. }, JsonProblem::NotJson { line: 1, column: 1 }, "Correct the JSON at that place.";
    JsonProblem::Truncated, JsonProblem::Truncated, "Send the whole body: its `Content-Length` may be wrong.";
    JsonProblem::NotAnObject, JsonProblem::NotAnObject, "Send one object, `{…}`, and nothing behind it.";
    JsonProblem::Duplicate, JsonProblem::Duplicate, "Send each member once, at every depth.";
    JsonProblem::TooDeep(_), JsonProblem::TooDeep(16), "Nest objects less deeply.";
    JsonProblem::LoneSurrogate, JsonProblem::LoneSurrogate, "Escape the character as a pair, or send it in UTF-8.";
} }

rows! { of_members: Problem {
    Problem::Missing, Problem::Missing, "Send the member.";
    Problem::Misspelled { .. },
        Problem::Misspelled { sent: "redirect_uri".to_owned(), meant: "redirect_uris" },
        "Correct the name of the member.";
    Problem::WrongType(_), Problem::WrongType("an array of strings"), "Send the JSON type that the reason names.";
    Problem::TooLong(_), Problem::TooLong(1_000), "Shorten the value.";
    Problem::TooMany(_), Problem::TooMany(50), "Send fewer entries.";
    Problem::ControlCharacter, Problem::ControlCharacter, "Remove line breaks, tabs, and other control characters.";
    Problem::LoneSurrogate, Problem::LoneSurrogate, "Escape the character as a pair, or send it in UTF-8.";
    Problem::Scope, Problem::Scope, "Separate scopes by single spaces, without quotation marks and backslashes.";
    Problem::AuthMethod, Problem::AuthMethod, "Send `none`, or leave the member out: there are no client secrets here.";
    Problem::TwoKeySets, Problem::TwoKeySets, "Send `jwks` or `jwks_uri`.";
    Problem::OtherUrl, Problem::OtherUrl, "Set `client_id` to the URL at which the document is published.";
    Problem::PublishedSecret, Problem::PublishedSecret, "Remove the secret from the document, and replace it wherever it is used.";
    Problem::OtherClient, Problem::OtherClient, "Send the `client_id` of the registration that the request updates.";
    Problem::ServerOwned, Problem::ServerOwned, "Leave the member out of the update (RFC 7592 §2.2).";
    Problem::NoSecret, Problem::NoSecret, "Leave `client_secret` out.";
    Problem::LanguageTag, Problem::LanguageTag, "Write the tag behind `#` as BCP 47 says, such as `client_name#de`.";
    Problem::RepeatedLanguageTag, Problem::RepeatedLanguageTag, "Send each tag once, whatever its case.";
} elsewhere Problem::GrantType(_)
    | Problem::ClientName(_)
    | Problem::RedirectUri(_)
    | Problem::WebUri(_)
    | Problem::JwksUri(_)
    | Problem::JwkSet(_)
}

rows! { of_grant_types: GrantTypeError {
    GrantTypeError::NoAuthorizationCode, GrantTypeError::NoAuthorizationCode,
        "Send `[\"authorization_code\", \"refresh_token\"]`, or leave the member out.";
    GrantTypeError::NoCode, GrantTypeError::NoCode, "Send `[\"code\"]`, or leave the member out.";
} }

rows! { of_names: ClientNameError {
    ClientNameError::Control, ClientNameError::Control, "Remove line breaks, tabs, and other control characters.";
    ClientNameError::Invisible, ClientNameError::Invisible, "Remove zero-width and bidirectional control characters.";
    ClientNameError::PiledMarks, ClientNameError::PiledMarks, "Use fewer combining marks.";
} }

rows! { of_redirect_uris: RedirectUriError {
    RedirectUriError::TooLong, RedirectUriError::TooLong, "Shorten it: what belongs to one request goes into `state`.";
    RedirectUriError::DangerousScheme, RedirectUriError::DangerousScheme, "Use `https`, a loopback address, or a private-use scheme.";
    RedirectUriError::ForeignScheme, RedirectUriError::ForeignScheme,
        "Use a scheme that your application alone handles, such as `com.example.app:/callback`.";
    RedirectUriError::MissingHttp, RedirectUriError::MissingHttp, "Write `http://localhost:3000/callback`.";
    RedirectUriError::MissingHttps, RedirectUriError::MissingHttps, "Write `https://app.example/callback`.";
    RedirectUriError::NestedScheme, RedirectUriError::NestedScheme, "Send no other URI behind the scheme.";
    RedirectUriError::Fragment, RedirectUriError::Fragment, "Remove `#` and what follows it (RFC 6749 §3.1.2).";
    RedirectUriError::HostName, RedirectUriError::HostName, "Correct the host; write other scripts in Punycode (`xn--…`).";
    RedirectUriError::LoopbackSpelling, RedirectUriError::LoopbackSpelling, "Write the loopback host in one of these ways.";
    RedirectUriError::PlainHttp, RedirectUriError::PlainHttp, "Use `https`, or a loopback host for an application on the person's device.";
    RedirectUriError::SpecialUse, RedirectUriError::SpecialUse, "Use a public name.";
    RedirectUriError::Lan, RedirectUriError::Lan, "Use a public name, or ask the administrator to set `registration.allow_lan_redirects`.";
} elsewhere RedirectUriError::Uri(_) }

rows! { of_uris: UriError {
    UriError::Hidden, UriError::Hidden, "Remove white space, control, and invisible characters; `%00` to `%1F` and `%7F` are rejected, too.";
    UriError::NotAscii, UriError::NotAscii, "Percent-encode the path, and write the host in Punycode (`xn--…`).";
    UriError::Backslash, UriError::Backslash, "Use `/`.";
    UriError::Relative, UriError::Relative, "Send the whole URI with its scheme.";
    UriError::Malformed, UriError::Malformed, "Correct the URI by RFC 3986, such as a `%` without two hexadecimal digits.";
    UriError::SchemeTooLong, UriError::SchemeTooLong, "Use a shorter scheme.";
    UriError::Port, UriError::Port, "Correct the port, or leave it out with its colon.";
    UriError::Userinfo, UriError::Userinfo, "Remove `user@` or `user:password@`.";
    UriError::EncodedHost, UriError::EncodedHost, "Write the host without `%`.";
    UriError::NoHost, UriError::NoHost, "Send the host.";
    UriError::Wildcard, UriError::Wildcard, "Register each redirect URI in full: none has `*`.";
    UriError::DotSegment, UriError::DotSegment, "Remove `.` and `..` from the path.";
    UriError::Ambiguous, UriError::Ambiguous, "Write the URI plainly: parsers disagree on its scheme, host, or port.";
} }

rows! { of_web_uris: WebUriError {
    WebUriError::NotAUrl, WebUriError::NotAUrl, "Send a whole URL, such as `https://app.example/privacy`.";
    WebUriError::Dangerous, WebUriError::Dangerous, "Send the `https` URL of a page.";
    WebUriError::NotHttps, WebUriError::NotHttps, "Use `https`; `http` is for loopback hosts alone.";
    WebUriError::Userinfo, WebUriError::Userinfo, "Remove `user@` or `user:password@`.";
    WebUriError::SpecialUse, WebUriError::SpecialUse, "Use a public name.";
} }

rows! { of_key_sets: JwkSetError {
    JwkSetError::NotASet, JwkSetError::NotASet, "Send `{\"keys\": […]}`, where each key has a `kty`.";
    JwkSetError::SecretKey, JwkSetError::SecretKey, "Send public keys alone. Replace the key: it is known now.";
} }

/// The tables of violations: a heading, and each reason with its remedy.
pub(crate) fn tables() -> [(&'static str, Vec<(String, &'static str)>); 6] {
    [
        ("The body", of_bodies()),
        ("Any member", of_members()),
        ("`redirect_uris`", [of_redirect_uris(), of_uris()].concat()),
        ("`client_name`", of_names()),
        ("`grant_types` and `response_types`", of_grant_types()),
        ("Addresses and keys", [of_web_uris(), of_key_sets()].concat()),
    ]
}
