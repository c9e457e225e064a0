//! Scope ceilings: which scopes a client may hold at most, whatever it asks for and people would allow. Pure.

use serde::{Deserialize, Serialize};

use crate::client::Scope;

/// The scopes that an operator leaves to a client. The catalogue of scopes holds beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ceiling {
    /// These alone: not what the catalogue gains later.
    Only(Vec<String>),
    /// All but these, and what the catalogue gains later.
    Except(Vec<String>),
}

impl Ceiling {
    /// Whether the client may hold a scope.
    pub fn allows(&self, token: &str) -> bool {
        let is_among = |tokens: &[String]| tokens.iter().any(|one| one == token);
        match self {
            Self::Only(tokens) => is_among(tokens),
            Self::Except(tokens) => !is_among(tokens),
        }
    }

    /// Whether the client may hold every scope of a grant.
    pub fn allows_all(&self, scope: Option<&Scope>) -> bool {
        scope.into_iter().flat_map(Scope::tokens).all(|token| self.allows(token))
    }

    /// In words, as it follows "may hold".
    pub fn words(&self) -> String {
        match self {
            Self::Only(tokens) if tokens.is_empty() => "no scope".to_owned(),
            Self::Only(tokens) => format!("only {}", tokens.join(" ")),
            Self::Except(tokens) => format!("all scopes but {}", tokens.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_names_the_scopes_that_are_left_or_those_that_are_not() {
        let scope = Scope::parse("read write").unwrap();
        let tokens = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (ceiling, allows_all) in [
            (Ceiling::Only(tokens("read write delete")), true),
            (Ceiling::Only(tokens("read")), false),
            (Ceiling::Only(tokens("")), false),
            (Ceiling::Except(tokens("delete")), true),
            (Ceiling::Except(tokens("write")), false),
            (Ceiling::Except(tokens("")), true),
        ] {
            assert_eq!(ceiling.allows_all(scope.as_ref()), allows_all, "{}", ceiling.words());
            assert!(ceiling.allows_all(None), "no scope is none too many");
        }
    }
}
