//! Token introspection for protected resources (RFC 7662): whether a token is active, and what it allows. Only
//! resources with a secret may ask, each about its own tokens. A refresh token is never active here: no resource
//! should see one (RFC 6749 §1.5), and it must not pass for an access token.

use http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    access_token::{self, Audience, Claims},
    client::basic,
    error::TokenError,
    live_grant::live_grant,
    request::required,
    response::TOKEN_TYPE,
};
use crate::{app::App, clock::Timestamp, config::Resource, http::form::Form, secret::SecretHash};

/// The response (RFC 7662 §2.2). An inactive token reveals nothing else.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Introspection {
    Active(Box<Active>),
    Inactive { active: bool },
}

/// The members of an active token.
#[derive(Serialize)]
pub(super) struct Active {
    #[serde(rename = "active")]
    is_good: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    client_id: String,
    token_type: &'static str,
    exp: u64,
    iat: u64,
    sub: String,
    aud: Audience,
    iss: String,
}

/// The JSON Schema of every member.
pub(crate) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let moment = json!({ "type": "integer", "description": "Seconds since 1970-01-01T00:00:00Z." });
    let active = json!({
        "type": "object",
        "required": ["active", "client_id", "token_type", "exp", "iat", "sub", "aud", "iss"],
        "additionalProperties": false,
        "properties": {
            "active": { "const": true },
            "scope": text,
            "client_id": text,
            "token_type": { "const": TOKEN_TYPE },
            "exp": moment,
            "iat": moment,
            "sub": text,
            "aud": { "oneOf": [text, { "type": "array", "items": text }] },
            "iss": text,
        },
    });
    let inactive = json!({
        "type": "object",
        "required": ["active"],
        "additionalProperties": false,
        "properties": { "active": { "const": false } },
    });
    json!({ "oneOf": [active, inactive] })
}

/// The response to a resource.
pub(super) async fn introspect(
    app: &App,
    headers: &HeaderMap,
    form: &Form<'_>,
    now: Timestamp,
) -> Result<Introspection, TokenError> {
    let resource = asking(app, headers).ok_or(TokenError::UnknownResource)?;
    let token = required(form, "token")?;
    Ok(match of_access_token(app, token, resource, now).await? {
        Some(active) => Introspection::Active(Box::new(active)),
        None => Introspection::Inactive { active: false },
    })
}

/// The resource that authenticates by HTTP Basic.
fn asking<'app>(app: &'app App, headers: &HeaderMap) -> Option<&'app Resource> {
    let (id, secret) = basic(headers)?;
    let hash = SecretHash::of(secret.as_bytes());
    app.config.authorization.resources.iter().find(|resource| {
        resource.introspection().is_some_and(|(known, sha256)| {
            known == id && SecretHash::from_bytes(*sha256).matches(&hash)
        })
    })
}

async fn of_access_token(
    app: &App,
    token: &str,
    resource: &Resource,
    now: Timestamp,
) -> Result<Option<Active>, TokenError> {
    let Some(claims) = access_token::read(app, token, now) else { return Ok(None) };
    let Some(id) = claims.grant().filter(|_| claims.aud.contains(resource.uri.as_str())) else {
        return Ok(None);
    };
    let is_live = live_grant(app, id, now).await?.is_some();
    let Claims { iss, exp, aud, sub, client_id, iat, scope, .. } = claims;
    let active =
        Active { is_good: true, scope, client_id, token_type: TOKEN_TYPE, exp, iat, sub, aud, iss };
    Ok(is_live.then_some(active))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_every_member_of_an_introspection() {
        let text = || "x".to_owned();
        let active = Introspection::Active(Box::new(Active {
            is_good: true,
            scope: Some(text()),
            client_id: text(),
            token_type: TOKEN_TYPE,
            exp: 2,
            iat: 1,
            sub: text(),
            aud: Audience::One(text()),
            iss: text(),
        }));
        let names =
            |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        for (nth, answer) in [active, Introspection::Inactive { active: false }].iter().enumerate()
        {
            let sent = serde_json::to_value(answer).unwrap();
            assert_eq!(names(&schema()["oneOf"][nth]["properties"]), names(&sent));
        }
    }
}
