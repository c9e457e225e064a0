//! Admission rules: can those in the store be read, and does any share its id with one of the settings?

use super::{Examined, Finding, Look};
use crate::{
    http::request_event::chain,
    live_rules,
    store::{self, Access, RuleRecord},
};

const PLACE: &str = "the store";

pub(super) fn readable(examined: &Examined<'_>) -> Vec<Finding> {
    let look = || Look::at("rules", &PLACE);
    // A store that cannot be read is told of by the check of the store.
    let Some(stored) = stored(examined) else { return Vec::new() };
    if let Err(error) = live_rules::read(&stored) {
        let advice = "servers keep the rules that they last read, and do not start: edit or remove the \
                      rule with `doorward rule`";
        return vec![look().problem(chain(&error), advice)];
    }
    let of_settings = &examined.config.registration.rules;
    let twice =
        stored.iter().find(|rule| of_settings.iter().any(|it| it.id.as_str() == rule.rule_id));
    vec![match twice {
        Some(rule) => look().warning(
            format!("rule {} is in the settings and in the store", rule.rule_id),
            "both hold, that of the settings first: remove one of them",
        ),
        None => look().ok(format!(
            "admission rules: {} in the settings, {} in the store",
            of_settings.len(),
            stored.len()
        )),
    }]
}

fn stored(examined: &Examined<'_>) -> Option<Vec<RuleRecord>> {
    examined.wait(async {
        let store = store::open(examined.config, Access::Read).await.ok()?;
        let stored = store.rules().await.ok();
        drop(store.close().await);
        stored
    })
}
