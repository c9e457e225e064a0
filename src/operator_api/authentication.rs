//! Who calls the operator API, and what they may do there.

use http::{HeaderMap, HeaderName};

use super::error::ApiError;
use crate::{
    app::App,
    audit::Actor,
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    http::bearer::bearer,
    operator::{OperatorScope, OperatorToken, OperatorTokenId, Role},
    operators::{self, SignedIn},
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
    Token { id: OperatorTokenId, name: String, role: Role },
    /// A person, by an access token for this API.
    Person(Person),
    /// Anyone.
    Public,
}

/// A person who calls by a client of theirs.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) subject: String,
    /// The client that acts for them.
    client: ClientIdentifier,
    /// The operator scopes of the token that its grant still has.
    scopes: Vec<OperatorScope>,
    /// The role of the person at this moment, for an operation that needs one of these scopes.
    role: Option<Role>,
}

impl Identity {
    /// The author of what the caller changes.
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Token { name, .. } => Actor::Operator(name.clone()),
            Self::Person(person) => match person.role {
                Some(_) => Actor::Operator(person.subject.clone()),
                None => Actor::Person(person.subject.clone()),
            },
            Self::Public => Actor::System,
        }
    }

    /// The role in which the caller acts, if it acts as an operator.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::Token { role, .. } => Some(*role),
            Self::Person(person) => person.role,
            Self::Public => None,
        }
    }

    /// The client that acts for a person.
    pub(super) fn via(&self) -> Option<&ClientIdentifier> {
        match self {
            Self::Person(person) => Some(&person.client),
            Self::Token { .. } | Self::Public => None,
        }
    }

    /// Whose calls are counted together; `None` for those that anyone may make.
    pub(super) fn counted(&self) -> Option<String> {
        match self {
            Self::Token { id, .. } => Some(id.to_string()),
            Self::Person(person) => Some(person.subject.clone()),
            Self::Public => None,
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
            (Needs::Scope(needed), Self::Person(person)) => person.check(needed),
            (Needs::Person, Self::Token { .. }) => Err(ApiError::Forbidden(
                "This operation needs an access token of a person, not an operator token."
                    .to_owned(),
            )),
            (Needs::Scope(_) | Needs::Person, Self::Public) => Err(ApiError::NO_CREDENTIAL),
            (Needs::Scope(_) | Needs::Person | Needs::Nothing, _) => Ok(()),
        }
    }
}

impl Person {
    fn check(&self, needed: OperatorScope) -> Result<(), ApiError> {
        if !self.scopes.contains(&needed) {
            return Err(ApiError::InsufficientScope { held: self.scopes.clone(), needed });
        }
        if self.role.is_some_and(|role| role.has(needed)) {
            return Ok(());
        }
        Err(ApiError::Forbidden(match self.role {
            Some(role) => format!(
                "This operation needs the scope {needed}, which the person's role {role} does not have."
            ),
            None => format!("This operation needs the scope {needed}, and the person has no role."),
        }))
    }
}

/// Identifies the caller by its credential: an operator token, or an access token for this API.
pub(super) async fn identify(
    app: &App,
    headers: &HeaderMap,
    needs: Needs,
    now: Timestamp,
) -> Result<Identity, ApiError> {
    let credential = credential(headers).ok_or(ApiError::NO_CREDENTIAL)?;
    match credential.parse::<OperatorToken>() {
        Ok(token) => of_operator_token(app, &token, now).await,
        Err(()) => of_access_token(app, credential, needs, now).await,
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
    let record = app.store.operator_token(presented.id).await?.ok_or(ApiError::INVALID_TOKEN)?;
    let is_expired = record.expires_at.is_some_and(|expires_at| expires_at <= now);
    if is_expired || !record.hash.matches(&presented.secret.hash()) {
        return Err(ApiError::INVALID_TOKEN);
    }
    // With more tokens in use than there is room for, the last use of some is missing.
    let _noted = app.last_use.note_operator_token(presented.id, now);
    Ok(Identity::Token { id: presented.id, name: record.name, role: record.role })
}

/// An access token for another resource opens nothing here: that resource could present it. One for the server itself, which
/// clients get that name no resource, opens only what is about its person.
///
/// The grant, the session, and the role are looked up at every call: a revocation ends the power at once.
async fn of_access_token(
    app: &App,
    text: &str,
    needs: Needs,
    now: Timestamp,
) -> Result<Identity, ApiError> {
    let verified = token::verified(app, text).ok_or(ApiError::INVALID_TOKEN)?;
    let audience = verified.audience.as_deref().unwrap_or_default();
    let is_for_api = app.config.is_api(audience);
    let is_for_us = is_for_api || audience == app.config.server.issuer;
    if !is_for_us || verified.expires_at <= now {
        return Err(ApiError::INVALID_TOKEN);
    }
    let grant = token::live_grant(app, verified.grant, now).await?;
    let grant = grant.ok_or(ApiError::INVALID_TOKEN)?;
    let granted = grant.scope.as_ref().map_or("", Scope::as_str);
    let is_granted = |scope: &OperatorScope| operators::scopes(granted).any(|one| one == *scope);
    let scopes: Vec<OperatorScope> = operators::scopes(&verified.scope)
        .filter(|scope| is_for_api && is_granted(scope))
        .collect();
    let role = match needs {
        Needs::Scope(needed) if scopes.contains(&needed) => {
            match operators::signed_in(app, &verified.subject, now).await? {
                SignedIn::As(role) => role,
                SignedIn::No => return Err(ApiError::INVALID_TOKEN),
            }
        }
        Needs::Scope(_) | Needs::Person | Needs::Nothing => None,
    };
    Ok(Identity::Person(Person { subject: verified.subject, client: grant.client, scopes, role }))
}
