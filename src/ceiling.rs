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

    /// What both leave.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let kept = |tokens: &[String], by: &Self| -> Vec<String> {
            tokens.iter().filter(|token| by.allows(token)).cloned().collect()
        };
        match (self, other) {
            (Self::Only(tokens), other) | (other, Self::Only(tokens)) => {
                Self::Only(kept(tokens, other))
            }
            (Self::Except(tokens), Self::Except(more)) => {
                let more = more.iter().filter(|token| !tokens.contains(token));
                Self::Except(tokens.iter().chain(more).cloned().collect())
            }
        }
    }

    /// What two ceilings leave, of which each may be absent.
    pub fn both(one: Option<Self>, other: Option<&Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or_else(|| other.cloned()),
        }
    }

    /// Whether an absent or present ceiling forbids a scope of a grant.
    pub fn forbids(ceiling: Option<&Self>, scope: Option<&Scope>) -> bool {
        ceiling.is_some_and(|ceiling| !ceiling.allows_all(scope))
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_two_ceilings_leave_is_what_each_of_them_leaves(
            lists in prop::collection::vec((any::<bool>(), prop::collection::vec("[a-d]", 0..4)), 2),
            token in "[a-e]",
        ) {
            let mut ceilings = lists.into_iter().map(|(is_only, tokens)| {
                if is_only { Ceiling::Only(tokens) } else { Ceiling::Except(tokens) }
            });
            let (one, other) = (ceilings.next().unwrap(), ceilings.next().unwrap());
            let expected = one.allows(&token) && other.allows(&token);
            prop_assert_eq!(one.and(&other).allows(&token), expected);
            prop_assert_eq!(other.and(&one).allows(&token), expected);
        }
    }

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
