//! The paths of the public endpoints, each written once. `server/routes/table.rs` says what answers at them; the metadata
//! documents, pages, and redirects name them from here. All are relative to the issuer.

/// Authorization server metadata (RFC 8414 §3).
pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The same document, where OpenID Connect Discovery §4 looks.
pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The authorization endpoint (RFC 6749 §3.1).
pub(crate) const AUTHORIZE: &str = "/oauth2/authorize";
/// An alias of [`AUTHORIZE`], for clients that do not read metadata.
pub(crate) const AUTHORIZE_ALIAS: &str = "/authorize";
/// Where the consent page sends a person's decision.
pub(crate) const CONSENT: &str = "/oauth2/consent";
/// Audit events, for operators.
pub(crate) const AUDIT_EVENTS: &str = "/api/v2/audit/events";
/// A client, for operators.
pub(crate) const CLIENT: &str = "/api/v2/oauth2/clients/{client_id}";
/// Clients, for operators.
pub(crate) const CLIENTS: &str = "/api/v2/oauth2/clients";
/// The OpenID document of the documented family.
pub(crate) const DATADOG_OPENID: &str = "/api/v2/oauth2/.well-known/openid-configuration";
/// The documented registration endpoint of Datadog.
pub(crate) const DATADOG_REGISTER: &str = "/api/v2/oauth2/register";
/// A person's connected apps.
pub(crate) const GRANTS: &str = "/oauth2/grants";
/// Forward-auth for Envoy over gRPC.
pub(crate) const ENVOY_CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Forward-auth for Envoy, which appends the path of the request.
pub(crate) const GUARD_ENVOY: &str = "/guard/envoy/{resource}/";
/// The same for every path but `/`.
pub(crate) const GUARD_ENVOY_BELOW: &str = "/guard/envoy/{resource}/{*target}";
/// Forward-auth for Caddy, Traefik, and `HAProxy`.
pub(crate) const GUARD_FORWARDED: &str = "/guard/forwarded/{resource}";
/// Forward-auth for nginx.
pub(crate) const GUARD_NGINX: &str = "/guard/nginx/{resource}";
/// A family, for operators.
pub(crate) const FAMILY: &str = "/api/v2/oauth2/families/{family_id}";
/// Families, for operators.
pub(crate) const FAMILIES: &str = "/api/v2/oauth2/families";
/// What this server is, for browsers and programs that ask for no endpoint.
pub(crate) const HOME: &str = "/";
/// Token introspection (RFC 7662).
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
/// The public keys (RFC 7517).
pub(crate) const JWKS: &str = "/oauth2/jwks";
/// A grant, for operators.
pub(crate) const OPERATOR_GRANT: &str = "/api/v2/oauth2/grants/{grant_id}";
/// Grants, for operators.
pub(crate) const OPERATOR_GRANTS: &str = "/api/v2/oauth2/grants";
/// The numbers of the first page, for operators.
pub(crate) const OVERVIEW: &str = "/api/v2/oauth2/overview";
/// The description of the interface.
pub(crate) const OPENAPI: &str = "/openapi.json";
/// Protected resource metadata (RFC 9728 §3), for the resource of a host.
pub(crate) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// The same for the resource at a path of a host.
pub(crate) const PROTECTED_RESOURCE_BELOW: &str = "/.well-known/oauth-protected-resource/{*path}";
/// Client registration (RFC 7591 §3).
pub(crate) const REGISTER: &str = "/oauth2/register";
/// An alias of [`REGISTER`], for clients that do not read metadata.
pub(crate) const REGISTER_ALIAS: &str = "/register";
/// What a client registered (RFC 7592 §2).
pub(crate) const REGISTRATION: &str = "/oauth2/register/{client_id}";
/// The same below [`REGISTER_ALIAS`].
pub(crate) const REGISTRATION_ALIAS: &str = "/register/{client_id}";
/// An admission rule, for operators.
pub(crate) const RULE: &str = "/api/v2/oauth2/admission_rules/{rule_id}";
/// Tries a draft of an admission rule.
pub(crate) const RULE_TRIAL: &str = "/api/v2/oauth2/admission_rules/try";
/// Admission rules, for operators.
pub(crate) const RULES: &str = "/api/v2/oauth2/admission_rules";
/// Token revocation (RFC 7009).
pub(crate) const REVOKE: &str = "/oauth2/revoke";
/// The scopes that a client may hold.
pub(crate) const SCOPES_RESTRICTION: &str = "/api/v2/oauth2/clients/{client_id}/scopes_restriction";
/// Refused requests.
pub(crate) const ATTEMPTS: &str = "/api/v2/oauth2/attempts";
/// People: who is signed in or has allowed a client.
pub(crate) const PEOPLE: &str = "/api/v2/oauth2/people";
/// One of them.
pub(crate) const PERSON: &str = "/api/v2/oauth2/people/{subject}";
/// What the store has of one of them.
pub(crate) const PERSON_DATA: &str = "/api/v2/oauth2/people/{subject}/data";
/// Operator tokens.
pub(crate) const OPERATOR_TOKENS: &str = "/api/v2/oauth2/operator_tokens";
/// One of them.
pub(crate) const OPERATOR_TOKEN: &str = "/api/v2/oauth2/operator_tokens/{operator_token_id}";
/// Initial access tokens.
pub(crate) const INITIAL_ACCESS_TOKENS: &str = "/api/v2/oauth2/initial_access_tokens";
/// One of them.
pub(crate) const INITIAL_ACCESS_TOKEN: &str =
    "/api/v2/oauth2/initial_access_tokens/{initial_access_token_id}";
