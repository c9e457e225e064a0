//! The caller that a rate limit counts: a source address, or the pages of other sites in the browsers at that
//! address.
//!
//! A hostile page can make a visitor's browser send requests. Browsers mark such requests with `Sec-Fetch` headers
//! (Fetch Metadata), which no page can set or remove. These requests count separately, so a page cannot use up the
//! limit of its visitors' address. A program that sends these headers itself gains a second budget and nothing else.

use std::{fmt, net::IpAddr};

use http::{HeaderMap, HeaderName};

use super::client_address::Source;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A source address, or all pages of other sites in the browsers at that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) source: Source,
    /// A page of another site sent the request.
    pub(crate) is_foreign_page: bool,
}

impl Caller {
    /// The caller of an endpoint that programs use: a page of another site is foreign.
    pub(crate) fn of_program(address: IpAddr, headers: &HeaderMap) -> Self {
        let is_foreign_page = !is_absent_or(headers, &SEC_FETCH_SITE, &["same-origin", "none"]);
        Self { source: Source::of(address), is_foreign_page }
    }

    /// The caller of a page that clients open by navigating the whole window. Any other request, such as for an image
    /// or a frame, comes from a foreign page.
    pub(crate) fn of_navigation(address: IpAddr, headers: &HeaderMap) -> Self {
        let is_navigation = is_absent_or(headers, &SEC_FETCH_DEST, &["document"])
            && is_absent_or(headers, &SEC_FETCH_MODE, &["navigate"]);
        Self { source: Source::of(address), is_foreign_page: !is_navigation }
    }
}

/// The name of the caller's counter in Redis.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.is_foreign_page { ":pages" } else { "" };
        write!(f, "{}{suffix}", self.source)
    }
}

/// Browsers before 2023 do not send these headers.
fn is_absent_or(headers: &HeaderMap, name: &HeaderName, values: &[&str]) -> bool {
    headers
        .get(name)
        .is_none_or(|sent| values.iter().any(|value| sent.as_bytes() == value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(sent: &[(&'static str, &'static str)]) -> HeaderMap {
        sent.iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_a_navigation_of_the_window_counts_for_its_source() {
        for (sent, is_foreign_page) in [
            (&[][..], false),
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], false),
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], true),
            (&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], true),
            (&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")], true),
            (&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], true),
            (&[("sec-fetch-mode", "no-cors")], true),
            (&[("sec-fetch-dest", "")], true),
        ] {
            let caller = Caller::of_navigation([192, 0, 2, 1].into(), &headers(sent));
            assert_eq!(caller.is_foreign_page, is_foreign_page, "{sent:?}");
        }
    }

    #[test]
    fn a_program_and_a_page_of_another_site_are_two_callers() {
        for (sent, name) in [
            (&[][..], "192.0.2.1"),
            // Node sends this with every `fetch`.
            (&[("sec-fetch-mode", "cors")], "192.0.2.1"),
            (&[("sec-fetch-site", "same-origin")], "192.0.2.1"),
            (&[("sec-fetch-site", "none")], "192.0.2.1"),
            (&[("sec-fetch-site", "same-site")], "192.0.2.1:pages"),
            (&[("sec-fetch-site", "cross-site")], "192.0.2.1:pages"),
        ] {
            let caller = Caller::of_program([192, 0, 2, 1].into(), &headers(sent));
            assert_eq!(caller.to_string(), name, "{sent:?}");
        }
    }
}
