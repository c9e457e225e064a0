//! Registration access tokens (RFC 7592 §1.2): an HMAC of the client's identifier and a generation. A registration stores
//! nothing for its token. The next generation on the record invalidates the token, and a forged token costs no lookup.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{client::ClientId, secret, store::Generation};

/// Tells what kind of secret was leaked, and keeps one kind from standing for another.
const PREFIX: &str = "dwm_";

/// Bytes of a generation, and of a generation with its HMAC-SHA256.
const GENERATION_BYTES: usize = 8;
const TOKEN_BYTES: usize = GENERATION_BYTES + 32;
const TEXT_BYTES: usize = PREFIX.len() + (TOKEN_BYTES * 4).div_ceil(3);

/// The token of this generation, in ASCII. Every registration makes one: it allocates nothing.
pub(super) fn issue(key: &hmac::Key, client: ClientId, generation: Generation) -> [u8; TEXT_BYTES] {
    let mut bytes = [0; TOKEN_BYTES];
    let (number, tag) = bytes.split_at_mut(GENERATION_BYTES);
    number.copy_from_slice(&generation.number().to_be_bytes());
    tag.copy_from_slice(hmac::sign(key, &signed(client, generation)).as_ref());
    let mut text = [0; TEXT_BYTES];
    let (prefix, rest) = text.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, rest).expect("the text has room for the token");
    text
}

/// The generation of a token that was issued to this client. Compares in constant time.
pub(super) fn verify(key: &hmac::Key, client: ClientId, token: &str) -> Option<Generation> {
    let bytes: [u8; TOKEN_BYTES] = secret::read(token, PREFIX)?;
    let (generation, tag) = bytes.split_first_chunk::<GENERATION_BYTES>()?;
    let generation = Generation::new(u64::from_be_bytes(*generation));
    hmac::verify(key, &signed(client, generation), tag).ok()?;
    Some(generation)
}

fn signed(client: ClientId, generation: Generation) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (id, number) = bytes.split_at_mut(16);
    id.copy_from_slice(client.as_bytes());
    number.copy_from_slice(&generation.number().to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, entropy::Entropy};

    #[test]
    fn a_token_is_valid_for_its_client_and_key_alone() {
        let entropy = Entropy::seeded(1);
        let id = || ClientId::generate(Timestamp::from_millis(0), &entropy);
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let (client, own) = (id(), key(b"own"));
        for generation in [Generation::default(), Generation::new(7), Generation::new(u64::MAX)] {
            let token = String::from_utf8(issue(&own, client, generation).to_vec()).unwrap();
            assert_eq!(verify(&own, client, &token), Some(generation));
            assert_eq!(verify(&own, id(), &token), None);
            assert_eq!(verify(&key(b"other"), client, &token), None);
            assert_eq!(verify(&own, client, &token.replace(PREFIX, "dwr_")), None);
            for at in PREFIX.len()..token.len() {
                let mut altered = token.clone().into_bytes();
                altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
                let altered = String::from_utf8(altered).unwrap();
                assert_eq!(verify(&own, client, &altered), None, "{altered}");
            }
        }
        for other in ["", "dwm_", "dwm_AAAA"] {
            assert_eq!(verify(&own, client, other), None);
        }
    }
}
