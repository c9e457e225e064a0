//! Grants as the server keeps them.

use doorward::{
    client::{ClientId, ClientIdentifier, Scope},
    clock::Timestamp,
    entropy::Entropy,
    grant::{AuthorizationCode, CodeChallenge, GrantId, RefreshToken},
    store::{CodeRecord, GrantRecord, RefreshRecord},
};

pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
pub(crate) const SCOPE: &str = "mcp:tools mcp:resources";

/// A grant with its code, which can be redeemed until the grant ends.
pub(crate) fn issued(
    entropy: &Entropy,
    client: ClientId,
    subject: &str,
    challenge: CodeChallenge,
    (issued_at, expires_at): (Timestamp, Timestamp),
) -> (GrantRecord, AuthorizationCode) {
    let grant_id = GrantId::generate(issued_at, entropy);
    let code = AuthorizationCode::generate(grant_id, entropy);
    let grant = GrantRecord {
        grant_id,
        client: ClientIdentifier::Registered(client),
        subject: subject.to_owned(),
        scope: Scope::parse(SCOPE).expect("it is a scope"),
        resources: Vec::new(),
        issued_at,
        expires_at,
        code: CodeRecord {
            hash: code.secret.hash(),
            redirect_uri: REDIRECT_URI.to_owned(),
            challenge,
            expires_at,
            redeemed_at: None,
        },
        refreshes: 0,
        graced: 0,
        refresh: None,
        identity: None,
    };
    (grant, code)
}

/// The grant with its code redeemed, and the refresh token that came of it.
pub(crate) fn redeemed(entropy: &Entropy, mut grant: GrantRecord) -> (GrantRecord, RefreshToken) {
    let token = RefreshToken::generate(grant.grant_id, entropy);
    grant.code.redeemed_at = Some(grant.issued_at);
    grant.refresh = Some(RefreshRecord {
        family: token.family.hash(),
        current: token.secret.hash(),
        previous: None,
        expires_at: grant.expires_at,
    });
    (grant, token)
}
