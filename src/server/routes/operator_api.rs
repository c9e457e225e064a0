//! The endpoints of the operator API: further rows of the table.

use http::Method;

use super::table::{Endpoint, Operation, PAGE, always};
use crate::{
    config::Config,
    operator_api::{
        self, attempts, audit_events, client_creation, client_list, clients, families, grants,
        initial_access_tokens, keys, operator_tokens, org_clients, overview, people, rule_trial,
        rules, scopes_restriction, sessions, user_clients, well_known,
    },
    paths,
};

/// A row of one path, with the operation of each method.
macro_rules! endpoint {
    ($path:path, $exists:expr, $($method:ident $operation:path),+ $(,)?) => {
        Endpoint {
            paths: &[$path],
            exists: $exists,
            operations: &[$(Operation {
                method: Method::$method,
                head: matches!(Method::$method, Method::GET),
                any: false,
                needs: Some($operation.needs),
                handler: |c| Box::pin(async move {
                    let (app, source, head, body) = (c.app, c.source, &c.head, c.body);
                    let call = operator_api::Call { app, source, head, body, template: $path };
                    operator_api::answer(&$operation, call).await
                }),
                description: Some(|_| operator_api::describe(&$operation, $path)),
            }),+],
            ..PAGE
        }
    };
}

/// Every endpoint of the operator API.
pub(super) static ENDPOINTS: [Endpoint; 34] = [
    endpoint!(
        paths::CLIENTS, always, GET client_list::LIST, POST client_creation::CREATE
    ),
    endpoint!(
        paths::CLIENT, always, GET clients::READ, PATCH clients::CHANGE, DELETE clients::REMOVE
    ),
    endpoint!(
        paths::SCOPES_RESTRICTION, always,
        GET scopes_restriction::READ, POST scopes_restriction::PUT, DELETE scopes_restriction::LIFT
    ),
    endpoint!(paths::FAMILIES, always, GET families::LIST),
    endpoint!(
        paths::FAMILY, always,
        GET families::READ, PATCH families::CHANGE, DELETE families::REMOVE
    ),
    endpoint!(paths::RULES, always, GET rules::LIST, POST rules::CREATE),
    endpoint!(
        paths::RULE, always, GET rules::READ, PATCH rules::CHANGE, DELETE rules::REMOVE
    ),
    endpoint!(paths::RULE_TRIAL, always, POST rule_trial::TRY),
    endpoint!(paths::OPERATOR_GRANTS, Config::authorizes, GET grants::LIST),
    endpoint!(
        paths::OPERATOR_GRANT, Config::authorizes, GET grants::READ, DELETE grants::REVOKE
    ),
    endpoint!(paths::PEOPLE, Config::authorizes, GET people::LIST),
    endpoint!(paths::PERSON, Config::authorizes, GET people::READ, DELETE people::END),
    endpoint!(paths::PERSON_DATA, Config::authorizes, DELETE people::FORGET),
    endpoint!(paths::SESSIONS, Config::authorizes, GET sessions::LIST),
    endpoint!(paths::SESSION, Config::authorizes, DELETE sessions::END),
    endpoint!(paths::KEYS, Config::authorizes, GET keys::LIST, POST keys::ROTATE),
    endpoint!(paths::KEY, Config::authorizes, DELETE keys::DISCARD),
    endpoint!(paths::ATTEMPTS, always, GET attempts::LIST),
    endpoint!(
        paths::OPERATOR_TOKENS, always,
        GET operator_tokens::LIST, POST operator_tokens::CREATE
    ),
    endpoint!(paths::OPERATOR_TOKEN, always, DELETE operator_tokens::REVOKE),
    endpoint!(
        paths::INITIAL_ACCESS_TOKENS, always,
        GET initial_access_tokens::LIST, POST initial_access_tokens::CREATE
    ),
    endpoint!(paths::INITIAL_ACCESS_TOKEN, always, DELETE initial_access_tokens::REVOKE),
    endpoint!(paths::AUDIT_EVENTS, always, GET audit_events::LIST),
    endpoint!(paths::OVERVIEW, always, GET overview::READ),
    endpoint!(paths::SITES, always, GET well_known::SITES),
    endpoint!(paths::DATADOG_OPENID, Config::authorizes, GET well_known::OPENID),
    endpoint!(paths::ORG_CLIENTS, Config::authorizes, GET org_clients::LIST),
    endpoint!(
        paths::ORG_CLIENT, Config::authorizes,
        GET org_clients::READ, PATCH org_clients::CHANGE, DELETE org_clients::DISABLE
    ),
    endpoint!(paths::ORG_CLIENT_USERS, Config::authorizes, GET org_clients::LIST_USERS),
    endpoint!(paths::ORG_CLIENT_USER, Config::authorizes, DELETE org_clients::REVOKE),
    endpoint!(paths::ORG_CLIENT_ALL_OF_USER, Config::authorizes, DELETE org_clients::REVOKE_USER),
    endpoint!(paths::USER_CLIENTS, Config::authorizes, GET user_clients::LIST),
    endpoint!(
        paths::USER_CLIENT, Config::authorizes, GET user_clients::READ, DELETE user_clients::REVOKE
    ),
    endpoint!(paths::USER_CLIENT_ALL, Config::authorizes, DELETE user_clients::REVOKE_CLIENT),
];
