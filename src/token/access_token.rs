//! Access tokens: signed JWTs (RFC 9068), which a resource validates without a request to this server.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    client::Scope,
    clock::Timestamp,
    grant::{GrantId, ResourceIndicator},
    keys::KeysError,
    store::GrantRecord,
};

/// The scope and resources of an access token: those of its grant, or fewer.
pub(super) struct Extent<'grant> {
    pub(super) scope: Option<Scope>,
    pub(super) resources: Vec<&'grant ResourceIndicator>,
    /// When the grant ends.
    pub(super) expires_at: Timestamp,
}

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) exp: u64,
    pub(super) aud: Audience,
    pub(super) sub: String,
    pub(super) client_id: String,
    pub(super) iat: u64,
    /// The identifier of the grant, and random bytes that make each token unique.
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
}

/// `aud`: one resource, or several (RFC 7519 §4.1.3).
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn of(resources: &[&ResourceIndicator], issuer: &str) -> Self {
        match resources {
            // RFC 9068 §3: the default audience of a request that names no resource.
            [] => Self::One(issuer.to_owned()),
            [one] => Self::One(one.as_str().to_owned()),
            several => Self::Several(several.iter().map(|one| one.as_str().to_owned()).collect()),
        }
    }

    pub(super) fn contains(&self, resource: &str) -> bool {
        match self {
            Self::One(one) => one == resource,
            Self::Several(several) => several.iter().any(|one| one == resource),
        }
    }
}

/// An access token, signed.
pub(super) struct AccessToken {
    pub(super) text: String,
    /// The lifetime in seconds.
    pub(super) expires_in: u64,
}

/// Issues an access token that expires no later than its grant.
pub(super) fn issue(
    app: &App,
    grant: &GrantRecord,
    extent: &Extent<'_>,
    now: Timestamp,
) -> Result<AccessToken, KeysError> {
    let left = extent.expires_at.as_seconds().saturating_sub(now.as_seconds());
    let expires_in = app.config.token.access_token_lifetime_seconds.min(left);
    let chance: [u8; 16] = app.entropy.bytes();
    let claims = Claims {
        iss: app.config.server.issuer.clone(),
        exp: now.as_seconds() + expires_in,
        aud: Audience::of(&extent.resources, &app.config.server.issuer),
        sub: grant.subject.clone(),
        client_id: grant.client.to_string(),
        iat: now.as_seconds(),
        jti: BASE64_URL_SAFE_NO_PAD.encode([*grant.grant_id.as_bytes(), chance].concat()),
        scope: extent.scope.as_ref().map(|scope| scope.as_str().to_owned()),
    };
    let claims = serde_json::to_vec(&claims).expect("claims are strings and numbers");
    Ok(AccessToken { text: app.keys.sign(&claims, now)?, expires_in })
}

/// The claims of an access token that this server issued and that has not expired. The caller checks the grant.
pub(super) fn read(app: &App, token: &str, now: Timestamp) -> Option<Claims> {
    claims(&app.keys.verify(token)?, &app.config.server.issuer, now)
}

/// The facts of a signed access token that the guard needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) grant: GrantId,
    /// The scopes, separated by spaces.
    pub(crate) scope: String,
    /// The resource, if the token is for one resource only.
    pub(crate) audience: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// The facts of an access token that this server issued, expired or not.
pub(crate) fn verified(app: &App, token: &str) -> Option<Verified> {
    let always = Timestamp::from_millis(0);
    let claims = claims(&app.keys.verify(token)?, &app.config.server.issuer, always)?;
    Some(Verified {
        grant: claims.grant()?,
        subject: claims.sub,
        client_id: claims.client_id,
        scope: claims.scope.unwrap_or_default(),
        audience: match claims.aud {
            Audience::One(one) => Some(one),
            Audience::Several(_) => None,
        },
        expires_at: always.after_seconds(claims.exp),
    })
}

fn claims(signed: &[u8], issuer: &str, now: Timestamp) -> Option<Claims> {
    let claims: Claims = serde_json::from_slice(signed).ok()?;
    (claims.exp > now.as_seconds() && claims.iss == issuer).then_some(claims)
}

/// Entry point of a fuzz target: reads any signed bytes as claims.
#[cfg(fuzzing)]
pub(super) fn fuzz(signed: &[u8]) {
    let now = Timestamp::from_millis(1_800_000_000_000);
    if let Some(claims) = claims(signed, "https://door.example", now) {
        assert!(claims.exp > 1_800_000_000 && claims.iss == "https://door.example");
        let _named = claims.grant();
        let again = serde_json::to_vec(&claims).expect("claims are strings and numbers");
        assert!(self::claims(&again, "https://door.example", now).is_some());
    }
}

impl Claims {
    /// The grant of the token.
    pub(super) fn grant(&self) -> Option<GrantId> {
        let id = BASE64_URL_SAFE_NO_PAD.decode(&self.jti).ok()?;
        Some(GrantId::from_bytes(*id.first_chunk()?))
    }
}
