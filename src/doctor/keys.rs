//! The keys that sign access tokens: can they be opened, which one signs, and until when?

use super::{Examined, Finding, Look, store::split};
use crate::{
    clock::Timestamp,
    config::Secret,
    entropy::Entropy,
    http::request_event::chain,
    keys::{self, Keys, Standing},
    store::{self, Access, KeyRecord, OpenError, embedded::OpenError as Embedded},
};

const PLACE: &str = "the store";
const DAY_SECONDS: u64 = 86_400;

/// Could a server sign? Where it has nobody to sign for, nothing is looked at.
pub(super) fn signing(examined: &Examined<'_>) -> Vec<Finding> {
    let look = || Look::at("keys", &PLACE);
    if !examined.config.authorizes() {
        return vec![look().ok("nobody can sign in here, and nothing is signed")];
    }
    // The check of the store says why.
    let Some(kept) = kept(examined) else {
        return vec![look().ok("not examined: the store can't be opened as it is")];
    };
    if kept.is_empty() {
        return vec![look().ok("there is none yet: a server makes the first")];
    }
    let secret = match keys::secret_there(examined.config) {
        Ok(Some(secret)) => secret,
        Ok(None) => {
            let what = "the secret that seals them is gone: there is no keys.secret";
            return vec![look().problem(what, RESTORE)];
        }
        // `secret_files` reports it.
        Err(keys::SecretFileError::Open(_)) => return Vec::new(),
        Err(error) => return vec![look().problem(chain(&error), READ)],
    };
    let mut settings = examined.config.token.clone();
    settings.keys_secret = Secret::new(&secret);
    let now = examined.clock.now();
    // No key is made here, so no chance is needed.
    let standing = Keys::new(&settings, &Entropy::System).standing(&kept, now);
    standing.map_or_else(Vec::new, |standing| judged(&standing, now))
}

const RESTORE: &str = "bring it back from where secrets are kept, or run `doorward key discard` to have new keys made";

const READ: &str = "let the user of the server, and nobody else, read what was made first";

fn kept(examined: &Examined<'_>) -> Option<Vec<KeyRecord>> {
    examined.wait(async {
        let store = match store::open(examined.config, Access::Read).await {
            Ok(store) => store,
            Err(OpenError::Embedded(Embedded::NoStore { .. })) => return Some(Vec::new()),
            Err(_) => return None,
        };
        let kept = store.keys().await.ok();
        drop(store.close().await);
        kept
    })
}

fn judged(standing: &Standing, now: Timestamp) -> Vec<Finding> {
    let look = |place: &str| Look::at("keys", &place);
    let faults: Vec<Finding> = standing
        .faults
        .iter()
        .map(|fault| {
            let text = fault.to_string();
            let (what, advice) = split(&text);
            look(PLACE).problem(what, advice)
        })
        .collect();
    if !faults.is_empty() {
        return faults;
    }
    let (key_id, algorithm) = &standing.signing;
    let left = standing.next_signs_from.as_seconds().saturating_sub(now.as_seconds());
    vec![if standing.is_due {
        let advice =
            "start a server, which makes one; if one runs, its log says what is in the way";
        look(key_id).warning("it signs, and another should have been made by now", advice)
    } else {
        let (published, days) = (standing.published, left.div_ceil(DAY_SECONDS));
        look(key_id)
            .ok(format!("it signs ({algorithm}), for {days} days more; {published} published"))
    }]
}
