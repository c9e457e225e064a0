//! Admission rules.

use super::{Record, RuleRecord, RulesMark, Statement, parameters, sql};

pub(in crate::store) const SELECT: Statement = select!(RuleRecord, "ORDER BY position, rule_id");

pub(in crate::store) const SELECT_MARK: Statement = select!(RulesMark, "WHERE name = 'rules'");

/// Moves the mark on, and locks it until the transaction ends.
pub(in crate::store) const MARK: Statement = sql!(
    "INSERT INTO marks (name, at) VALUES ('rules', $1) ON CONFLICT (name) DO UPDATE SET at = \
     CASE WHEN marks.at < excluded.at THEN excluded.at ELSE marks.at + 1 END"
);

const REPLACE: &str = "ON CONFLICT (rule_id) DO UPDATE SET position = excluded.position, \
    rule = excluded.rule, changed_at = excluded.changed_at, changed_by = excluded.changed_by";

pub(in crate::store) const PUT: Statement = insert!(RuleRecord, REPLACE);

pub(in crate::store) const IMPORT: Statement = insert!(
    RuleRecord,
    super::super::sql::joined!(b'$'; REPLACE, " WHERE rules.changed_at < excluded.changed_at")
);

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM rules WHERE rule_id = $1");
