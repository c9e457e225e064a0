//! Times as operators write and read them: RFC 3339, or seconds since the Unix epoch with at most three
//! decimals. The store knows milliseconds, and no printed form loses them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Timestamp;

/// `2026-11-23T19:30:00Z`, with milliseconds when there are any; UTC.
pub(super) fn to_rfc3339(time: Timestamp) -> String {
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| to_seconds(time)) // beyond the year 9999
}

/// Seconds since the epoch as a JSON number: whole, or with exactly three decimals.
pub(super) fn to_seconds(time: Timestamp) -> String {
    match time.as_millis() % 1_000 {
        0 => time.as_seconds().to_string(),
        millis => format!("{}.{millis:03}", time.as_seconds()),
    }
}

/// The inverse of [`to_seconds`]; no sign, no exponent, at most three decimals.
pub(super) fn from_seconds(text: &str) -> Option<Timestamp> {
    let (whole, decimals) = match text.split_once('.') {
        None => (text, ""),
        Some((_, "")) => return None,
        Some(parts) => parts,
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if decimals.len() > 3 || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }
    let millis: u64 = format!("{decimals:0<3}").parse().ok()?;
    let seconds: u64 = whole.parse().ok()?;
    Some(Timestamp::from_millis(seconds.checked_mul(1_000)?.checked_add(millis)?))
}

/// What `--since` and `--until` take.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Some(time) = from_seconds(text) {
        return Ok(time);
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
        .map(Timestamp::from_millis)
        .ok_or_else(|| {
            "not a time: write it like 2026-11-23T19:30:00Z, or in seconds since 1970".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_rfc_3339_or_seconds() {
        let cases = [
            ("2026-11-23T19:30:00Z", 1_795_462_200_000),
            ("2026-11-23T20:30:00.125+01:00", 1_795_462_200_125),
            ("1795462200", 1_795_462_200_000),
            ("1795462200.5", 1_795_462_200_500),
            ("0", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text).map(Timestamp::as_millis), Ok(millis), "{text}");
        }
        let refused = [
            "",
            ".",
            ".5x",
            "1.",
            "-1",
            "+1",
            "1e9",
            "1.0000",
            "now",
            "2026-11-23",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
        ];
        for text in refused {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn seconds_keep_every_millisecond(millis: u64) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(from_seconds(&to_seconds(time)), Some(time));
        }

        #[test]
        fn what_is_printed_can_be_asked_for(millis in 0..253_402_300_800_000_u64) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(parse(&to_rfc3339(time)), Ok(time));
        }
    }
}
