//! Where the limits are counted.

use std::net::IpAddr;

use super::{Examined, Finding, Look};
use crate::{
    config::WhenUnreachable,
    http::{rate_limit, request_event::chain},
};

/// Does Redis count, where there is one?
pub(super) fn redis(examined: &Examined<'_>) -> Vec<Finding> {
    let settings = &examined.config.rate_limit;
    let (Some(url), Some((_, answer))) = (&settings.redis, &examined.redis) else {
        let look = Look::at("limiter", &"rate_limit.redis");
        return vec![look.ok("none is set: each node counts for itself")];
    };
    let look = || Look::at("limiter", url);
    let mut findings = vec![match answer {
        Ok(_) => look().ok("it answers, and counts"),
        Err(error) => {
            let meanwhile = match settings.when_unreachable {
                WhenUnreachable::Local => "until then each node holds the limits for itself",
                WhenUnreachable::Open => "until then there is no limit",
                WhenUnreachable::Closed => "until then every registration is answered 503",
            };
            let advice = format!("see to it that it runs, and to rate_limit.redis; {meanwhile}");
            look().problem(chain(error), advice)
        }
    }];
    if !rate_limit::is_counted(settings, examined.config.authorizes()) {
        let advice = "set rate_limit.per_source or rate_limit.total, or take rate_limit.redis away";
        findings.push(look().warning("it is never asked, as no limit is set", advice));
    }
    if url.password.is_some() && !url.tls && !is_this_machine(&url.host) {
        let advice = "use rediss, or a network that nobody else reads";
        findings.push(look().warning("its password crosses the network in the clear", advice));
    }
    findings
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
