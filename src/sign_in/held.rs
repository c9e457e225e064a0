//! What the other side holds of something that is kept here: its name, and a secret of which the hash is
//! kept. A session is held by a browser, a sign-in under way by a provider.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    clock::Timestamp,
    entropy::Entropy,
    secret::{SECRET_BYTES, Secret},
    store::SessionId,
};

/// The name and the secret.
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
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
        let (id, secret) = bytes.split_first_chunk()?;
        let secret: [u8; SECRET_BYTES] = secret.try_into().ok()?;
        Some(Self { id: SessionId::from_bytes(*id), secret: Secret::from_bytes(secret) })
    }

    /// The two in one word, which begins with `prefix` so that it is known where it was lost.
    pub(super) fn text(&self, prefix: &str) -> String {
        let bytes = [&self.id.as_bytes()[..], self.secret.as_bytes()].concat();
        format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
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
