//! Which operation is at which route, for the description of the interface. A route without one does not compile,
//! and what is no route cannot be described.

use serde_json::{Map, Value};

use super::routes::Route;
use crate::{config::Config, openapi};

/// Describes one operation of a server with these settings.
type Operation = fn(&Config) -> Value;

/// What `GET /openapi.json` answers with these settings: what is there, and nothing else.
pub fn description(config: &Config) -> String {
    let mut paths = Map::new();
    for route in Route::ALL.into_iter().filter(|route| route.is_there(config)) {
        let operations = operations(route).iter();
        let described = operations.map(|(method, operation)| {
            let mut operation = operation(config);
            if is_alias(route) {
                let id = operation["operationId"].as_str().unwrap_or_default();
                operation["operationId"] = format!("{id}{}", openapi::ALIAS).into();
            }
            (method.to_lowercase(), operation)
        });
        let described: Map<String, Value> = described.collect();
        if !described.is_empty() {
            paths.insert(route.template().to_owned(), described.into());
        }
    }
    openapi::document(config, &paths)
}

/// Each method of a route and its operation. HEAD is GET without a body, OPTIONS is for browsers that ask about
/// scripts.
const fn operations(route: Route) -> &'static [(&'static str, Operation)] {
    match route {
        Route::Datadog => &[("POST", openapi::datadog)],
        Route::Rfc7591 | Route::Register => &[("POST", openapi::rfc7591)],
        Route::OpenApi => &[("GET", openapi::description)],
        Route::AuthorizationServer | Route::OpenIdConfiguration => &[("GET", openapi::metadata)],
        Route::Jwks => &[("GET", openapi::jwks)],
        Route::Authorize | Route::AuthorizeAlias => {
            &[("GET", openapi::authorize), ("POST", openapi::authorize_by_form)]
        }
        Route::Consent => &[("POST", openapi::consent)],
        Route::Grants => &[("GET", openapi::grants), ("POST", openapi::take_back)],
        Route::SignIn => &[("POST", openapi::sign_in)],
        Route::SignedIn => &[("GET", openapi::return_from_provider)],
        Route::SignOut => &[("GET", openapi::sign_out_page), ("POST", openapi::sign_out)],
        Route::Token | Route::TokenAlias => &[("POST", openapi::token)],
        Route::Revoke => &[("POST", openapi::revoke)],
        Route::Introspect => &[("POST", openapi::introspect)],
        Route::Stylesheet => &[("GET", openapi::stylesheet)],
        Route::Unknown => &[],
    }
}

/// Whether the same is at another route.
const fn is_alias(route: Route) -> bool {
    matches!(
        route,
        Route::Register | Route::AuthorizeAlias | Route::TokenAlias | Route::OpenIdConfiguration
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_every_route_is_described_and_no_other() {
        for route in Route::ALL {
            let methods = route.methods().split(", ");
            let methods: Vec<&str> =
                methods.filter(|method| !["HEAD", "OPTIONS", ""].contains(method)).collect();
            let described: Vec<&str> =
                operations(route).iter().map(|(method, _)| *method).collect();
            assert_eq!(described, methods, "{route:?}");
        }
    }
}
