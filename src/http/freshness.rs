//! How long a response may be cached (RFC 9111 §4.2).

use std::time::{Duration, UNIX_EPOCH};

use http::{
    HeaderMap, HeaderName,
    header::{AGE, CACHE_CONTROL, DATE, EXPIRES},
};

use crate::clock::Timestamp;

/// How long a response that arrived at `now` stays fresh, less its age; zero if it must not be cached, or its server
/// does not say. This server is a shared cache: it stands between many people and the origin.
pub(crate) fn lifetime(headers: &HeaderMap, now: Timestamp) -> Duration {
    let said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<(String, Option<&str>)> =
        said.flat_map(|value| value.split(',')).map(directive).collect();
    let has = |name: &str| directives.iter().any(|(other, _)| other == name);
    if has("no-store") || has("no-cache") || has("private") {
        return Duration::ZERO;
    }
    let seconds = |name: &str| {
        let mut values = directives.iter().filter(|(other, _)| other == name);
        // A value that cannot be parsed makes the response stale (§4.2.1).
        values.next().map(|(_, value)| value.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let lifetime = match seconds("s-maxage").or_else(|| seconds("max-age")) {
        Some(seconds) => Duration::from_secs(seconds),
        None => until_expiry(headers, now),
    };
    lifetime.saturating_sub(age(headers))
}

/// One directive: its name in lower case, and its value without quotes.
fn directive(text: &str) -> (String, Option<&str>) {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.trim().trim_matches('"'))),
        None => (text, None),
    };
    (name.trim().to_ascii_lowercase(), value)
}

fn until_expiry(headers: &HeaderMap, now: Timestamp) -> Duration {
    let date = |name: HeaderName| {
        let date = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
        date.duration_since(UNIX_EPOCH).ok()
    };
    let sent = date(DATE).unwrap_or(Duration::from_millis(now.as_millis()));
    date(EXPIRES).map_or(Duration::ZERO, |expires| expires.saturating_sub(sent))
}

/// How long the response spent in caches on its way.
fn age(headers: &HeaderMap) -> Duration {
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(age.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The freshness of a response with these headers in November 2026, in seconds.
    fn seconds(headers: &[(&'static str, &'static str)]) -> u64 {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        lifetime(&headers, Timestamp::from_millis(1_794_873_600_000)).as_secs()
    }

    #[test]
    fn a_server_says_for_how_long_its_answer_is_good() {
        for (headers, expected) in [
            (&[("cache-control", "max-age=60")][..], 60),
            (&[("cache-control", "public, Max-Age=\"60\"")], 60),
            (&[("cache-control", "max-age=60, s-maxage=30")], 30),
            (&[("cache-control", "max-age=60"), ("age", "50")], 10),
            (&[("cache-control", "max-age=60"), ("age", "70")], 0),
            (&[("cache-control", "max-age=315360000")], 315_360_000),
            (&[("cache-control", "max-age=99999999999999999999")], 0),
            (&[("cache-control", "max-age=-1")], 0),
            (&[("cache-control", "max-age")], 0),
            (&[("cache-control", "max-age=60, no-store")], 0),
            (&[("cache-control", "private, max-age=60")], 0),
            (&[("cache-control", "no-cache"), ("cache-control", "max-age=60")], 0),
            (&[], 0),
            (&[("expires", "Tue, 17 Nov 2026 00:01:00 GMT")], 60),
            (
                &[
                    ("date", "Tue, 17 Nov 2026 00:00:30 GMT"),
                    ("expires", "Tue, 17 Nov 2026 00:01:00 GMT"),
                ],
                30,
            ),
            (&[("cache-control", "max-age=5"), ("expires", "Tue, 17 Nov 2026 00:01:00 GMT")], 5),
            (&[("expires", "Mon, 16 Nov 2026 00:00:00 GMT")], 0),
            (&[("expires", "0")], 0),
        ] {
            assert_eq!(seconds(headers), expected, "{headers:?}");
        }
    }
}
