//! The description of the public interface, made from the table of routes. HEAD is GET without a body, and OPTIONS is
//! for browsers: neither is described.

use serde_json::{Map, Value};

use super::routes::ROUTES;
use crate::{config::Config, openapi};

/// What `GET /openapi.json` answers with these settings: what is there, and nothing else.
pub fn description(config: &Config) -> String {
    let mut paths = Map::new();
    for route in ROUTES.iter().filter(|route| route.exists(config)) {
        let described = route.operations(config).iter().filter_map(|operation| {
            let mut described = operation.description?(config);
            if route.is_alias {
                let id = described["operationId"].as_str().unwrap_or_default();
                described["operationId"] = format!("{id}{}", openapi::ALIAS).into();
            }
            Some((operation.method.as_str().to_lowercase(), described))
        });
        let described: Map<String, Value> = described.collect();
        if !described.is_empty() {
            // OpenAPI has no parameter of several segments: the nearest is one.
            paths.insert(route.template.replace("{*", "{"), described.into());
        }
    }
    openapi::document(config, &paths)
}
