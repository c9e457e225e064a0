//! Client metadata: every member of RFC 7591 §2 that is kept, once. The table below is all that a member
//! needs; reading, keeping, echoing and describing it follow. Members that are not in it are ignored
//! (RFC 7591 §2), server-owned ones such as `client_id` among them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{
    auth_method::TokenEndpointAuthMethod,
    fault::{Fault, MemberFaults, Problem},
    grant_type::{GrantTypes, ResponseTypes},
    jwks::JwkSet,
    member::{Member, TextMember, array_schema, read_texts, write_texts},
    name::ClientName,
    redirect_uri::{self, Reach, RedirectUri, RedirectUriError},
    scope::Scope,
    text::{ApplicationType, Contacts, Text},
    web_uri::WebUri,
};
use crate::json::{self, Object, Value};

/// The most redirect URIs of one client.
pub const REDIRECT_URIS_MAX: usize = 50;

/// Room for what most clients say of themselves, in bytes; for the others it grows.
const DOCUMENT_BYTES: usize = 768;

macro_rules! members {
    ($($(#[$about:meta])* $name:ident: $kind:ty $([$localized:ident])?,)*) => {
        /// What a client says of itself, with defaults filled in (RFC 7591 §2).
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        pub struct ClientMetadata {
            $(
                $(#[$about])*
                #[serde(default)]
                pub $name: $kind,
            )*
            /// Human-readable members with a language tag, `client_name#fr`, as they were sent (RFC 7591 §2.2).
            #[serde(flatten)]
            pub localized: BTreeMap<String, String>,
        }

        impl ClientMetadata {
            /// Reads the member `name` into its place; `false` when there is no such member.
            fn read_member(&mut self, name: &str, value: &Value<'_>, faults: &mut Vec<Fault>) -> bool {
                let mut faults = MemberFaults { member: name, faults };
                match name {
                    $(stringify!($name) => self.$name.read(value, &mut faults),)*
                    _ => return false,
                }
                true
            }

            /// One JSON object of the members that are wanted, without what is absent.
            pub(crate) fn document_of(&self, is_wanted: impl Fn(&str) -> bool) -> String {
                let mut json = String::with_capacity(DOCUMENT_BYTES);
                $(if is_wanted(stringify!($name)) && !self.$name.is_absent() {
                    json.push_str(concat!(",\"", stringify!($name), "\":"));
                    self.$name.write(&mut json);
                })*
                for (name, text) in self.localized.iter().filter(|(name, _)| is_wanted(name)) {
                    json.push(',');
                    json::write_text(&mut json, name);
                    json.push(':');
                    json::write_text(&mut json, text);
                }
                // In the place of the first comma.
                json.replace_range(..json.len().min(1), "{");
                json.push('}');
                json
            }

            /// Whether `name` is a member that is kept.
            pub(crate) fn is_member(name: &str) -> bool {
                [$(stringify!($name)),*].contains(&name)
            }

            /// Whether `name` may carry a language tag.
            fn is_localized(name: &str) -> bool {
                [$($(stringify!($name), stringify!($localized),)?)*].contains(&name)
            }

            /// Name and JSON Schema of each member.
            pub(crate) fn schemas() -> Vec<(&'static str, serde_json::Value)> {
                vec![$((stringify!($name), <$kind as Member>::schema()),)*]
            }
        }
    };
}

members! {
    /// What the client calls itself.
    client_name: Option<ClientName> [localized],
    /// The grants it may use; both when omitted.
    grant_types: GrantTypes,
    /// Where authorization responses may go. Not empty once admitted.
    redirect_uris: RedirectUris,
    /// What the authorization endpoint answers it with; `code` when omitted.
    response_types: ResponseTypes,
    /// `none` once admitted.
    token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// What it may ask for; whatever policy allows when absent.
    scope: Option<Scope>,
    /// A page about the client.
    client_uri: Option<WebUri> [localized],
    /// Its picture.
    logo_uri: Option<WebUri> [localized],
    /// How it treats personal data.
    policy_uri: Option<WebUri> [localized],
    /// Its terms of service.
    tos_uri: Option<WebUri> [localized],
    /// Where its public keys are.
    jwks_uri: Option<JwksUri>,
    /// Its public keys; never together with `jwks_uri`.
    jwks: Option<JwkSet>,
    /// How to reach the people behind it.
    contacts: Contacts,
    /// Which software it is, the same for all its instances.
    software_id: Option<Text>,
    /// Which release of it.
    software_version: Option<Text>,
    /// What kind of program it says it is.
    application_type: Option<ApplicationType>,
}

impl ClientMetadata {
    /// What is kept and echoed (RFC 7591 §3.2.1).
    pub(crate) fn document(&self) -> String {
        self.document_of(|_| true)
    }

    /// Reads the members of `document`; `null` and `""` count as omitted. What is wrong goes to `faults`,
    /// in document order.
    pub(crate) fn read(document: &Object<'_>, faults: &mut Vec<Fault>) -> Self {
        let mut metadata = Self::default();
        for (name, value) in document.iter() {
            let is_omitted = match value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                _ => false,
            };
            if !is_omitted && !metadata.read_member(name, value, faults) {
                metadata.read_localized(name, value, faults);
            }
        }
        metadata
    }

    /// Reads `name` as a member with a language tag (RFC 7591 §2.2), by the rules of its base member.
    fn read_localized(&mut self, name: &str, value: &Value<'_>, faults: &mut Vec<Fault>) {
        let Some((base, tag)) = name.split_once('#').filter(|(base, _)| Self::is_localized(base))
        else {
            return;
        };
        if !is_language_tag(tag) {
            return faults.push(Fault::of(name, Problem::LanguageTag));
        }
        if self.localized.keys().any(|other| other.eq_ignore_ascii_case(name)) {
            return faults.push(Fault::of(name, Problem::RepeatedLanguageTag));
        }
        let mut alone = Self::default();
        let mut own = Vec::new();
        alone.read_member(base, value, &mut own);
        if let Value::String(text) = value
            && own.is_empty()
            && alone != Self::default()
        {
            self.localized.insert(name.to_owned(), text.clone().into_owned());
        }
        faults.extend(own.into_iter().map(|fault| Fault { member: name.to_owned(), ..fault }));
    }
}

/// Whether `tag` has the form of a BCP 47 language tag: subtags of one to eight letters and digits, the
/// first of letters alone.
fn is_language_tag(tag: &str) -> bool {
    let is_subtag = |subtag: &str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    tag.split('-').all(is_subtag)
        && tag.bytes().take_while(|byte| *byte != b'-').all(|byte| byte.is_ascii_alphabetic())
}

/// The redirect URIs of a client: none twice, in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RedirectUris(Vec<RedirectUri>);

impl RedirectUris {
    /// The redirect URIs, in the order in which the client listed them.
    pub fn as_slice(&self) -> &[RedirectUri] {
        &self.0
    }

    /// Keeps those that `is_kept`.
    pub(crate) fn retain(&mut self, is_kept: impl FnMut(&RedirectUri) -> bool) {
        self.0.retain(is_kept);
    }
}

impl Member for RedirectUris {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        // Counted before it is read: thousands of entries are not worth reading.
        if let Value::Array(entries) = value
            && entries.len() > REDIRECT_URIS_MAX
        {
            return faults.refuse(Problem::TooMany(REDIRECT_URIS_MAX));
        }
        read_texts(value, faults, |text| {
            let (uri, reach) = RedirectUri::parse(text).map_err(Problem::RedirectUri)?;
            if !self.0.contains(&uri) {
                self.0.push(uri);
            }
            match reach {
                // For the operator to decide: see `lan_redirects` in metadata_policy/policy.rs.
                Reach::Lan => Err(Problem::RedirectUri(RedirectUriError::Lan)),
                Reach::Public | Reach::Loopback | Reach::PrivateUse => Ok(()),
            }
        });
    }

    fn write(&self, json: &mut String) {
        write_texts(json, self.0.iter().map(RedirectUri::as_str));
    }

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }

    fn schema() -> serde_json::Value {
        let mut schema =
            array_schema(&json!({ "type": "string", "maxLength": redirect_uri::BYTES_MAX }));
        schema["minItems"] = 1.into();
        schema["maxItems"] = REDIRECT_URIS_MAX.into();
        schema
    }
}

