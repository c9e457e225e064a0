//! The limit of open files, which every connection counts against.

use super::{Examined, Finding, Look};
use crate::{config::Config, server::Descriptors};

/// Are there enough for `connections.max`? The answer is about a process that is started like this one.
pub(super) fn enough(examined: &Examined<'_>) -> Vec<Finding> {
    vec![judged(examined.config, &Descriptors::possible(examined.config))]
}

fn judged(config: &Config, found: &Descriptors) -> Finding {
    let look = Look::at("descriptors", &"open files");
    let Descriptors { limit, wanted, connections, .. } = found;
    if found.is_clamped(config) {
        let max = config.connections.max;
        let what = format!("the limit of {limit} allows {connections} of {max} connections");
        let advice = format!(
            "raise the limit to {wanted} (LimitNOFILE in the service, or ulimit -n), or lower connections.max"
        );
        look.warning(what, advice)
    } else {
        look.ok(format!("{connections} connections need {wanted}, which the limit allows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_limit_that_allows_fewer_connections_than_configured_is_a_warning() {
        let config = Config::default();
        let found = Descriptors {
            limit: 256,
            wanted: 5_000,
            connections: 90,
            connections_per_source: 11,
            management: 32,
            guard: 32,
        };
        let finding = judged(&config, &found);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert_eq!(finding.what, "the limit of 256 allows 90 of 4096 connections");
        assert!(finding.advice.unwrap().contains("raise the limit to 5000"));
        let found = Descriptors { connections: 4096, ..found };
        assert_eq!(judged(&config, &found).verdict, Verdict::Ok);
    }
}
