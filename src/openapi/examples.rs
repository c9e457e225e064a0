//! Examples of what clients and protected resources send, and of what they get: one connection, from the registration of
//! a client to the end of its tokens.

use serde_json::{Map, Value, json};

use crate::{config::Config, paths};

const CLIENT_ID: &str = "019aa7b4-5a1c-4bd1-b0ff-6f4b3f3b8f0e";
const ACCESS_TOKEN: &str =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhY21lOjI0ODI4OTc2MTAwMSJ9.c2lnbmF0dXJl";
const REFRESH_TOKEN: &str = "AZqntFocS9Gw_29LPzuPDg.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// RFC 7636, appendix B.
const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CODE_CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Adds examples to the schemas of the document.
pub(super) fn add(config: &Config, schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas {
        let examples = of_schema(name, config);
        if !examples.is_empty() {
            schema["examples"] = examples.into();
        }
    }
}

fn of_schema(name: &str, config: &Config) -> Vec<Value> {
    match name {
        "RegistrationRequest" => vec![metadata()],
        "DatadogRegistrationRequest" => vec![with(metadata(), &json!({ "scope": "read" }))],
        "RegistrationUpdate" => {
            let more = json!({ "client_id": CLIENT_ID, "client_name": "Example MCP client 2" });
            vec![with(metadata(), &more)]
        }
        "ClientInformation" => vec![information(config)],
        "DatadogClientInformation" => {
            vec![with(metadata(), &json!({ "client_id": CLIENT_ID }))]
        }
        "AuthorizationRequest" => vec![json!({
            "client_id": CLIENT_ID,
            "response_type": "code",
            "redirect_uri": redirect_uri(),
            "code_challenge": CODE_CHALLENGE,
            "code_challenge_method": "S256",
            "state": "af0ifjsldkj",
        })],
        "AuthorizationCodeTokenRequest" => vec![json!({
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": REFRESH_TOKEN,
            "code_verifier": CODE_VERIFIER,
            "redirect_uri": redirect_uri(),
        })],
        "RefreshTokenRequest" => vec![json!({
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "refresh_token": REFRESH_TOKEN,
        })],
        "TokenResponse" => vec![json!({
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 600,
            "refresh_token": REFRESH_TOKEN,
            "scope": "read",
        })],
        "RevocationRequest" => {
            vec![json!({ "client_id": CLIENT_ID, "token": REFRESH_TOKEN })]
        }
        "IntrospectionRequest" => vec![json!({ "token": ACCESS_TOKEN })],
        "IntrospectionResponse" => vec![active(config), json!({ "active": false })],
        "Error" => vec![error("invalid_request", "client_id is missing")],
        "RegistrationErrorWithViolations" => {
            let reason = "must use https, or http to a loopback address";
            let more = json!({ "violations": [{
                "pointer": "/redirect_uris/0", "code": "invalid_redirect_uri", "reason": reason,
            }] });
            vec![with(error("invalid_redirect_uri", &format!("redirect_uris[0] {reason}")), &more)]
        }
        "Errors" => vec![json!({ "errors": ["Too many requests"] })],
        _ => Vec::new(),
    }
}

/// The members of `first` and those of `second`, which win.
fn with(mut first: Value, second: &Value) -> Value {
    for (name, value) in second.as_object().into_iter().flatten() {
        first[name] = value.clone();
    }
    first
}

fn redirect_uri() -> Value {
    "http://127.0.0.1:8000/callback".into()
}

fn metadata() -> Value {
    json!({
        "client_name": "Example MCP client",
        "redirect_uris": [redirect_uri()],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

fn information(config: &Config) -> Value {
    let issued = json!({ "client_id": CLIENT_ID, "client_id_issued_at": 1_800_021_900 });
    let information = with(metadata(), &issued);
    if !config.registration.management {
        return information;
    }
    let path = paths::REGISTRATION.replace("{client_id}", CLIENT_ID);
    let uri = format!("{}{path}", config.server.issuer);
    let token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let own = json!({ "registration_client_uri": uri, "registration_access_token": token });
    with(information, &own)
}

fn active(config: &Config) -> Value {
    let resource = config.authorization.resources.first().map(|resource| resource.uri.as_str());
    json!({
        "active": true,
        "client_id": CLIENT_ID,
        "token_type": "Bearer",
        "scope": "read",
        "sub": "acme:248289761001",
        "aud": resource.unwrap_or("https://tools.example/mcp"),
        "iss": config.server.issuer,
        "iat": 1_800_021_900,
        "exp": 1_800_022_500,
    })
}

fn error(code: &str, description: &str) -> Value {
    json!({ "error": code, "error_description": description })
}

/// The metadata of a guarded resource.
pub(super) fn resource_metadata(config: &Config) -> Value {
    json!({
        "resource": "https://tools.example/mcp",
        "authorization_servers": [config.server.issuer],
        "bearer_methods_supported": ["header"],
    })
}

/// The keys of a server: that of RFC 7517, appendix A.1.
pub(super) fn keys() -> Value {
    json!({ "keys": [{
        "kty": "EC",
        "alg": "ES256",
        "use": "sig",
        "kid": "4pFLUtnkYBcYyXb_KGmCXM8SQXsTTkRdMSUS-XWjTns",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }] })
}
