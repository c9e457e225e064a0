//! Asks the public address of the server, as a stranger would.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{Examined, Finding, Look};
use crate::{
    http::fetch::{FetchError, Fetched, Fetcher, Reach},
    internet::Internet,
};

/// How long the public address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than a refusal or a metadata document has.
const ANSWER_MAX: usize = 64 << 10;

/// What `judged` says of the answer of a public address, which is not requested with `--offline`.
pub(super) fn asked(
    examined: &Examined<'_>,
    check: &'static str,
    url: &Url,
    judged: impl FnOnce(Look, Result<Fetched, FetchError>) -> Finding,
) -> Finding {
    let look = Look::at(check, url);
    if examined.is_offline {
        return look.ok("it is not requested (--offline)");
    }
    judged(look, examined.wait(fetcher().get(url, Arc::new(()))))
}

/// What asks it.
pub(super) fn fetcher() -> Fetcher {
    Fetcher::new(Internet::System, Reach::Configured, ANSWER_MAX, PATIENCE)
}
