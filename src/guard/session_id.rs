//! `Mcp-Session-Id`, bound to the client and the person that began the session: a session is no authentication, so
//! nobody else may go on with it.
//!
//! The identifier leaves with a code that the next request must bring back. Nothing is stored, so a session goes on at
//! every node and after a restart.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;

/// Separates the identifier from its code. Identifiers may contain it, codes do not.
const SEPARATOR: u8 = b'.';

/// Who may go on with a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'a> {
    /// The protected resource.
    pub(crate) resource: &'a str,
    /// The person; empty where the path is public.
    pub(crate) subject: &'a str,
    /// The client; empty where the path is public.
    pub(crate) client: &'a str,
}

/// The identifier as it leaves: the upstream's, with the code behind it.
pub(crate) fn bound(key: &hmac::Key, id: &HeaderValue, holder: Holder<'_>) -> HeaderValue {
    let mut text = id.as_bytes().to_vec();
    text.push(SEPARATOR);
    text.extend_from_slice(code(key, id.as_bytes(), holder).as_bytes());
    HeaderValue::from_bytes(&text).expect("a header with base64url behind it is a header")
}

/// The upstream's identifier, if the code is that of this holder.
pub(crate) fn unbound(
    key: &hmac::Key,
    sent: &HeaderValue,
    holder: Holder<'_>,
) -> Option<HeaderValue> {
    let end = sent.as_bytes().iter().rposition(|byte| *byte == SEPARATOR)?;
    let (id, rest) = sent.as_bytes().split_at(end);
    let expected = code(key, id, holder);
    constant_time::verify_slices_are_equal(rest.split_at(1).1, expected.as_bytes()).ok()?;
    HeaderValue::from_bytes(id).ok()
}

fn code(key: &hmac::Key, id: &[u8], holder: Holder<'_>) -> String {
    let mut context = hmac::Context::with_key(key);
    let parts = [holder.resource, holder.subject, holder.client].map(str::as_bytes);
    for part in parts.into_iter().chain([id]) {
        // With its length, so that no two lists of parts are the same bytes.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    BASE64_URL_SAFE_NO_PAD.encode(context.sign())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Holder<'_> =
        Holder { resource: "https://mcp.example.com/mcp", subject: "acme|alice", client: "c1" };

    fn key(secret: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, secret)
    }

    fn value(text: &str) -> HeaderValue {
        text.parse().unwrap()
    }

    #[test]
    fn a_session_goes_on_for_the_subject_and_client_that_began_it() {
        for id in ["1868a90c-e23a-4f4e-9e1b-6d2f", "a.b.c", "!", "x~}", ""] {
            let sent = bound(&key(b"one"), &value(id), ALICE);
            assert!(sent.as_bytes().starts_with(id.as_bytes()) && sent.len() > id.len() + 40);
            assert_eq!(unbound(&key(b"one"), &sent, ALICE), Some(value(id)), "{id}");
        }
    }

    #[test]
    fn a_session_of_another_holder_is_unknown() {
        let sent = bound(&key(b"one"), &value("session"), ALICE);
        for other in [
            Holder { subject: "acme|bob", ..ALICE },
            Holder { client: "c2", ..ALICE },
            Holder { resource: "https://mcp.example.com/other", ..ALICE },
            Holder { subject: "acme|alicec", client: "1", ..ALICE },
            Holder { subject: "", client: "", ..ALICE },
        ] {
            assert_eq!(unbound(&key(b"one"), &sent, other), None, "{other:?}");
        }
        assert_eq!(unbound(&key(b"another"), &sent, ALICE), None);
    }

    #[test]
    fn an_identifier_without_its_code_is_unknown() {
        let sent = bound(&key(b"one"), &value("session"), ALICE);
        let sent = sent.to_str().unwrap();
        let longer = format!("{sent}A");
        let other = sent.replacen("session", "Session", 1);
        let (cut, _) = sent.split_at(sent.len() - 1);
        let (_, code) = sent.split_at("session".len());
        for forged in ["session", "session.", ".", "", cut, &longer, &other, code] {
            assert_eq!(unbound(&key(b"one"), &value(forged), ALICE), None, "{forged}");
        }
    }
}