impl TextMember for WebUri {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        Self::parse(text).map(Some).map_err(Problem::WebUri)
    }

    fn as_text(&self) -> &str {
        self.as_str()
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "description": "An https URL." })
    }
}

/// The address of a JWK Set. People never look at it, so a careless one is refused, not left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct JwksUri(WebUri);

impl JwksUri {
    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TextMember for JwksUri {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        WebUri::parse(text).map(|uri| Some(Self(uri))).map_err(Problem::JwksUri)
    }

    fn as_text(&self) -> &str {
        self.as_str()
    }

    fn schema() -> serde_json::Value {
        <WebUri as TextMember>::schema()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Members = BTreeMap<String, serde_json::Value>;

    proptest! {
        #[test]
        fn a_document_is_read_by_the_library_as_what_was_written(
            texts: [String; 5], uris in prop::collection::vec("https://[a-z]{1,9}/[a-z.]{0,5}", 0..3), scope in "[!-~ ]*",
        ) {
            let [name, software, contact, localized, other] = &texts;
            let sent = json!({
                "client_name": name, "software_id": software, "contacts": [contact, other],
                "client_name#de": localized, "redirect_uris": uris, "scope": scope,
                "client_uri": uris.first(), "application_type": "native", "response_types": ["code"],
                "jwks": { "keys": [{ "kty": "EC", "x": other }] },
            });
            let sent = sent.to_string();
            let metadata = ClientMetadata::read(&json::read(sent.as_bytes()).unwrap(), &mut Vec::new());
            let document = metadata.document();
            prop_assert_eq!(&serde_json::from_str::<ClientMetadata>(&document).unwrap(), &metadata);
            let mut members: Members = serde_json::from_str(&document).unwrap();
            prop_assert!(!members.values().any(serde_json::Value::is_null), "{document}");
            let is_wanted = |name: &str| name == "redirect_uris";
            members.retain(|name, _| is_wanted(name));
            let some: Members = serde_json::from_str(&metadata.document_of(is_wanted)).unwrap();
            prop_assert_eq!(some, members);
        }
    }
}
