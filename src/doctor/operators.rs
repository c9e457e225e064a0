//! The listener of the operator API: do only operators reach it, as far as can be told from here?

use http::StatusCode;
use url::Url;

use super::{Examined, Finding, Look, addresses::exposure, public_address::asked};
use crate::{
    http::{
        fetch::{FetchError, Fetched},
        request_event::chain,
    },
    paths,
};

/// Whether strangers reach the listener of operators, or its paths at the public address.
pub(super) fn apart(examined: &Examined<'_>) -> Vec<Finding> {
    let config = examined.config;
    let Some(listen) = config.operator.listen else { return Vec::new() };
    let mut findings = vec![exposure("operator", listen, "the operator API", "operator.listen")];
    let public = Url::parse(&format!("{}{}", config.server.issuer, paths::OVERVIEW)).ok();
    findings.extend(public.map(|url| asked(examined, "operator", &url, judged)));
    findings
}

/// What the public address says of the API, which should not be there.
fn judged(look: Look, fetched: Result<Fetched, FetchError>) -> Finding {
    match fetched {
        Err(FetchError::Status(StatusCode::NOT_FOUND)) => {
            look.ok("the public address does not answer for the operator API")
        }
        Err(FetchError::Status(StatusCode::UNAUTHORIZED)) => look.problem(
            "the public address reaches the operator API",
            "let the proxy in front lead requests to server.listen, not to operator.listen",
        ),
        Ok(_) | Err(FetchError::Status(_)) => look.warning(
            "something else than this server answers at the public address",
            "lead the address of server.issuer to server.listen",
        ),
        Err(error) => look.ok(format!("could not check who answers there: {}", chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn an_operator_api_that_strangers_reach_is_a_finding() {
        for (listen, expected) in [
            ("127.0.0.1:9443", Verdict::Ok),
            ("10.0.0.5:9443", Verdict::Ok),
            ("[fd00::5]:9443", Verdict::Ok),
            ("0.0.0.0:9443", Verdict::Warning),
            ("[::]:9443", Verdict::Warning),
            ("192.0.2.5:9443", Verdict::Warning),
        ] {
            let found = exposure("operator", listen.parse().unwrap(), "it", "operator.listen");
            assert_eq!(found.verdict, expected, "{listen}");
        }
        for (status, expected) in [
            (StatusCode::NOT_FOUND, Verdict::Ok),
            (StatusCode::UNAUTHORIZED, Verdict::Problem),
            (StatusCode::BAD_GATEWAY, Verdict::Warning),
        ] {
            let look = Look::at("operator", &"x");
            assert_eq!(judged(look, Err(FetchError::Status(status))).verdict, expected, "{status}");
        }
    }
}
