//! Initial access tokens (RFC 7591 §3): an operator gives them to whoever may register. A token contains the identifier
//! of its record, so that the record is found by its key; the store has only the hash of the rest.

use std::{fmt, str::FromStr};

use http::HeaderMap;

use super::error::RegistrationError;
use crate::{
    app::App,
    clock::Timestamp,
    config::RegistrationAccess,
    entropy::Entropy,
    http::{bearer::bearer, caller::Caller},
    secret::{self, SECRET_BYTES, Secret},
    store::{InitialAccessTokenId, InitialAccessTokenRecord},
};

/// How many bytes the identifier has.
const ID_BYTES: usize = 16;

/// An initial access token, as it is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InitialAccessToken {
    /// Its record.
    pub(crate) id: InitialAccessTokenId,
    /// What proves it.
    pub(crate) secret: Secret,
}

impl InitialAccessToken {
    const PREFIX: &str = "dwi_";

    /// A new token.
    pub(crate) fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        Self { id: InitialAccessTokenId::generate(now, entropy), secret: Secret::generate(entropy) }
    }
}

impl fmt::Display for InitialAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [&[u8]; 2] = [self.id.as_bytes(), self.secret.as_bytes()];
        f.write_str(&secret::text(Self::PREFIX, &parts))
    }
}

impl FromStr for InitialAccessToken {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = secret::read::<{ ID_BYTES + SECRET_BYTES }>(text, Self::PREFIX).ok_or(())?;
        let (id, secret) = bytes.split_first_chunk::<ID_BYTES>().ok_or(())?;
        let secret = secret.try_into().map_err(|_| ())?;
        Ok(Self { id: InitialAccessTokenId::from_bytes(*id), secret: Secret::from_bytes(secret) })
    }
}

/// The token that lets a registration in; `None` where none is needed. Uses nothing up.
pub(super) async fn presented(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<Option<InitialAccessTokenRecord>, RegistrationError> {
    let text = match (bearer(headers), app.config.registration.access) {
        (_, RegistrationAccess::Open) | (None, RegistrationAccess::Either) => return Ok(None),
        (None, RegistrationAccess::Token) => return Err(RegistrationError::NoToken),
        (Some(Err(())), _) => return Err(RegistrationError::InvalidToken),
        (Some(Ok(text)), _) => text,
    };
    let token: InitialAccessToken = text.parse().map_err(|()| RegistrationError::InvalidToken)?;
    let now = app.clock.now();
    let _turn = app.failure_limits.registration.turn(caller, now).await;
    let record = app.store.initial_access_token(token.id).await?;
    record
        .filter(|record| record.hash.matches(&token.secret.hash()) && record.is_valid(now))
        .map(Some)
        .ok_or(RegistrationError::InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_access_token_reads_back_as_itself_and_as_nothing_else() {
        let entropy = Entropy::seeded(1);
        let token = InitialAccessToken::generate(Timestamp::from_millis(1), &entropy);
        let text = token.to_string();
        assert!(text.starts_with("dwi_"));
        assert_eq!(text.parse(), Ok(token.clone()));
        let other_prefix = text.replacen("dwi_", "dwm_", 1);
        for bad in ["", "dwi_", "dwi_AAAA", &other_prefix, &format!("{text}A")] {
            assert_eq!(bad.parse::<InitialAccessToken>(), Err(()), "{bad:?}");
        }
        assert!(!format!("{token:?}").contains(text.trim_start_matches("dwi_")));
    }
}
