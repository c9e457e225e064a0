//! The password of a server for development: made at each start, printed once, and good for one person.

use std::sync::{Mutex, PoisonError};

use crate::{entropy::Entropy, secret::SecretHash, store::ResourceOwner};

/// Who signs in with it. No provider is called `local`.
pub(crate) const SUBJECT: &str = "local:developer";

/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// How many of them there are: 100 bits.
const LETTERS: usize = 20;

/// How many stand together.
const GROUP: usize = 5;

/// The password, of which the hash is kept.
pub(crate) struct LocalPassword {
    hash: SecretHash,
    /// Until it was shown.
    text: Mutex<Option<String>>,
}

impl LocalPassword {
    pub(crate) fn generate(entropy: &Entropy) -> Self {
        let mut text = String::new();
        for (nth, byte) in entropy.bytes::<LETTERS>().into_iter().enumerate() {
            if nth > 0 && nth.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        }
        Self { hash: SecretHash::of(text.as_bytes()), text: Mutex::new(Some(text)) }
    }

    /// The password, to whoever asks first.
    pub(crate) fn take(&self) -> Option<String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it is this one, in constant time.
    pub(crate) fn is(&self, presented: &str) -> bool {
        self.hash.matches(&SecretHash::of(presented.trim().as_bytes()))
    }
}

/// How they are called.
pub(crate) fn owner() -> ResourceOwner {
    ResourceOwner {
        subject: SUBJECT.to_owned(),
        name: Some("Developer".to_owned()),
        email: None,
        identity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_once_and_known_afterwards() {
        let password = LocalPassword::generate(&Entropy::seeded(1));
        let text = password.take().unwrap();
        assert_eq!(password.take(), None);
        assert_eq!(text.len(), LETTERS + LETTERS / GROUP - 1);
        assert!(password.is(&text));
        assert!(password.is(&format!(" {text}\n")));
        assert!(!password.is(&text.to_uppercase()));
        assert!(!password.is(""));
        assert_ne!(LocalPassword::generate(&Entropy::seeded(2)).take(), Some(text));
    }
}
