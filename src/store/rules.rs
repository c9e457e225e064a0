//! Admission rules that operators add at run time. What a rule means is not the store's affair: it keeps their order.

use super::{
    Store, StoreError, change, changes,
    client_edits::version_of,
    column::{Record, Row, columns},
    statements::rules,
};
use crate::{
    audit::{Action, Author},
    clock::Timestamp,
};

columns! {
    /// An admission rule.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RuleRecord {
        /// Names it.
        pub rule_id: String = "rule_id",
        /// Its place among the others, from 0.
        pub position: u64 = "position",
        /// The rule, as a JSON object.
        pub rule: String = "rule",
        /// When it was added or edited.
        pub changed_at: Timestamp = "changed_at",
        /// Who added or edited it.
        pub changed_by: Option<String> = "changed_by",
    }
}

impl Record for RuleRecord {
    const TABLE: &'static str = "rules";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        format!("rule {}", row.text(0).ok().flatten().unwrap_or("without an id"))
    }
}

impl RuleRecord {
    /// Identifies the rule as it is, at its place.
    pub fn version(&self) -> String {
        version_of(&format!("{}\n{}\n{:?}", self.position, self.rule, self.changed_at))
    }

    /// Whether the rule is in one of these versions; `None` admits every version.
    pub(super) fn is_in(&self, versions: Option<&[String]>) -> bool {
        versions.is_none_or(|versions| versions.contains(&self.version()))
    }
}

columns! {
    /// When the rules last changed. It grows with every change, whatever the clocks of nodes say.
    #[derive(Clone, Copy, Debug)]
    #[expect(unreachable_pub, reason = "the macro makes public records")]
    pub struct RulesMark {
        /// The moment.
        pub at: u64 = "at",
    }
}

impl Record for RulesMark {
    const TABLE: &'static str = "marks";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "the mark of the rules".to_owned()
    }
}

/// How many rules the store keeps.
pub const RULES_MAX: usize = 1_000;

/// The longest rule, in bytes of JSON.
pub const RULE_BYTES_MAX: usize = 16 << 10;

impl Store {
    /// The rules in their order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rules(&self) -> Result<Vec<RuleRecord>, StoreError> {
        self.select_aside(&rules::SELECT, Vec::new()).await
    }

    /// A number that is another one after every change of the rules.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rules_mark(&self) -> Result<u64, StoreError> {
        let marks: Vec<RulesMark> = self.select_aside(&rules::SELECT_MARK, Vec::new()).await?;
        Ok(marks.first().map_or(0, |mark| mark.at))
    }

    /// Changes the rules, with an event. Changes at the same time happen one after another.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_rules(
        &self,
        wanted: RuleChange,
        by: Author,
    ) -> Result<RuleChanged, StoreError> {
        self.change_rules_in(wanted, None, by).await
    }

    /// The same, if the rule that it is about is in one of `versions` ([`RuleRecord::version`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_rules_in(
        &self,
        wanted: RuleChange,
        versions: Option<Vec<String>>,
        by: Author,
    ) -> Result<RuleChanged, StoreError> {
        change!(self, whole, |change| {
            changes::change_rules(change, &wanted, versions.as_deref(), &by)
        })
    }

    /// Stores rules of another store, as one change. An existing one is replaced if the imported one was changed later.
    /// Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_rules(&self, rules: Vec<RuleRecord>) -> Result<usize, StoreError> {
        change!(self, whole, |change| changes::import_rules(change, &rules))
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Adds a rule at a place, from 0; behind the others without one.
    Add {
        /// Its id.
        id: String,
        /// Its JSON form.
        rule: String,
        /// Where.
        place: Option<usize>,
    },
    /// Replaces a rule.
    Edit {
        /// Its id.
        id: String,
        /// Its new JSON form.
        rule: String,
        /// Where it goes, from 0; without one it keeps its place.
        place: Option<usize>,
    },
    /// Moves a rule to a place, from 0.
    Move {
        /// Its id.
        id: String,
        /// Where.
        place: usize,
    },
    /// Removes a rule.
    Remove {
        /// Its id.
        id: String,
    },
}

/// What became of a [`RuleChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleChanged {
    /// It is made.
    Now,
    /// There is no such rule.
    NotThere,
    /// There is a rule of this id already.
    Exists,
    /// Another operator changed the rule first.
    Superseded,
    /// There are [`RULES_MAX`] rules, or this one is longer than [`RULE_BYTES_MAX`].
    TooMuch,
}

/// What a change is about: the rule as it is afterwards, or was before its removal.
pub(super) struct RuleStep {
    pub(super) action: Action,
    pub(super) subject: RuleRecord,
}

impl RuleChange {
    /// The id of the rule that it is about.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Add { id, .. }
            | Self::Edit { id, .. }
            | Self::Move { id, .. }
            | Self::Remove { id } => id,
        }
    }

    /// Makes the change on all rules in their order.
    pub(super) fn make(
        &self,
        rules: &mut Vec<RuleRecord>,
        by: &Author,
    ) -> Result<RuleStep, RuleChanged> {
        let at = |id: &str, rules: &[RuleRecord]| rules.iter().position(|it| it.rule_id == id);
        let find = |id: &str, rules: &[RuleRecord]| at(id, rules).ok_or(RuleChanged::NotThere);
        let (action, subject) = match self {
            Self::Add { rule, .. } | Self::Edit { rule, .. } if rule.len() > RULE_BYTES_MAX => {
                return Err(RuleChanged::TooMuch);
            }
            Self::Add { id, .. } if at(id, rules).is_some() => return Err(RuleChanged::Exists),
            Self::Add { .. } if rules.len() >= RULES_MAX => return Err(RuleChanged::TooMuch),
            Self::Add { id, rule, place } => {
                let record = RuleRecord {
                    rule_id: id.clone(),
                    position: 0,
                    rule: rule.clone(),
                    changed_at: by.at,
                    changed_by: by.actor.id(),
                };
                let place = place.unwrap_or(rules.len()).min(rules.len());
                rules.insert(place, record);
                (Action::RuleCreated, place)
            }
            Self::Edit { id, rule, place } => {
                let own = find(id, rules)?;
                let mut record = rules.remove(own);
                record.rule.clone_from(rule);
                (record.changed_at, record.changed_by) = (by.at, by.actor.id());
                let place = place.unwrap_or(own).min(rules.len());
                rules.insert(place, record);
                (Action::RuleChanged, place)
            }
            Self::Move { id, place } => {
                let record = rules.remove(find(id, rules)?);
                let place = (*place).min(rules.len());
                rules.insert(place, record);
                (Action::RuleChanged, place)
            }
            Self::Remove { id } => {
                let subject = rules.remove(find(id, rules)?);
                number(rules);
                return Ok(RuleStep { action: Action::RuleDeleted, subject });
            }
        };
        number(rules);
        Ok(RuleStep { action, subject: rules[subject].clone() })
    }
}

fn number(rules: &mut [RuleRecord]) {
    for (position, rule) in (0..).zip(rules) {
        rule.position = position;
    }
}
