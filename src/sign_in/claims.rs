//! The identity of a person from the provider's claims, and whether the settings let them sign in.

use serde_json::{Map, Value};

use crate::{
    appearance::moves_text,
    config::{Operators, Provider, SignInConfig},
    local_password,
    store::ResourceOwner,
    stored_identity::StoredIdentity,
};

/// The most bytes of a subject (OpenID Connect Core 1.0 §2).
const SUBJECT_BYTES_MAX: usize = 255;

/// The most characters of a name that are stored.
const NAME_CHARS_MAX: usize = 200;

/// The most bytes of an address (RFC 5321 §4.5.3.1.3). A longer one is rejected, because a cut could change its
/// domain.
const EMAIL_BYTES_MAX: usize = 254;

/// Why a person with an account at the provider cannot sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimsError {
    #[error("the provider does not say who it is")]
    NoSubject,
    #[error("this account may not sign in here")]
    NotAllowed,
    #[error("its email address has more than one @")]
    Address,
}

/// The claims that the settings need beside the subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Needed<'settings> {
    /// The claims for servers behind the guard; `None` without such servers.
    pub(super) told: Option<Vec<&'settings str>>,
    /// The roles of operators.
    pub(super) operators: &'settings [Operators],
}

/// The resource owner with these claims, if the settings let them in.
pub(super) fn owner(
    provider: &Provider,
    claims: &Map<String, Value>,
    needed: &Needed<'_>,
) -> Result<ResourceOwner, ClaimsError> {
    let subject = match claims.get(&provider.subject_claim) {
        Some(Value::String(subject)) => subject.clone(),
        Some(Value::Number(subject)) => subject.to_string(),
        _ => String::new(),
    };
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.contains(moves_text) {
        return Err(ClaimsError::NoSubject);
    }
    let is_address = |text: &&str| text.len() <= EMAIL_BYTES_MAX && !text.contains(moves_text);
    let email = text(claims, &provider.email_claim);
    if email.is_some_and(|email| email.chars().filter(|it| is_at_sign(*it)).count() > 1) {
        return Err(ClaimsError::Address);
    }
    let email = email.filter(is_address);
    let groups = groups(provider, claims);
    let is_in_group = provider.allowed_groups.is_empty()
        || provider.allowed_groups.iter().any(|allowed| groups.contains(&allowed.as_str()));
    // An unverified address is whatever the person typed, and only the address in `email` can be verified (OpenID
    // Connect Core 1.0 §5.1).
    let is_verified = provider.allowed_domains.is_empty()
        || claims.get("email_verified").is_some_and(is_true) && text(claims, "email") == email;
    if !(is_of_allowed_domain(provider, email) && is_verified && is_in_group) {
        return Err(ClaimsError::NotAllowed);
    }
    Ok(ResourceOwner {
        // Two providers may use the same subject for two people.
        subject: format!("{}:{subject}", provider.id),
        name: text(claims, &provider.name_claim)
            .map(|name| shown(name).take(NAME_CHARS_MAX).collect()),
        email: email.map(|email| email.trim().to_owned()),
        identity: identity(provider, claims, email, needed).text(),
    })
}

fn groups<'claims>(provider: &Provider, claims: &'claims Map<String, Value>) -> Vec<&'claims str> {
    match claims.get(&provider.groups_claim) {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(group)) => vec![group.as_str()],
        _ => Vec::new(),
    }
}

/// The stored claims, for servers behind the guard and for roles.
fn identity(
    provider: &Provider,
    claims: &Map<String, Value>,
    email: Option<&str>,
    needed: &Needed<'_>,
) -> StoredIdentity {
    if needed.told.is_none() && needed.operators.is_empty() {
        return StoredIdentity::default();
    }
    let is_verified =
        claims.get("email_verified").is_some_and(is_true) && text(claims, "email") == email;
    let email = email.filter(|_| is_verified).map(|email| email.trim().to_owned());
    let mut given: Vec<&String> = needed.operators.iter().flat_map(|one| &one.groups).collect();
    let held = groups(provider, claims);
    given.retain(|group| held.contains(&group.as_str()));
    given.sort_unstable();
    given.dedup();
    let operator_groups = given.into_iter().cloned().collect();
    let mut identity = StoredIdentity { email, operator_groups, ..StoredIdentity::default() };
    for name in needed.told.iter().flatten() {
        let source = if *name == "groups" { &*provider.groups_claim } else { name };
        if let Some(value) = claims.get(source) {
            identity.add(name, value);
        }
    }
    identity
}

