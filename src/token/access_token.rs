//! Access tokens: signed JWTs (RFC 9068), which a resource reads without asking anybody.

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

/// What an access token is for: what the grant allows, or less.
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
    /// The grant, and chance: no two tokens have the same.
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
            // RFC 9068 §3: a default, where no resource was named.
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
    /// For how long it is good, in seconds.
    pub(super) expires_in: u64,
}

/// A new access token, which is good no longer than its grant.
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

/// The claims of an access token that was issued here and has not expired. Whether its grant is still there
/// is another question.
pub(super) fn read(app: &App, token: &str, now: Timestamp) -> Option<Claims> {
    claims(&app.keys.verify(token)?, &app.config.server.issuer, now)
}

/// What a signed access token says, for the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) grant: GrantId,
    /// Separated by spaces.
    pub(crate) scope: String,
    /// The resource, if it is for one alone.
    pub(crate) audience: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// The facts of an access token that was issued here, expired or not.
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

/// The door of a fuzz target: whatever was signed, as claims of ours.
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
    /// The grant that the token comes from.
    pub(super) fn grant(&self) -> Option<GrantId> {
        let id = BASE64_URL_SAFE_NO_PAD.decode(&self.jti).ok()?;
        Some(GrantId::from_bytes(*id.first_chunk()?))
    }
}
