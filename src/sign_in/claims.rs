//! Who somebody is, and whether they may sign in, by what a provider says of them.

use serde_json::{Map, Value};

use crate::{config::Provider, store::ResourceOwner};

/// The most bytes of what tells people apart. OpenID Connect Core 1.0 §2 knows 255.
const SUBJECT_BYTES_MAX: usize = 255;

/// The most characters of a name or an address that are kept.
const TEXT_CHARS_MAX: usize = 200;

/// Why somebody cannot sign in whom the provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimsError {
    #[error("the provider does not say who it is")]
    NoSubject,
    #[error("this account may not sign in here")]
    NotAllowed,
}

/// The resource owner of these claims, if the settings let them in.
pub(super) fn owner(
    provider: &Provider,
    claims: &Map<String, Value>,
) -> Result<ResourceOwner, ClaimsError> {
    let subject = match claims.get(&provider.subject_claim) {
        Some(Value::String(subject)) => subject.clone(),
        Some(Value::Number(subject)) => subject.to_string(),
        _ => String::new(),
    };
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
        return Err(ClaimsError::NoSubject);
    }
    let email = text(claims, &provider.email_claim);
    let is_of_domain = || {
        // An address that nobody verified is whatever somebody typed.
        let is_verified = claims.get("email_verified").is_some_and(is_true);
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        let is_allowed = |domain: &str| {
            provider.allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
        };
        is_verified && domain.is_some_and(is_allowed)
    };
    let is_in_group = || {
        let groups = match claims.get(&provider.groups_claim) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group.as_str()],
            _ => Vec::new(),
        };
        provider.allowed_groups.iter().any(|allowed| groups.contains(&allowed.as_str()))
    };
    let may_sign_in = (provider.allowed_domains.is_empty() || is_of_domain())
        && (provider.allowed_groups.is_empty() || is_in_group());
    if !may_sign_in {
        return Err(ClaimsError::NotAllowed);
    }
    Ok(ResourceOwner {
        // Two providers may call two people the same.
        subject: format!("{}:{subject}", provider.id),
        name: text(claims, &provider.name_claim).map(shown),
        email: email.map(shown),
    })
}

fn text<'claims>(claims: &'claims Map<String, Value>, name: &str) -> Option<&'claims str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Some providers write it as a text.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

/// As much as a page shows, without what would move other text about.
fn shown(text: &str) -> String {
    text.trim().chars().filter(|it| !it.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

    fn owner_of(provider: &Provider, claims: &Value) -> Result<ResourceOwner, ClaimsError> {
        owner(provider, claims.as_object().unwrap())
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
        let claims =
            json!({ "sub": "x", "oid": 42, "name": " Ada\u{0}\n ", "upn": "ada@acme.example" });
        let owner = owner_of(&provider, &claims).unwrap();
        assert_eq!(owner.subject, "acme:42");
        assert_eq!(owner.name.as_deref(), Some("Ada"));
        assert_eq!(owner.email.as_deref(), Some("ada@acme.example"));
        for missing in [
            json!({}),
            json!({ "oid": "" }),
            json!({ "oid": ["x"] }),
            json!({ "oid": "x".repeat(256) }),
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
            ("acme.example", json!(true), false),
        ] {
            let claims = json!({ "sub": "1", "email": email, "email_verified": verified });
            assert_eq!(owner_of(&provider, &claims).is_ok(), may, "{claims}");
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