/// Whether the current settings would let in a signed-in person, as far as the session records it: the provider and
/// the address. It records neither whether the address was verified nor the groups.
pub(super) fn may_stay(settings: &SignInConfig, owner: &ResourceOwner) -> bool {
    if owner.subject == local_password::SUBJECT {
        return settings.local;
    }
    let id = owner.subject.split_once(':').map(|(id, _)| id);
    let mut providers = settings.providers.iter().filter(|provider| id == Some(&provider.id));
    providers.any(|provider| is_of_allowed_domain(provider, owner.email.as_deref()))
}

fn is_of_allowed_domain(provider: &Provider, email: Option<&str>) -> bool {
    let allowed = &provider.allowed_domains;
    let is_allowed = |domain: &str| allowed.iter().any(|one| one.eq_ignore_ascii_case(domain));
    allowed.is_empty() || email.and_then(domain).is_some_and(is_allowed)
}

/// The domain of an address whose parts every mail server parses alike. A quoted local part (RFC 5321 §4.1.2) or a
/// comment (RFC 5322 §3.2.2) can hold an address of another domain, so neither is accepted.
fn domain(email: &str) -> Option<&str> {
    let (local, domain) = email.split_once('@')?;
    let is_plain = |it: char| {
        !(it.is_whitespace() || is_at_sign(it) || moves_text(it) || r#""(),:;<>[\]"#.contains(it))
    };
    let is_local = !local.is_empty() && local.chars().all(is_plain);
    (is_local && domain.chars().all(is_plain)).then_some(domain)
}

/// Whether `character` is an @, or becomes one by compatibility (UAX #15, NFKC) in another program.
const fn is_at_sign(character: char) -> bool {
    matches!(character, '@' | '\u{ff20}' | '\u{fe6b}')
}

fn text<'claims>(claims: &'claims Map<String, Value>, name: &str) -> Option<&'claims str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A boolean claim, which some providers write as a string.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

