//! Metadata that replaces what a client registered (RFC 7592 §2.2): the parser and the policy of a registration, and the
//! rules for members that the server owns.

use super::{
    error::MetadataError,
    policy::{Admitted, admit},
    profile::Profile,
    request::RegistrationRequest,
};
use crate::{
    client::fault::{Fault, Problem},
    config::RegistrationConfig,
    json::{Object, Value},
};

/// Members of a client information response that RFC 7592 §2.2 forbids in an update.
const SERVER_OWNED: [&str; 4] = [
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

/// The metadata that replaces those of the client, or everything that is wrong with the request.
pub(crate) fn admit_update(
    body: &[u8],
    client_id: &str,
    profile: &Profile,
    settings: &RegistrationConfig,
) -> Result<Admitted, MetadataError> {
    let mut request = RegistrationRequest::parse(body)?;
    names_the_client(&request.document, client_id, &mut request.faults);
    sets_no_member_of_the_server(&request.document, &mut request.faults);
    Ok(admit(request, profile, settings)?)
}

fn names_the_client(document: &Object<'_>, client_id: &str, faults: &mut Vec<Fault>) {
    match document.get("client_id").filter(|value| !is_omitted(value)) {
        Some(Value::String(text)) if text == client_id => {}
        Some(_) => faults.push(Fault::of("client_id", Problem::OtherClient)),
        None => faults.push(Fault::of("client_id", Problem::Missing)),
    }
}

/// No client has a secret, so that none can match (RFC 7592 §2.2).
fn sets_no_member_of_the_server(document: &Object<'_>, faults: &mut Vec<Fault>) {
    let is_sent = |member: &str| document.get(member).is_some_and(|value| !is_omitted(value));
    let owned = SERVER_OWNED.into_iter().filter(|member| is_sent(member));
    faults.extend(owned.map(|member| Fault::of(member, Problem::ServerOwned)));
    if is_sent("client_secret") {
        faults.push(Fault::of("client_secret", Problem::NoSecret));
    }
}

/// As for every optional member.
fn is_omitted(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const ID: &str = "0193a1b2-c3d4-7000-8000-000000000001";

    /// The reasons against an update with these members beside redirect URIs.
    fn faults(members: &str) -> Vec<String> {
        let body = format!(r#"{{"redirect_uris":["https://app.example/cb"]{members}}}"#);
        let settings = Config::default().registration;
        match admit_update(body.as_bytes(), ID, &Profile::RFC7591, &settings) {
            Ok(_) => Vec::new(),
            Err(error) => {
                let violations = error.violations(&Profile::RFC7591);
                violations.into_iter().map(|violation| violation.reason).collect()
            }
        }
    }

    #[test]
    fn an_update_names_its_client() {
        assert!(faults(&format!(r#","client_id":"{ID}""#)).is_empty());
        for missing in ["", r#","client_id":null"#, r#","client_id":"""#] {
            assert_eq!(faults(missing), ["client_id: is required"]);
        }
        let other = ID.to_uppercase();
        for other in [format!(r#""{other}""#), "7".to_owned(), format!(r#"["{ID}"]"#)] {
            let faults = faults(&format!(r#","client_id":{other}"#));
            assert_eq!(faults, ["client_id: is not the client_id of this registration"]);
        }
    }

    #[test]
    fn an_update_sets_no_member_that_the_server_owns() {
        for member in SERVER_OWNED {
            let with = |value: &str| faults(&format!(r#","client_id":"{ID}","{member}":{value}"#));
            for value in ["1", r#""x""#, "{}"] {
                let expected = format!("{member}: is set by the server and may not be sent");
                assert_eq!(with(value), [expected]);
            }
            assert!(with("null").is_empty());
        }
        let secret = faults(&format!(r#","client_id":"{ID}","client_secret":"s""#));
        assert_eq!(secret, ["client_secret: is not the secret of this client, which has none"]);
    }

    #[test]
    fn an_update_is_held_to_the_rules_of_a_registration_and_every_fault_is_listed() {
        let all = faults(r#","client_secret":"s","client_name":"a\u202e","scope":7"#);
        assert_eq!(all.len(), 4, "{all:?}");
    }
}
