//! An identifier and a secret that the browser or the provider holds for a session or a sign-in; this server stores
//! the hash of the secret.

use crate::{
    clock::Timestamp,
    entropy::Entropy,
    secret::{self, SECRET_BYTES, Secret},
    store::SessionId,
};

/// How many bytes an identifier has.
const ID_BYTES: usize = 16;

/// The identifier and the secret.
pub(super) struct Held {
    pub(super) id: SessionId,
    pub(super) secret: Secret,
}

impl Held {
    pub(super) fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        Self { id: SessionId::generate(now, entropy), secret: Secret::generate(entropy) }
    }

    /// Reads what [`Self::text`] wrote with the same prefix.
    pub(super) fn read(text: &str, prefix: &str) -> Option<Self> {
        let bytes = secret::read::<{ ID_BYTES + SECRET_BYTES }>(text, prefix)?;
        let (id, secret) = bytes.split_first_chunk()?;
        let secret = Secret::from_bytes(secret.try_into().ok()?);
        Some(Self { id: SessionId::from_bytes(*id), secret })
    }

    /// The prefix, the identifier, and the secret as one word.
    pub(super) fn text(&self, prefix: &str) -> String {
        secret::text(prefix, &[self.id.as_bytes(), self.secret.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_as_it_was_written_and_as_nothing_else() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let held = Held::generate(now, &Entropy::seeded(1));
        let text = held.text("dws_");
        let read = Held::read(&text, "dws_").unwrap();
        assert_eq!((read.id, read.secret), (held.id, held.secret));
        assert!(Held::read(&text, "dwu_").is_none());
        for bad in [
            "",
            "dws_",
            "dws_AAAA",
            "dws_\u{e9}",
            text.trim_start_matches("dws_"),
            &format!("{text}AAAA"),
        ] {
            assert!(Held::read(bad, "dws_").is_none(), "{bad:?}");
        }
    }
}