/// The characters of a text that a page can show: none that would move other text.
fn shown(text: &str) -> impl Iterator<Item = char> {
    text.trim().chars().filter(|it| !moves_text(*it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{config::Config, operator::Role};

    fn provider(domains: &[&str], groups: &[&str]) -> Provider {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Provider {
            id: "acme".into(),
            name: "Acme".into(),
            issuer: "https://login.example".into(),
            client_id: "doorward".into(),
            client_secret_file: None,
            scopes: Vec::new(),
            subject_claim: "sub".into(),
            name_claim: "name".into(),
            email_claim: "email".into(),
            groups_claim: "groups".into(),
            allowed_domains: texts(domains),
            allowed_groups: texts(groups),
        }
    }

    fn settings(providers: Vec<Provider>) -> SignInConfig {
        SignInConfig { providers, ..Config::default().sign_in }
    }

    fn owner_of(provider: &Provider, claims: &Value) -> Result<ResourceOwner, ClaimsError> {
        owner(provider, claims.as_object().unwrap(), &Needed::default())
    }

    #[test]
    fn servers_are_told_verified_addresses_and_the_claims_that_are_listed() {
        let mut provider = provider(&[], &[]);
        provider.groups_claim = "roles".into();
        let told = |claims: &Value, names: Option<&[&'static str]>| {
            let needed = Needed { told: names.map(<[_]>::to_vec), operators: &[] };
            let owner = owner(&provider, claims.as_object().unwrap(), &needed).unwrap();
            owner.identity.map(|text| serde_json::from_str::<Value>(&text).unwrap())
        };
        let ada = json!({
            "sub": "7", "email": "ada@acme.example", "email_verified": true,
            "roles": ["eng"], "groups": ["not these"], "secret": "x",
        });
        let expected = json!({ "email": "ada@acme.example", "claims": { "groups": ["eng"] } });
        assert_eq!(told(&ada, Some(&["groups", "department"])), Some(expected));
        assert_eq!(told(&ada, Some(&[])), Some(json!({ "email": "ada@acme.example" })));
        assert_eq!(told(&ada, None), None);
        let typed = json!({ "sub": "7", "email": "ada@acme.example", "email_verified": false });
        assert_eq!(told(&typed, Some(&["groups"])), None);
    }

    #[test]
    fn groups_that_give_a_role_and_verified_addresses_are_kept_for_it() {
        let groups = |list: &[&str]| list.iter().map(|&group| group.to_owned()).collect();
        let operators = |list: &[&str]| Operators {
            role: Role::Admin,
            provider: None,
            subjects: Vec::new(),
            emails: Vec::new(),
            groups: groups(list),
        };
        let operators = [operators(&["admins", "oncall"]), operators(&["admins", "staff"])];
        let needed = Needed { told: None, operators: &operators };
        let mut provider = provider(&[], &[]);
        provider.groups_claim = "roles".into();
        for (roles, verified, kept, email) in [
            (json!(["other", "admins", "staff"]), json!(true), vec!["admins", "staff"], true),
            (json!("oncall"), json!("true"), vec!["oncall"], true),
            (json!(["Admins", 7]), json!(false), vec![], false),
            (json!({ "admins": true }), Value::Null, vec![], false),
        ] {
            let claims = json!({ "sub": "7", "email": "ada@acme.example", "email_verified": verified,
                "roles": roles, "groups": ["admins"] });
            let owner = owner(&provider, claims.as_object().unwrap(), &needed).unwrap();
            let identity = StoredIdentity::read(owner.identity.as_deref());
            assert_eq!(identity.operator_groups, kept, "{claims}");
            assert_eq!(identity.email.is_some(), email, "{claims}");
            assert!(identity.claims.is_empty(), "no server is told: {claims}");
        }
    }

    #[test]
    fn people_of_two_providers_are_never_the_same() {
        let (one, mut other) = (provider(&[], &[]), provider(&[], &[]));
        other.id = "other".into();
        let claims = json!({ "sub": "7" });
        assert_eq!(owner_of(&one, &claims).unwrap().subject, "acme:7");
        assert_eq!(owner_of(&other, &claims).unwrap().subject, "other:7");
    }

    #[test]
    fn claims_are_mapped_as_the_settings_say() {
        let mut provider = provider(&[], &[]);
        provider.subject_claim = "oid".into();
        provider.email_claim = "upn".into();
        let claims = json!({ "sub": "x", "oid": 42, "name": " \u{202e}A\u{2069}da\u{0}\n ", "upn": "ada@acme.example" });
        let owner = owner_of(&provider, &claims).unwrap();
        assert_eq!(owner.subject, "acme:42");
        assert_eq!(owner.name.as_deref(), Some("Ada"));
        assert_eq!(owner.email.as_deref(), Some("ada@acme.example"));
        for missing in [
            json!({}),
            json!({ "oid": "" }),
            json!({ "oid": ["x"] }),
            json!({ "oid": "x".repeat(256) }),
            json!({ "oid": "4\u{0}2" }),
            json!({ "oid": "\u{1b}[2J" }),
            json!({ "oid": "\u{202e}24" }),
        ] {
            assert_eq!(owner_of(&provider, &missing), Err(ClaimsError::NoSubject), "{missing}");
        }
    }

    #[test]
    fn a_domain_counts_when_the_address_is_verified() {
        let provider = provider(&["acme.example"], &[]);
        for (email, verified, may) in [
            ("ada@acme.example", json!(true), true),
            ("ada@ACME.example", json!("true"), true),
            ("ada@acme.example", json!(false), false),
            ("ada@acme.example", Value::Null, false),
            ("ada@evil.example", json!(true), false),
            ("ada@acme.example.evil.example", json!(true), false),
            ("ada@acme.example@evil.example", json!(true), false),
            ("ada@evil.example@acme.example", json!(true), false),
            ("\"ada@evil.example\"@acme.example", json!(true), false),
            ("\"ada\"@acme.example", json!(true), false),
            ("ada\u{ff20}evil.example@acme.example", json!(true), false),
            ("ada\u{fe6b}evil.example@acme.example", json!(true), false),
            ("<ada@acme.example", json!(true), false),
            ("ada(x)@acme.example", json!(true), false),
            ("ada,eve@acme.example", json!(true), false),
            ("ada eve@acme.example", json!(true), false),
            ("ada\\@acme.example", json!(true), false),
            ("@acme.example", json!(true), false),
            ("ada@(evil.example)acme.example", json!(true), false),
            ("ada@acme.example.", json!(true), false),
            ("ada@acme.example ", json!(true), false),
            ("ada+eve.o'hara@acme.example", json!(true), true),
            ("acme.example", json!(true), false),
        ] {
            let claims = json!({ "sub": "1", "email": email, "email_verified": verified });
            let owner = owner_of(&provider, &claims).ok();
            assert_eq!(owner.is_some(), may, "{claims}");
            let settings = settings(vec![provider.clone()]);
            assert!(owner.is_none_or(|owner| may_stay(&settings, &owner)), "{claims}");
        }
    }

    #[test]
    fn a_domain_counts_when_it_is_the_verified_address_that_has_it() {
        let other = Provider { email_claim: "upn".into(), ..provider(&["acme.example"], &[]) };
        for (email, may) in [
            (json!("ada@acme.example"), true),
            (json!("ada@evil.example"), false),
            (Value::Null, false),
        ] {
            let claims = json!({
                "sub": "1", "upn": "ada@acme.example", "email": email, "email_verified": true,
            });
            assert_eq!(owner_of(&other, &claims).is_ok(), may, "{claims}");
        }
    }

    #[test]
    fn an_address_with_more_than_one_at_sign_signs_nobody_in() {
        for email in [
            "ada@evil.example@acme.example",
            "\"ada@evil.example\"@acme.example",
            "ada\u{ff20}evil.example@acme.example",
            "ada@@acme.example",
        ] {
            let claims = json!({ "sub": "1", "email": email, "email_verified": true });
            for domains in [&[][..], &["acme.example"], &["evil.example"]] {
                let refused = owner_of(&provider(domains, &[]), &claims);
                assert_eq!(refused, Err(ClaimsError::Address), "{email}");
            }
            let owner = ResourceOwner {
                subject: "acme:1".to_owned(),
                name: None,
                email: Some(email.to_owned()),
                identity: None,
            };
            let settings = settings(vec![provider(&["acme.example"], &[])]);
            assert!(!may_stay(&settings, &owner), "{email}: in a session of an earlier release");
        }
    }

    #[test]
    fn an_address_is_kept_whole_or_not_at_all() {
        for (local, may) in [(254 - "@acme.example".len(), true), (255, false)] {
            let email = format!("{}@acme.example", "a".repeat(local));
            let claims = json!({ "sub": "1", "email": email, "email_verified": true });
            assert_eq!(owner_of(&provider(&["acme.example"], &[]), &claims).is_ok(), may);
            let owner = owner_of(&provider(&[], &[]), &claims).unwrap();
            assert_eq!(owner.email, may.then_some(email));
        }
        for odd in ["ada@acme.example\u{0}", "ada@\u{202e}acme.example"] {
            let claims = json!({ "sub": "1", "email": odd });
            assert_eq!(owner_of(&provider(&[], &[]), &claims).unwrap().email, None, "{odd:?}");
        }
    }

    #[test]
    fn whoever_would_not_be_let_in_any_more_does_not_stay() {
        let claims = json!({ "sub": "1", "email": "ada@acme.example", "groups": ["staff"] });
        let ada = owner_of(&provider(&[], &[]), &claims).unwrap();
        let nameless = owner_of(&provider(&[], &[]), &json!({ "sub": "local:developer" })).unwrap();
        let other = Provider { id: "other".into(), ..provider(&[], &[]) };
        for (providers, ada_may, nameless_may) in [
            (vec![provider(&[], &[])], true, true),
            (vec![other.clone(), provider(&["acme.example"], &["guests"])], true, false),
            (vec![provider(&["example"], &[])], false, false),
            (vec![other], false, false),
            (vec![], false, false),
        ] {
            for local in [true, false] {
                let settings = SignInConfig { local, ..settings(providers.clone()) };
                assert_eq!(may_stay(&settings, &ada), ada_may, "{settings:?}");
                assert_eq!(may_stay(&settings, &nameless), nameless_may, "{settings:?}");
                assert_eq!(may_stay(&settings, &local_password::owner()), local, "{settings:?}");
            }
        }
    }

    #[test]
    fn somebody_must_be_in_one_of_the_groups() {
        let provider = provider(&[], &["staff", "guests"]);
        for (groups, may) in [
            (json!(["guests", "others"]), true),
            (json!("staff"), true),
            (json!(["Staff"]), false),
            (json!({ "staff": true }), false),
            (Value::Null, false),
        ] {
            let claims = json!({ "sub": "1", "groups": groups });
            assert_eq!(owner_of(&provider, &claims).is_ok(), may, "{claims}");
        }
    }
}
