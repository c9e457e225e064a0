//! Members that are kept and echoed but mean nothing to the server: `contacts`, `software_id`,
//! `software_version` (RFC 7591 §2) and `application_type` (OpenID Connect Dynamic Client Registration
//! 1.0 §2). They are bounded, and free of control characters because people read them in terminals.

use serde::Deserialize;
use serde_json::json;

use super::{
    fault::{MemberFaults, Problem},
    member::{Member, TextMember, array_schema, read_texts, write_texts},
};
use crate::json::Value;

/// The longest text, in code points.
const TEXT_CHARACTERS_MAX: usize = 1_000;
/// The most ways to reach the people behind a client.
const CONTACTS_MAX: usize = 10;
/// The longest of them, in code points: an e-mail address at its longest.
const CONTACT_CHARACTERS_MAX: usize = 320;

/// A bounded text as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How to reach the people behind a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Contacts(Vec<String>);

/// What kind of program the client says it is. Recorded; no redirect URI is refused for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on the resource owner's device.
    Native,
    /// Runs on a server or in a browser.
    Web,
}

fn bounded(text: &str, characters_max: usize) -> Result<String, Problem> {
    if text.chars().any(char::is_control) {
        Err(Problem::ControlCharacter)
    } else if text.chars().count() > characters_max {
        Err(Problem::TooLong(characters_max))
    } else {
        Ok(text.to_owned())
    }
}

impl TextMember for Text {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        bounded(text, TEXT_CHARACTERS_MAX).map(|text| Some(Self(text)))
    }

    fn as_text(&self) -> &str {
        &self.0
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "maxLength": TEXT_CHARACTERS_MAX })
    }
}

impl Member for Contacts {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        if let Value::Array(entries) = value
            && entries.len() > CONTACTS_MAX
        {
            return faults.refuse(Problem::TooMany(CONTACTS_MAX));
        }
        read_texts(value, faults, |text| {
            self.0.push(bounded(text, CONTACT_CHARACTERS_MAX)?);
            Ok(())
        });
    }

    fn write(&self, json: &mut String) {
        write_texts(json, self.0.iter().map(String::as_str));
    }

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }

    fn schema() -> serde_json::Value {
        let mut schema =
            array_schema(&json!({ "type": "string", "maxLength": CONTACT_CHARACTERS_MAX }));
        schema["maxItems"] = CONTACTS_MAX.into();
        schema
    }
}

impl TextMember for ApplicationType {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        Ok(match text {
            "native" => Some(Self::Native),
            "web" => Some(Self::Web),
            _ => None,
        })
    }

    fn as_text(&self) -> &str {
        match self {
            Self::Native => "native",
            Self::Web => "web",
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["native", "web"] })
    }
}
