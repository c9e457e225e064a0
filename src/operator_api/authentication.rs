//! Who calls the operator API, and what they may do there.

use http::{HeaderMap, HeaderName};

use super::error::ApiError;
use crate::{
    app::App,
    audit::Actor,
    clock::Timestamp,
    http::bearer::bearer,
    operator::{OperatorScope, OperatorToken, Role},
    token,
};

const DD_APPLICATION_KEY: HeaderName = HeaderName::from_static("dd-application-key");

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// An operator with this scope.
    Scope(OperatorScope),
    /// A person: the operation is about what they have allowed themselves.
    Person,
    /// Nothing: the answer is public.
    Nothing,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// A program with an operator token.
    Token { name: String, role: Role },
    /// A person, by an access token for this API.
    Person { subject: String },
    /// Anyone.
    Public,
}

impl Identity {
    /// The author of what the caller changes.
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Token { name, .. } => Actor::Operator(name.clone()),
            Self::Person { subject } => Actor::Person(subject.clone()),
            Self::Public => Actor::System,
        }
    }

    /// Whether the caller may do what needs this.
    pub(super) fn check(&self, needs: Needs) -> Result<(), ApiError> {
        match (needs, self) {
            (Needs::Scope(scope), Self::Token { role, .. }) if !role.has(scope) => {
                Err(ApiError::Forbidden(format!(
                    "This operation needs the scope {scope}, which the role {role} does not have."
                )))
            }
            (Needs::Scope(scope), Self::Person { .. }) => Err(ApiError::Forbidden(format!(
                "This operation needs an operator with the scope {scope}."
            ))),
            (Needs::Person, Self::Token { .. }) => Err(ApiError::Forbidden(
                "This operation needs an access token of a person, not an operator token."
                    .to_owned(),
            )),
            (Needs::Scope(_) | Needs::Person, Self::Public) => Err(ApiError::Unauthorized),
            (Needs::Scope(_) | Needs::Person | Needs::Nothing, _) => Ok(()),
        }
    }
}

/// Identifies the caller by its credential: an operator token, or an access token for this API.
pub(super) async fn identify(
    app: &App,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Identity, ApiError> {
    let credential = credential(headers).ok_or(ApiError::Unauthorized)?;
    match credential.parse::<OperatorToken>() {
        Ok(token) => of_operator_token(app, &token, now).await,
        Err(()) => of_access_token(app, credential, now).await,
    }
}

/// `Authorization: Bearer`, or what the SDKs of the documented family send: an application key, whatever the API key.
fn credential(headers: &HeaderMap) -> Option<&str> {
    match bearer(headers) {
        Some(sent) => sent.ok(),
        None => headers.get(DD_APPLICATION_KEY)?.to_str().ok().map(str::trim),
    }
}

async fn of_operator_token(
    app: &App,
    presented: &OperatorToken,
    now: Timestamp,
) -> Result<Identity, ApiError> {
    let record = app.store.operator_token(presented.id).await?.ok_or(ApiError::Unauthorized)?;
    let is_expired = record.expires_at.is_some_and(|expires_at| expires_at <= now);
    if is_expired || !record.hash.matches(&presented.secret.hash()) {
        return Err(ApiError::Unauthorized);
    }
    // With more tokens in use than there is room for, the last use of some is missing.
    let _noted = app.last_use.note_operator_token(presented.id, now);
    Ok(Identity::Token { name: record.name, role: record.role })
}

/// An access token for another resource opens nothing here: that resource could present it.
async fn of_access_token(app: &App, text: &str, now: Timestamp) -> Result<Identity, ApiError> {
    let verified = token::verified(app, text).ok_or(ApiError::Unauthorized)?;
    let is_for_us = verified.audience.as_deref() == Some(&*app.config.server.issuer);
    if !is_for_us || verified.expires_at <= now {
        return Err(ApiError::Unauthorized);
    }
    match token::live_grant(app, verified.grant, now).await? {
        Some(_) => Ok(Identity::Person { subject: verified.subject }),
        None => Err(ApiError::Unauthorized),
    }
}
