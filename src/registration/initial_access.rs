//! Initial access tokens (RFC 7591 §3): an operator gives them to the developers of clients that may register.

use http::HeaderMap;

use super::error::RegistrationError;
use crate::{
    admission::{RuleId, Word as _},
    app::App,
    config::RegistrationAccess,
    credential::Credential,
    http::{bearer::bearer, caller::Caller},
    store::{InitialAccessTokenKind, InitialAccessTokenRecord},
};

/// An initial access token, as it is shown once.
pub(crate) type InitialAccessToken = Credential<InitialAccessTokenKind>;

/// Reads the name or the policy of a token, as an admission rule spells it; `none` means there that there is no token. The
/// error says what to write.
pub(crate) fn token_word(text: &str) -> Result<String, String> {
    match RuleId::parse(text) {
        Ok(_) if text != "none" => Ok(text.to_owned()),
        Ok(_) => Err("is the word for no token".to_owned()),
        Err(_) => Err(format!("write {}", RuleId::EXPECTED)),
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
    use crate::{clock::Timestamp, entropy::Entropy};

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