/// The keys that sign access tokens.
pub(crate) const KEYS: &str = "/api/v2/oauth2/keys";
/// One of them.
pub(crate) const KEY: &str = "/api/v2/oauth2/keys/{key_id}";
/// The sessions of people.
pub(crate) const SESSIONS: &str = "/api/v2/oauth2/sessions";
/// One of them.
pub(crate) const SESSION: &str = "/api/v2/oauth2/sessions/{session_id}";
/// The sites of the documented family.
pub(crate) const SITES: &str = "/api/v2/oauth2/.well-known/sites";
/// The clients that people have authorized.
pub(crate) const ORG_CLIENTS: &str = "/api/v2/org_authorized_clients";
/// One of them.
pub(crate) const ORG_CLIENT: &str = "/api/v2/org_authorized_clients/{org_authorized_client_id}";
/// Who has authorized it.
pub(crate) const ORG_CLIENT_USERS: &str =
    "/api/v2/org_authorized_clients/{org_authorized_client_id}/user_authorized_clients";
/// What one person has authorized it.
pub(crate) const ORG_CLIENT_USER: &str = "/api/v2/org_authorized_clients/{org_authorized_client_id}/user_authorized_clients/{user_authorized_client_id}";
/// Everything that one person has authorized it.
pub(crate) const ORG_CLIENT_ALL_OF_USER: &str =
    "/api/v2/org_authorized_clients/{org_authorized_client_id}/user/{user_id}";
/// What a person has authorized.
pub(crate) const USER_CLIENTS: &str = "/api/v2/user_authorized_clients";
/// What a person has authorized one client.
pub(crate) const USER_CLIENT: &str = "/api/v2/user_authorized_clients/{user_authorized_client_id}";
/// Everything that a person has authorized one client.
pub(crate) const USER_CLIENT_ALL: &str = "/api/v2/user_authorized_clients/client/{client_id}";
/// Where a person signs in, or chooses a provider.
pub(crate) const SIGN_IN: &str = "/oauth2/sign-in";
/// Where a provider sends people back to.
pub(crate) const SIGN_IN_RETURN: &str = "/oauth2/sign-in/{provider}";
/// Where a person signs out.
pub(crate) const SIGN_OUT: &str = "/oauth2/sign-out";
/// The stylesheet of all pages.
pub(crate) const STYLESHEET: &str = "/oauth2/style.css";
/// The token endpoint (RFC 6749 §3.2).
pub(crate) const TOKEN: &str = "/oauth2/token";
/// An alias of [`TOKEN`], for clients that do not read metadata.
pub(crate) const TOKEN_ALIAS: &str = "/token";

/// The paths that belong to this server, with everything below them: every path above but `/` lies in one. No guarded
/// resource on the same host may overlap them.
pub(crate) const RESERVED: [&str; 10] = [
    "/.well-known",
    "/api",
    "/authorize",
    "/console",
    "/envoy.service.auth.v3.Authorization",
    "/guard",
    "/oauth2",
    "/openapi.json",
    "/register",
    "/token",
];
