//! The webhooks: can they sign, and do their receivers accept events?

use super::{Examined, Finding, Look};
use crate::{
    http::request_event::chain,
    store::{self, Access, WebhookCursor},
    webhook::{Keys, deletes_events},
};

/// Can each secret be read, and does a server deliver? The receivers are not asked.
pub(super) fn delivering(examined: &Examined<'_>) -> Vec<Finding> {
    let webhooks = &examined.config.webhooks;
    if webhooks.is_empty() {
        return Vec::new();
    }
    // A store that cannot be read is told of by the check of the store.
    let cursors = cursors(examined).unwrap_or_default();
    let judged = webhooks.iter().map(|webhook| {
        let look = Look::at("webhook", &webhook.name);
        if let Err(error) = Keys::read(&webhook.secret_file) {
            return look.problem(chain(&error), SECRET);
        }
        let cursor = cursors.iter().find(|cursor| cursor.webhook == webhook.name);
        of_cursor(look, cursor, examined)
    });
    judged.collect()
}

const SECRET: &str = "see to `secret_file` in webhooks, and let the user of the server read it: \
    `echo whsec_$(openssl rand -base64 32)` makes one";

const RECEIVER: &str = "see to the receiver and to `url` in webhooks: events wait for it in order, and are sent once it accepts \
     them";

fn cursors(examined: &Examined<'_>) -> Option<Vec<WebhookCursor>> {
    examined.wait(async {
        let store = store::open(examined.config, Access::Read).await.ok()?;
        let cursors = store.webhook_cursors().await.ok();
        drop(store.close().await);
        cursors
    })
}

fn of_cursor(look: Look, cursor: Option<&WebhookCursor>, examined: &Examined<'_>) -> Finding {
    match cursor {
        None => look.ok("it begins when a server starts"),
        Some(WebhookCursor { failing_since: Some(since), failures, failure, .. }) => {
            let (days, now) = (examined.config.audit.keep_days, examined.clock.now());
            let deleted = if deletes_events(Some(*since), days, now) {
                format!("; events older than {days} days are deleted before they are sent")
            } else {
                String::new()
            };
            let (since, why) = (since.to_rfc3339(), failure.as_deref().unwrap_or_default());
            let times = if *failures == 1 { "attempt" } else { "attempts" };
            look.warning(
                format!("{failures} {times} failed since {since}: {why}{deleted}"),
                RECEIVER,
            )
        }
        Some(_) => look.ok("its last event was accepted, or it has none to send"),
    }
}
