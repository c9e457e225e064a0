//! What is kept of a person beside the subject: what the provider has vouched for at sign-in, for servers behind the guard
//! and for the roles of operators, and what the client called itself at consent. Sessions and grants keep it as JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of all claims, as JSON: an assertion has to fit into the head of a request.
const CLAIMS_BYTES_MAX: usize = 4 << 10;

/// What is kept of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredIdentity {
    /// The email address, if the provider has verified it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The claims that the operator lists.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) claims: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_name: Option<String>,
    /// The groups that gave a role by the settings at sign-in. Servers behind the guard are not told of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) operator_groups: Vec<String>,
}

impl StoredIdentity {
    /// The identity that a text holds. One that cannot be read says nothing of anybody.
    pub(crate) fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// As it is kept; `None` when it says nothing.
    pub(crate) fn text(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok();
        text.filter(|_| *self != Self::default())
    }

    /// About how many bytes of memory it holds outside itself.
    pub(crate) fn bytes_held(&self) -> usize {
        let Self { email, claims, client_name, operator_groups } = self;
        let texts = [email, client_name].into_iter().flatten().chain(operator_groups);
        let claims = claims.iter().map(|(name, value)| name.len() + bytes_of(value));
        texts.map(|text| size_of::<String>() + text.len()).chain(claims).sum()
    }

    /// Adds a claim, unless all would get too large.
    pub(crate) fn add(&mut self, name: &str, value: &Value) {
        self.claims.insert(name.to_owned(), value.clone());
        if serde_json::to_string(&self.claims).map_or(true, |text| text.len() > CLAIMS_BYTES_MAX) {
            self.claims.remove(name);
        }
    }

    /// The groups of the person, separated by commas. A group with a comma in its name would be read as two.
    pub(crate) fn groups(&self) -> Option<String> {
        let groups = match self.claims.get("groups")? {
            Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
            Value::String(group) => vec![group.as_str()],
            _ => return None,
        };
        let named: Vec<&str> =
            groups.into_iter().filter(|group| !group.is_empty() && !group.contains(',')).collect();
        (!named.is_empty()).then(|| named.join(","))
    }
}

/// About how many bytes of memory a value holds.
fn bytes_of(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(bytes_of).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| size_of::<String>() + name.len() + bytes_of(value))
            .sum(),
    };
    size_of::<Value>() + inside
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_kept_as_text_and_an_unreadable_one_says_nothing() {
        assert_eq!(StoredIdentity::default().text(), None);
        let mut identity =
            StoredIdentity { email: Some("ada@acme.example".into()), ..StoredIdentity::default() };
        identity.add("groups", &json!(["a", "b,c", 7, "d"]));
        assert_eq!(identity.groups().as_deref(), Some("a,d"));
        assert_eq!(StoredIdentity::read(identity.text().as_deref()), identity);
        for text in [None, Some(""), Some("[]"), Some("{\"email\":7}")] {
            assert_eq!(StoredIdentity::read(text), StoredIdentity::default(), "{text:?}");
        }
        // A later release may keep more.
        assert_eq!(
            StoredIdentity::read(Some("{\"email\":\"a\",\"x\":1}")).email.as_deref(),
            Some("a")
        );
    }

    #[test]
    fn claims_that_would_make_an_assertion_too_large_are_left_out() {
        let mut identity = StoredIdentity::default();
        identity.add("groups", &json!("x".repeat(CLAIMS_BYTES_MAX)));
        identity.add("department", &json!("engineering"));
        assert_eq!(identity.claims.keys().collect::<Vec<_>>(), ["department"]);
    }
}
