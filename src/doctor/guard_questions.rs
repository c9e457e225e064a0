//! The addresses at which proxies ask the guard: do strangers reach them, as far as can be told from here?

use http::StatusCode;
use url::{Host, Url};

use super::{Examined, Finding, Look, addresses::exposure, public_address::asked};
use crate::{
    config::Config,
    http::{
        fetch::{FetchError, Fetched},
        request_event::chain,
    },
    paths,
};

/// Whether strangers reach the listener of the guard, or its paths at the public address.
pub(super) fn apart(examined: &Examined<'_>) -> Vec<Finding> {
    let config = examined.config;
    let listen = config.guard.listen;
    let mut findings: Vec<Finding> =
        listen.map(|at| exposure("guard", at, "the guard", "guard.listen")).into_iter().collect();
    findings.extend(public_address(config).map(|url| asked(examined, "guard", &url, judged)));
    findings
}

/// The address at which a stranger would ask about the first guarded resource; `None` if it leads to this machine, which
/// may ask.
fn public_address(config: &Config) -> Option<Url> {
    let mut resources = config.authorization.resources.iter();
    let guard = resources.find_map(|resource| resource.guard.as_ref())?;
    let path = paths::GUARD_NGINX.replace("{resource}", &guard.id);
    let url = Url::parse(&format!("{}{path}", config.server.issuer)).ok()?;
    let is_here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (!is_here).then_some(url)
}

/// What the public address answers to a question for the guard.
fn judged(look: Look, fetched: Result<Fetched, FetchError>) -> Finding {
    match fetched {
        Err(FetchError::Status(StatusCode::NOT_FOUND)) => {
            look.ok("strangers cannot ask the guard at the public address")
        }
        Err(FetchError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) | Ok(_) => look
            .problem(
                "the public address leads strangers to the guard, which takes them for a proxy",
                "set guard.listen, or answer /guard/ with 404 in the proxy in front (docs/protect)",
            ),
        Err(error) => look.ok(format!("could not check who answers there: {}", chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, Sources},
        doctor::Verdict,
    };

    #[test]
    fn a_guard_that_strangers_can_ask_is_a_finding() {
        for (status, expected) in [
            (StatusCode::NOT_FOUND, Verdict::Ok),
            (StatusCode::UNAUTHORIZED, Verdict::Problem),
            (StatusCode::FORBIDDEN, Verdict::Problem),
            (StatusCode::BAD_GATEWAY, Verdict::Ok),
        ] {
            let look = Look::at("guard", &"x");
            assert_eq!(judged(look, Err(FetchError::Status(status))).verdict, expected, "{status}");
        }
    }

    #[test]
    fn this_machine_is_no_stranger_to_itself() {
        let public = |issuer: &str, guard: &str| {
            let resources = format!(r#"[{{ uri = "https://mcp.example" {guard} }}]"#);
            let provider =
                r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
            let flags = vec![
                ("server.issuer", issuer.to_owned()),
                ("server.tls_terminated_in_front", "true".to_owned()),
                ("sign_in.local", "false".to_owned()),
                ("sign_in.providers", provider.to_owned()),
                ("authorization.resources", resources),
            ];
            let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
            public_address(&config).map(|url| url.to_string())
        };
        let guarded = r#", guard = { id = "tools" }"#;
        let expected = "https://door.example/guard/nginx/tools";
        assert_eq!(public("https://door.example", guarded).as_deref(), Some(expected));
        assert_eq!(public("https://door.example", ""), None);
        assert_eq!(public("https://127.0.0.1:8080", guarded), None);
    }
}
