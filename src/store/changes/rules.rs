//! Admission rules.

use std::slice;

use serde_json::{Value as Json, json};

use crate::audit::{Action, Author};
use crate::store::{
    RuleChange, RuleChanged, RuleRecord,
    column::Stored as _,
    statements::{events, rules},
    transaction::Transaction,
};

/// Changes the rules, if the one that the change is about is in one of `versions`. The mark is written first: it locks
/// the rules until the end.
pub(in crate::store) async fn change_rules<T: Transaction>(
    change: &mut T,
    wanted: &RuleChange,
    versions: Option<&[String]>,
    by: &Author,
) -> Result<RuleChanged, T::Fault> {
    change.execute(&rules::MARK, &[by.at.value()]).await?;
    let before: Vec<RuleRecord> = change.select(&rules::SELECT, &[]).await?;
    let is_superseded = |rule: &RuleRecord| rule.rule_id == wanted.id() && !rule.is_in(versions);
    if before.iter().any(is_superseded) {
        return Ok(RuleChanged::Superseded);
    }
    let mut after = before.clone();
    let step = match wanted.make(&mut after, by) {
        Ok(step) => step,
        Err(refused) => return Ok(refused),
    };
    if step.action == Action::RuleDeleted {
        change.execute(&rules::DELETE, &[step.subject.rule_id.value()]).await?;
    }
    let changed: Vec<RuleRecord> =
        after.into_iter().filter(|rule| !before.contains(rule)).collect();
    change.insert(&rules::PUT, &changed).await?;
    let rule: Json = serde_json::from_str(&step.subject.rule).unwrap_or_default();
    let detail = json!({
        "rule_id": step.subject.rule_id,
        "position": step.subject.position + 1,
        "rule": rule,
    });
    let event = by.event(step.action).with(&detail);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(RuleChanged::Now)
}

/// Stores rules that are new, or were changed later than the stored ones. Returns how many were.
pub(in crate::store) async fn import_rules<T: Transaction>(
    change: &mut T,
    imported: &[RuleRecord],
) -> Result<usize, T::Fault> {
    let Some(newest) = imported.iter().map(|rule| rule.changed_at).max() else { return Ok(0) };
    change.execute(&rules::MARK, &[newest.value()]).await?;
    change.insert(&rules::IMPORT, imported).await
}
