//! A limit of requests a minute for each key, such as a source at the token endpoint. Each node counts for itself.

use std::hash::Hash;

use super::{Cost, Limits, local::Local};
use crate::{clock::Timestamp, entropy::Entropy};

/// How long a window is, in seconds.
const PERIOD_SECONDS: u32 = 60;

/// How many keys have exact counters in a window; later ones share counters.
const COUNTED_MAX: usize = 10_000;

/// The limit, with the counters of this node.
pub(crate) struct OwnLimit<S> {
    limits: Limits,
    local: Local<S>,
}

impl<S: Eq + Hash> OwnLimit<S> {
    /// At most `limit` requests a minute for each key; 0 for no limit.
    pub(crate) fn new(limit: u32, entropy: &Entropy) -> Self {
        let per_source = Some(limit).filter(|limit| *limit > 0);
        let limits = Limits { per_source, ..Limits::none(PERIOD_SECONDS) };
        Self { limits, local: Local::new(limits, COUNTED_MAX, entropy) }
    }

    /// Counts one request, rejected ones too. `Err` holds the seconds until the next window.
    pub(crate) fn count(&self, whose: S, now: Timestamp) -> Result<(), u32> {
        if self.limits.are_none() {
            return Ok(());
        }
        match self.limits.judge(self.local.charge(whose, Cost::REQUEST, now)) {
            Some(count) if count.verdict != super::Verdict::Admitted => Err(count.reset_seconds),
            _ => Ok(()),
        }
    }

    /// What is left of the limit for a key, without counting a request; `None` without a limit.
    pub(crate) fn left(&self, whose: &S, now: Timestamp) -> Option<Left> {
        let counted = self.local.counted(whose, now)?;
        let requests = self.limits.per_source?.saturating_sub(counted);
        let left_millis = self.limits.window_end(now).saturating_sub(now.as_millis());
        let reset_seconds = u32::try_from(left_millis.div_ceil(1_000)).unwrap_or(PERIOD_SECONDS);
        Some(Left { requests, reset_seconds })
    }
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// How many more requests are admitted in this window.
    pub(crate) requests: u32,
    /// The seconds until the window ends.
    pub(crate) reset_seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_limit_of_its_own_until_the_minute_ends() {
        let limit = OwnLimit::new(1, &Entropy::seeded(1));
        let at = |seconds: u64| Timestamp::from_millis((1_800_000_000 + seconds) * 1_000);
        assert_eq!(limit.count("a", at(10)), Ok(()));
        assert_eq!(limit.count("a", at(10)), Err(50));
        assert_eq!(limit.count("b", at(10)), Ok(()));
        assert_eq!(limit.count("a", at(60)), Ok(()));
        let none = OwnLimit::new(0, &Entropy::seeded(1));
        assert_eq!((none.count("a", at(0)), none.left(&"a", at(0))), (Ok(()), None));
    }

    #[test]
    fn looking_at_what_is_left_counts_nothing() {
        let limit = OwnLimit::new(2, &Entropy::seeded(1));
        let at = |seconds: u64| Timestamp::from_millis((1_800_000_000 + seconds) * 1_000);
        for requests in [2, 1, 0, 0] {
            for _ in 0..2 {
                let left = Left { requests, reset_seconds: 50 };
                assert_eq!(limit.left(&"a", at(10)), Some(left));
            }
            let _refused = limit.count("a", at(10));
        }
    }
}
