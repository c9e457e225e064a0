//! The secrets of a webhook, and signatures with them (Standard Webhooks).

use std::{fs, io, path::Path};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// How long the bytes of a secret are: Standard Webhooks recommends 24 to 64.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why there is no secret. `Display` holds nothing of the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret file cannot be read")]
    Io(#[source] io::Error),
    #[error(
        "the secret file needs whsec_ and 24 to 64 bytes in Base64 on each line: see docs/run/webhooks.md"
    )]
    Form,
}

/// The keys that sign what one webhook sends: each line of its file is one, so that a secret can be replaced while the
/// receiver still expects the one before it.
pub(crate) struct Keys(Vec<hmac::Key>);

impl Keys {
    /// Reads the file. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, SecretError> {
        Self::parse(&fs::read_to_string(path).map_err(SecretError::Io)?)
    }

    fn parse(text: &str) -> Result<Self, SecretError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Vec<hmac::Key> =
            lines.map(key).collect::<Option<_>>().ok_or(SecretError::Form)?;
        if keys.is_empty() { Err(SecretError::Form) } else { Ok(Self(keys)) }
    }

    /// The value of `webhook-signature`.
    pub(super) fn signature(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signed = [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body].concat();
        let signature = |key| BASE64_STANDARD.encode(hmac::sign(key, &signed));
        let all: Vec<String> = self.0.iter().map(|key| format!("v1,{}", signature(key))).collect();
        all.join(" ")
    }
}

fn key(line: &str) -> Option<hmac::Key> {
    let bytes = BASE64_STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?;
    BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_signature_is_that_of_the_example_of_standard_webhooks() {
        let keys = Keys::parse(SECRET).unwrap();
        let signature = keys.signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_line_of_the_file_signs() {
        let other = format!("{PREFIX}{}", BASE64_STANDARD.encode([7; 32]));
        let both = Keys::parse(&format!("{SECRET}\n\n  {other}\n")).unwrap();
        let alone =
            [SECRET, &other].map(|secret| Keys::parse(secret).unwrap().signature("a", 1, b"b"));
        assert_eq!(both.signature("a", 1, b"b"), alone.join(" "));
    }

    #[test]
    fn a_file_that_holds_no_secret_is_refused_without_showing_it() {
        let short = format!("{PREFIX}{}", BASE64_STANDARD.encode([7; 23]));
        let long = format!("{PREFIX}{}", BASE64_STANDARD.encode([7; 65]));
        for text in ["", "\n", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", &short, &long] {
            let Err(error) = Keys::parse(text) else { panic!("{text:?} is no secret") };
            assert!(
                text.trim().is_empty() || !format!("{error}{error:?}").contains(text),
                "{error}"
            );
        }
    }
}
