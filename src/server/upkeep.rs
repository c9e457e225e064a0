//! What the server does beside requests, again and again: connections to Redis, signing keys, and forgetting
//! what has expired. Each is a loop for as long as it is polled; the server owns them and ends them.

use std::time::Duration;

use tokio::time::sleep;

use crate::{app::App, http::request_event::chain, store::Swept};

/// How often nodes look for keys that another one has made.
const KEYS_EVERY: Duration = Duration::from_mins(1);

/// How often everything is looked through for what has expired.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How many records one step of a sweep looks at.
const SWEEP_RECORDS: usize = 500;

/// Between two steps: whoever registers meanwhile does not notice.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// Everything, until it is dropped.
pub(super) async fn run(app: &App) {
    if app.config.authorizes() {
        tokio::join!(app.rate_limit.keep_connected(), keys(app), sweep(app));
    } else {
        app.rate_limit.keep_connected().await;
    }
}

async fn keys(app: &App) {
    loop {
        sleep(KEYS_EVERY).await;
        if let Err(error) = app.keys.upkeep(&*app.store, app.clock.now()).await {
            tracing::error!(error = chain(&error), "the signing keys stay as they were");
        }
    }
}

async fn sweep(app: &App) {
    loop {
        for kind in Swept::ALL {
            sweep_all(app, kind).await;
        }
        sleep(SWEEP_EVERY).await;
    }
}

/// Looks through all records of one kind, a few at a time.
async fn sweep_all(app: &App, kind: Swept) {
    let mut after = None;
    let mut forgotten = 0;
    loop {
        match app.store.sweep(kind, app.clock.now(), after, SWEEP_RECORDS).await {
            Ok(page) => {
                forgotten += page.forgotten;
                after = page.after;
            }
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    ?kind,
                    "what has expired is not forgotten now"
                );
                return;
            }
        }
        if after.is_none() {
            break;
        }
        sleep(SWEEP_PAUSE).await;
    }
    if forgotten > 0 {
        tracing::info!(?kind, forgotten, "forgot what had expired");
    }
}
