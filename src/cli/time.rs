//! Times as operators write and read them: RFC 3339, or seconds since the Unix epoch with at most three
//! decimals. The store knows milliseconds, and no printed form loses them.

use crate::clock::{Clock, Timestamp};

/// See [`Timestamp::to_rfc3339`].
pub(super) fn to_rfc3339(time: Timestamp) -> String {
    time.to_rfc3339()
}

/// See [`Timestamp::to_decimal_seconds`].
pub(super) fn to_seconds(time: Timestamp) -> String {
    time.to_decimal_seconds()
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

/// What `--since` and `--until` take: a time, a day (its beginning, in UTC), or how long ago.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, Clock::System.now())
}

fn parse_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let midnight = format!("{text}T00:00:00Z");
    from_seconds(text)
        .or_else(|| ago(text, now))
        .or_else(|| Timestamp::from_rfc3339(text))
        .or_else(|| Timestamp::from_rfc3339(&midnight))
        .ok_or_else(|| {
            "not a time: write 2026-11-23T19:30:00Z, a day such as 2026-11-23, how long ago such as 90m, \
             12h, or 30d, or seconds since 1970"
                .to_owned()
        })
}

/// For how long something that an operator creates is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    Seconds(u64),
    Unlimited,
}

impl Lifetime {
    /// When something expires that is created now; `None` for never.
    pub(super) fn after(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Seconds(seconds) => Some(now.after_seconds(seconds)),
            Self::Unlimited => None,
        }
    }
}

/// Reads what `--expires` takes: a number of seconds, minutes, hours, days, or weeks, or `never`.
pub(super) fn lifetime(text: &str) -> Result<Lifetime, String> {
    const SECONDS_MAX: u64 = 100 * 366 * 86_400;
    if text == "never" {
        return Ok(Lifetime::Unlimited);
    }
    let is_sensible = |seconds: &u64| (1..=SECONDS_MAX).contains(seconds);
    seconds(text).filter(is_sensible).map(Lifetime::Seconds).ok_or_else(|| {
        "not a lifetime: write 90m, 12h, 90d, or 52w, at most 100 years, or never".to_owned()
    })
}

/// A number of seconds, minutes, hours, days, or weeks before now.
fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let millis = seconds(text)?.checked_mul(1_000)?;
    now.as_millis().checked_sub(millis).map(Timestamp::from_millis)
}

/// `90m` and the like, in seconds.
fn seconds(text: &str) -> Option<u64> {
    let (last, unit) = text.char_indices().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let (number, _) = text.split_at(last);
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_rfc_3339_a_day_how_long_ago_or_seconds() {
        let cases = [
            ("2026-11-23T19:30:00Z", 1_795_462_200_000),
            ("2026-11-23T20:30:00.125+01:00", 1_795_462_200_125),
            ("1795462200", 1_795_462_200_000),
            ("1795462200.5", 1_795_462_200_500),
            ("0", 0),
            ("2026-11-23", 1_795_392_000_000),
            ("90m", 1_795_462_200_000),
            ("1h", 1_795_464_000_000),
            ("2d", 1_795_294_800_000),
            ("0s", 1_795_467_600_000),
        ];
        let now = Timestamp::from_millis(1_795_467_600_000);
        for (text, millis) in cases {
            assert_eq!(parse_at(text, now).map(Timestamp::as_millis), Ok(millis), "{text}");
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
            "h",
            "-1h",
            "1.5h",
            "1y",
            "9999999d",
            "2026-11",
            "2026-02-30",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
        ];
        for text in refused {
            assert!(parse_at(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn a_lifetime_is_a_number_with_a_unit_or_never() {
        assert_eq!(lifetime("90d"), Ok(Lifetime::Seconds(90 * 86_400)));
        assert_eq!(lifetime("never"), Ok(Lifetime::Unlimited));
        for bad in ["", "90", "d", "0d", "-1d", "1.5h", "1y", "Never", "99999w", "2026-11-23"] {
            assert!(lifetime(bad).is_err(), "{bad}");
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
