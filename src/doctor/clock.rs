//! The clock, by itself and against those of others.

use super::{Examined, Finding, Look};
use crate::clock::Timestamp;

/// When this was written: no clock stands before it.
const WRITTEN: Timestamp = Timestamp::from_millis(1_764_000_000_000);
/// How far clocks of one service may be apart, in milliseconds.
const APART_MAX: u64 = 2_000;

const SYNCHRONIZE: &str =
    "keep the clocks of all machines by NTP, with chrony or systemd-timesyncd";

/// Is it one that can be right?
pub(super) fn plausible(examined: &Examined<'_>) -> Vec<Finding> {
    let now = examined.clock.now();
    let look = Look::at("clock", &"this machine");
    let mut findings = vec![if now < WRITTEN {
        look.problem("it stands before this release was made", SYNCHRONIZE)
    } else {
        look.ok("it is plausible")
    }];
    if let Some((here, Ok(there))) = &examined.redis {
        findings.push(against(Look::at("clock", &"Redis"), *here, *there));
    }
    findings
}

/// What the difference to another clock means. Shared limits follow the other one, so it does them no
/// harm; but clients are told when they were registered.
fn against(look: Look, here: Timestamp, there: Timestamp) -> Finding {
    let apart = here.as_millis().abs_diff(there.as_millis());
    if apart <= APART_MAX {
        return look.ok("it agrees with the clock of this machine");
    }
    let direction = if there < here { "behind" } else { "ahead of" };
    let what = format!("it is {} s {direction} the clock of this machine", apart / 1_000);
    look.warning(what, SYNCHRONIZE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn clocks_that_are_apart_are_told_with_the_direction() {
        let told = |here, there| {
            let at = Timestamp::from_millis;
            let finding = against(Look::at("clock", &"Redis"), at(here), at(there));
            (finding.verdict, finding.what)
        };
        assert_eq!(told(10_000, 12_000).0, Verdict::Ok);
        let ahead = "it is 120 s ahead of the clock of this machine".to_owned();
        assert_eq!(told(10_000, 130_000), (Verdict::Warning, ahead));
        let behind = "it is 3 s behind the clock of this machine".to_owned();
        assert_eq!(told(13_500, 10_000), (Verdict::Warning, behind));
    }
}
