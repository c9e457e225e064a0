//! The successful response of the token endpoint (RFC 6749 §5.1).

use serde_json::{Value, json};

use super::access_token::AccessToken;
use crate::{client::Scope, grant::RefreshToken};

/// The token type (RFC 6750), also in introspection responses.
pub(super) const TOKEN_TYPE: &str = "Bearer";

/// Room for everything but the tokens and the scope, in bytes.
const REST_BYTES: usize = 128;

/// The body of the response; the access token expires after `expires_in` seconds. The scope is always included, since
/// it may be less than the requested one.
///
/// Nothing needs escaping: tokens are base64url with dots and underscores, and a scope has neither quotes nor
/// backslashes (RFC 6749 §3.3). Checking every byte would cost a tenth of an exchange, its signature aside.
pub(super) fn body(
    access_token: &AccessToken,
    refresh_token: Option<&RefreshToken>,
    scope: Option<&Scope>,
) -> String {
    let refresh_token = refresh_token.map(RefreshToken::to_string);
    let AccessToken { text, expires_in } = access_token;
    let texts = [Some(text.as_str()), refresh_token.as_deref(), scope.map(Scope::as_str)];
    let length: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let mut body = String::with_capacity(length + REST_BYTES);
    body.extend(["{\"access_token\":\"", text, "\",\"token_type\":\"", TOKEN_TYPE]);
    body.extend(["\",\"expires_in\":", &expires_in.to_string()]);
    if let Some(token) = &refresh_token {
        body.extend([",\"refresh_token\":\"", token, "\""]);
    }
    if let Some(scope) = scope {
        body.extend([",\"scope\":\"", scope.as_str(), "\""]);
    }
    body.push('}');
    body
}

/// The JSON Schema of every member.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["access_token", "token_type", "expires_in"],
        "additionalProperties": false,
        "properties": {
            "access_token": { "type": "string", "description": "A JWT (RFC 9068)." },
            "token_type": { "const": TOKEN_TYPE },
            "expires_in": { "type": "integer", "minimum": 1, "description": "Seconds from now." },
            "refresh_token": {
                "type": "string",
                "description": "For a client that has registered the grant; each is used once, for the next one.",
            },
            "scope": { "type": "string", "description": "What was allowed, which may be less than was asked for." },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, entropy::Entropy, grant::GrantId};

    fn issued(text: &str, expires_in: u64) -> AccessToken {
        AccessToken { text: text.to_owned(), expires_in }
    }

    #[test]
    fn the_answer_is_json_whatever_the_scope_and_the_description_has_every_member_of_it() {
        let entropy = Entropy::seeded(1);
        let grant = GrantId::generate(Timestamp::from_millis(1_800_000_000_000), &entropy);
        let token = RefreshToken::generate(grant, &entropy);
        let every_byte: String =
            (b'!'..=b'~').filter(|byte| !b"\"\\".contains(byte)).map(char::from).collect();
        let scope = Scope::parse(&every_byte).unwrap().unwrap();

        let full: Value =
            serde_json::from_str(&body(&issued("a.b_c-d", 600), Some(&token), Some(&scope)))
                .unwrap();
        let least: Value = serde_json::from_str(&body(&issued("a", 1), None, None)).unwrap();

        assert_eq!(
            (&full["refresh_token"], &full["scope"]),
            (&token.to_string().into(), &every_byte.into())
        );
        assert_eq!(least, json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 1 }));
        let names =
            |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&schema()["properties"]), names(&full));
    }
}
