//! Records for the tests of the store.

use std::net::IpAddr;

use doorward::{
    client::{ClientId, ProfileName},
    clock::Timestamp,
    entropy::Entropy,
    store::{ClientFlags, ClientRecord, ClientRegistration, ClientState},
};

/// A plain record of the moment `now`, in milliseconds since the epoch.
pub(crate) fn record(now: u64, entropy: &Entropy) -> ClientRecord {
    let issued_at = Timestamp::from_millis(now);
    ClientRecord {
        client_id: ClientId::generate(issued_at, entropy),
        issued_at,
        profile: ProfileName::Rfc7591,
        source: Some(IpAddr::from([192, 0, 2, 1])),
        flags: ClientFlags::default(),
        metadata: r#"{"redirect_uris":["https://app.example/cb"],"client_name":"Example"}"#.into(),
        state: ClientState::default(),
        registration: ClientRegistration::default(),
    }
}
