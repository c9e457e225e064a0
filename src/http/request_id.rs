//! Request identifiers: accepted from a trusted proxy, or made here.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use http::{HeaderName, HeaderValue, request::Parts};

use crate::entropy::Entropy;

/// The header that carries request identifiers, in requests and responses.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The origin of a request, stored with its head: for pages that show its identifier, and for the audit log.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) request_id: HeaderValue,
    /// The address of the caller.
    pub(crate) source: IpAddr,
}

/// The request identifier, for a person to report to an administrator.
pub(crate) fn reference(head: &Parts) -> Option<String> {
    let origin: &Origin = head.extensions.get()?;
    origin.request_id.to_str().ok().map(str::to_owned)
}

/// The caller's address and the request identifier, for the audit log.
pub(crate) fn origin(head: &Parts) -> (Option<IpAddr>, Option<String>) {
    let origin: Option<&Origin> = head.extensions.get();
    (origin.map(|origin| origin.source), reference(head))
}

/// The longest identifier that is accepted from a proxy.
const LENGTH_MAX: usize = 128;

/// Makes identifiers that are unique in this process and do not reveal the number of requests.
pub(crate) struct RequestIds {
    seed: u64,
    made: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        Self { seed: u64::from_be_bytes(entropy.bytes()), made: AtomicU64::new(0) }
    }

    /// A new identifier: sixteen hexadecimal digits.
    pub(crate) fn make(&self) -> HeaderValue {
        let mixed = mix(self.seed ^ mix(self.made.fetch_add(1, Ordering::Relaxed)));
        let mut text = [0; 16];
        for (place, digit) in text.iter_mut().enumerate() {
            let nibble = (mixed >> (60 - 4 * place)) & 0xf;
            *digit = b"0123456789abcdef"[usize::try_from(nibble).unwrap_or(0)];
        }
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are a header value")
    }
}

/// The identifier that a trusted proxy sent, if it has 1 to 128 visible ASCII characters.
pub(crate) fn taken_over(sent: Option<&HeaderValue>) -> Option<HeaderValue> {
    sent.filter(|id| {
        (1..=LENGTH_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    })
    .cloned()
}

/// The finalizer of `SplitMix64`: a bijection, so different counts give different identifiers.
const fn mix(count: u64) -> u64 {
    let mut z = count.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_identifier_is_made_twice() {
        let ids = RequestIds::new(&Entropy::seeded(1));

        let made: HashSet<_> = (0..10_000).map(|_| ids.make()).collect();

        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| taken_over(Some(id)).is_some()));
    }

    #[test]
    fn only_short_visible_ascii_is_taken_over() {
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();

        for good in ["a", "4bf92f35-77b3", &"x".repeat(128)] {
            assert_eq!(taken_over(Some(&value(good.as_bytes()))), Some(value(good.as_bytes())));
        }
        for bad in ["", "a b", "a\tb", "\u{e9}", &"x".repeat(129)] {
            assert_eq!(taken_over(Some(&value(bad.as_bytes()))), None, "{bad}");
        }
        assert_eq!(taken_over(None), None);
    }
}
