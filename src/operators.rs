//! People who operate this server: which role a person has at this moment, by the settings and by what their provider said
//! when they last signed in.
//!
//! A role lasts as long as a session: sign-out, the end of the session, and `doorward session revoke` end it, and the next
//! sign-in brings what the provider says then.

use crate::{
    app::App,
    client::Scope,
    clock::Timestamp,
    config::{Config, Operators},
    local_password,
    operator::{OperatorScope, Role},
    sign_in,
    store::{GrantRecord, ResourceOwner, StoreError},
    stored_identity::StoredIdentity,
};

/// The role of a person, by what is kept of them.
pub(crate) fn role(config: &Config, owner: &ResourceOwner) -> Option<Role> {
    if config.sign_in.local && owner.subject == local_password::SUBJECT {
        return Some(Role::Admin);
    }
    let identity = StoredIdentity::read(owner.identity.as_deref());
    let named = config.operators.iter().filter(|operators| names(operators, owner, &identity));
    named.map(|operators| operators.role).max()
}

fn names(operators: &Operators, owner: &ResourceOwner, identity: &StoredIdentity) -> bool {
    let provider = owner.subject.split_once(':').map(|(id, _)| id);
    let is_meant = |id: &String| provider == Some(id);
    operators.provider.as_ref().is_none_or(is_meant)
        && (operators.subjects.contains(&owner.subject)
            || operators.groups.iter().any(|group| identity.operator_groups.contains(group))
            || identity.email.as_ref().is_some_and(|verified| {
                operators.emails.iter().any(|email| email.eq_ignore_ascii_case(verified))
            }))
}

/// A person at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedIn {
    /// No session of theirs lives.
    No,
    /// One does; with the role that they have, if they have one.
    As(Option<Role>),
}

/// Whether a person is signed in, and with which role. Being asked about, their newest session lives on.
pub(crate) async fn signed_in(
    app: &App,
    subject: &str,
    now: Timestamp,
) -> Result<SignedIn, StoreError> {
    let session = sign_in::newest_session(app, subject, now).await?;
    Ok(session.map_or(SignedIn::No, |owner| SignedIn::As(role(&app.config, &owner))))
}

/// Whether a grant still gives tokens, as far as that takes a role: for the operator API, its person has to be signed in,
/// with a role that has some of its scopes.
pub(crate) async fn still_back(
    app: &App,
    grant: &GrantRecord,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let is_for_api = grant.resources.iter().any(|resource| app.config.is_api(resource.as_str()));
    let Some(scope) = grant.scope.as_ref().filter(|_| is_for_api) else { return Ok(true) };
    Ok(match signed_in(app, &grant.subject, now).await? {
        SignedIn::No => false,
        SignedIn::As(role) => within(scope, role).is_some(),
    })
}

/// The operator scopes in a scope.
pub(crate) fn scopes(scope: &str) -> impl Iterator<Item = OperatorScope> {
    scope.split(' ').filter_map(|token| token.parse().ok())
}

/// What of a scope a role has; `None` when that is nothing.
pub(crate) fn within(scope: &Scope, role: Option<Role>) -> Option<Scope> {
    let is_held = |token: &str| {
        let scope: Option<OperatorScope> = token.parse().ok();
        scope.zip(role).is_some_and(|(scope, role)| role.has(scope))
    };
    scope.retain(is_held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(subject: &str, email: Option<&str>, groups: &[&str]) -> ResourceOwner {
        let identity = StoredIdentity {
            email: email.map(str::to_owned),
            operator_groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..StoredIdentity::default()
        };
        ResourceOwner {
            subject: subject.to_owned(),
            name: None,
            // No provider has verified it, so it does not count.
            email: Some("typed@acme.example".to_owned()),
            identity: identity.text(),
        }
    }

    fn operators(role: Role, provider: Option<&str>, who: [&[&str]; 3]) -> Operators {
        let [subjects, emails, groups] =
            who.map(|list| list.iter().map(|&text| text.to_owned()).collect());
        Operators { role, provider: provider.map(str::to_owned), subjects, emails, groups }
    }

    #[test]
    fn the_highest_role_of_a_subject_a_verified_address_or_a_group_counts() {
        let operators = vec![
            operators(Role::Viewer, None, [&[], &[], &["support"]]),
            operators(Role::Operator, None, [&[], &["Ada@acme.example"], &["oncall"]]),
            operators(Role::Admin, None, [&["acme:7"], &[], &[]]),
            operators(Role::Admin, Some("acme"), [&[], &["root@acme.example"], &["root"]]),
        ];
        let config = Config { operators, ..Config::default() };
        for (owner, expected) in [
            (owner("acme:1", None, &[]), None),
            (owner("acme:7", None, &[]), Some(Role::Admin)),
            (owner("other:7", None, &[]), None),
            (owner("acme:1", None, &["support"]), Some(Role::Viewer)),
            (owner("acme:1", None, &["support", "oncall"]), Some(Role::Operator)),
            (owner("acme:1", None, &["Support"]), None),
            (owner("acme:1", Some("ada@ACME.example"), &["support"]), Some(Role::Operator)),
            (owner("acme:1", Some("eve@acme.example"), &[]), None),
            (owner("acme:1", None, &["root"]), Some(Role::Admin)),
            (owner("other:1", None, &["root"]), None),
            (owner("other:1", Some("root@acme.example"), &[]), None),
            (owner("acmeroot", None, &["root"]), None),
        ] {
            assert_eq!(role(&config, &owner), expected, "{owner:?}");
        }
    }

    #[test]
    fn an_address_that_no_provider_verified_gives_no_role() {
        let operators = vec![operators(Role::Admin, None, [&[], &["typed@acme.example"], &[]])];
        let config = Config { operators, ..Config::default() };
        assert_eq!(role(&config, &owner("acme:1", None, &[])), None);
    }

    #[test]
    fn the_person_with_the_local_password_is_admin_where_there_is_one() {
        let mut config = Config::default();
        assert_eq!(role(&config, &local_password::owner()), None);
        config.sign_in.local = true;
        assert_eq!(role(&config, &local_password::owner()), Some(Role::Admin));
        assert_eq!(role(&config, &owner("local:other", None, &[])), None);
    }
}
