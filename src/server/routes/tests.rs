//! Routes by path and settings.

use super::*;
use crate::{
    config::{self, Sources},
    paths,
};

/// The template of the route at a path.
fn at(path: &str, config: &Config) -> &'static str {
    Routes::new(config, Side::Public).at(path).template
}

#[test]
fn every_route_is_found_at_its_template() {
    let config = full("https://door.example");
    let mut apart = config.clone();
    apart.guard.listen = Some(([127, 0, 0, 1], 9080).into());
    for route in ROUTES.iter().filter(|route| !LABELS.contains(&route.template)) {
        let is_over_grpc = route.template == paths::ENVOY_CHECK;
        let (config, side) =
            if is_over_grpc { (&apart, Side::Guard) } else { (&config, Side::Public) };
        let found = Routes::new(config, side).at(route.template).template;
        assert_eq!(found, route.template);
    }
    for config in [&config, &apart] {
        let found = at(paths::ENVOY_CHECK, config);
        assert_eq!(found, UNKNOWN, "strangers are led to the public side");
    }
    for path in ["/token/", "/oauth2/sign-in/a/b", "/oauth2/sign-in/", "//token", "*", ""] {
        assert_eq!(at(path, &config), UNKNOWN, "{path}");
    }
}

#[test]
fn every_path_but_the_home_page_lies_in_a_reserved_one() {
    let templates = ROUTES.iter().map(|route| route.template);
    for template in templates.filter(|template| !LABELS.contains(template)) {
        let is_reserved = paths::RESERVED.iter().any(|reserved| {
            let below = template.strip_prefix(reserved);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        assert!(is_reserved || template == paths::HOME, "{template}");
    }
}

/// The settings of a server that has everything.
fn full(issuer: &str) -> Config {
    let provider = r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
    let hash = "0".repeat(64);
    let resource = format!(
        r#"[{{ uri = "https://mcp.example", id = "mcp", secret_sha256 = "{hash}", guard = {{ id = "mcp" }} }}]"#
    );
    let flags = vec![
        ("server.issuer", issuer.to_owned()),
        ("server.tls_terminated_in_front", "true".to_owned()),
        ("sign_in.local", "false".to_owned()),
        ("sign_in.providers", provider.to_owned()),
        ("authorization.resources", resource),
        ("token.keys_secret", "only a secret of a test, and long enough".to_owned()),
    ];
    config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap()
}

#[test]
fn authorization_has_no_endpoint_without_a_way_to_sign_in() {
    let mut config = full("https://door.example");
    config.sign_in.providers.clear();
    for path in [paths::TOKEN, paths::INTROSPECT, paths::AUTHORIZATION_SERVER] {
        assert_eq!(at(path, &config), UNKNOWN);
    }
    assert_eq!(at(paths::REGISTER_ALIAS, &config), paths::REGISTER_ALIAS);
}

#[test]
fn the_way_back_from_providers_exists_where_a_provider_is_configured() {
    let mut config = full("https://door.example");
    assert_eq!(at("/oauth2/sign-in/acme", &config), paths::SIGN_IN_RETURN);
    config.sign_in.providers.clear();
    config.sign_in.local = true;
    assert_eq!(at("/oauth2/sign-in/acme", &config), UNKNOWN);
    assert_eq!(at(paths::SIGN_IN, &config), paths::SIGN_IN);
}

#[test]
fn introspection_exists_where_a_resource_has_a_secret() {
    let mut config = full("https://door.example");
    assert_eq!(at(paths::INTROSPECT, &config), paths::INTROSPECT);
    config.authorization.resources[0].id = None;
    assert_eq!(at(paths::INTROSPECT, &config), UNKNOWN);
    assert_eq!(at(paths::TOKEN, &config), paths::TOKEN);
}

#[test]
fn the_path_of_the_issuer_stands_before_endpoints_and_on_either_side_of_well_known_names() {
    for (path, route) in [
        ("/acme/oauth2/token", paths::TOKEN),
        ("/oauth2/token", paths::TOKEN),
        ("/.well-known/oauth-authorization-server/acme", paths::AUTHORIZATION_SERVER),
        ("/.well-known/openid-configuration/acme", paths::OPENID_CONFIGURATION),
        ("/acme/.well-known/openid-configuration", paths::OPENID_CONFIGURATION),
        ("/.well-known/oauth-authorization-server/other", UNKNOWN),
        ("/oauth2/token/acme", UNKNOWN),
        ("/other/oauth2/token", UNKNOWN),
    ] {
        assert_eq!(at(path, &full("https://door.example/acme")), route, "{path}");
    }
}
