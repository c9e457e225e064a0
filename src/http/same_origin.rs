//! Checks that a form was posted from a page of this server (OAuth 2.1 §7.10). Browsers report the origin of a
//! request, and no page of another origin can forge it.

use http::{HeaderMap, HeaderName, header::ORIGIN};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a POST comes from a page of this server's own origin; `false` if the browser is too old to report one.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    match headers.get(SEC_FETCH_SITE) {
        Some(site) => site.as_bytes() == b"same-origin",
        None => headers.get(ORIGIN).is_some_and(|sent| sent.as_bytes() == origin.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_origin_is_known_by_what_the_browser_says() {
        let own = "https://door.example";
        for (headers, expected) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://door.example")][..], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://door.example")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://door.example")], true),
            (&[("origin", "https://door.example:8443")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            let given = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            assert_eq!(is_same_origin(&given, own), expected, "{headers:?}");
        }
    }
}
