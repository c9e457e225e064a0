//! Admission rules: which clients an operator lets in, as data. A rule has conditions, an effect, and a mode; the first
//! rule in order that matches a client decides.
//!
//! Evaluation is pure, over a snapshot of the rules in memory: it asks neither the store nor the network, and takes
//! about the same time for a thousand rules as for one (`index.rs`).

mod condition;
mod facts;
mod index;
mod json;
mod rules;
#[cfg(test)]
mod tests;
mod word;

pub use self::{
    condition::{
        Conditions, DestinationPattern, Door, FamilyPattern, HostPattern, NamePart, NamePattern,
        TokenPolicy,
    },
    facts::Candidate,
    json::RuleFault,
    rules::{Admitted, Outcome, Rejection, Rules},
    word::{Label, Note, Reason, RuleId, ScopeToken, SoftwareId, Word},
};

/// One rule. Without a condition it would match every client; [`Rule::fault`] rejects that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names the rule in settings, metrics, and messages.
    pub id: RuleId,
    /// Why the rule exists, for operators.
    pub note: Option<Note>,
    /// What a client must meet.
    pub conditions: Conditions,
    /// What happens to a client that the rule decides about.
    pub effect: Effect,
    /// What a client gets that the rule allows or holds.
    pub terms: Terms,
    /// Whether the rule decides, or only counts.
    pub mode: Mode,
}

/// What happens to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is let in.
    Allow,
    /// It waits for an operator.
    Hold,
    /// It is turned away, and its developer reads why.
    Reject(Reason),
}

/// What a client gets that is not rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The scopes it may have at most; any when absent.
    pub ceiling: Option<Vec<ScopeToken>>,
    /// How operators find it.
    pub label: Option<Label>,
    /// After how many days it is removed.
    pub expires_days: Option<u32>,
}

/// The longest life that a rule can give a client, in days.
pub const EXPIRES_DAYS_MAX: u32 = 36_500;

/// Whether a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It decides.
    Enforce,
    /// It decides nothing; what it would have decided is counted.
    Observe,
}

impl Effect {
    /// The effect of this name. A rejection has a reason, and only a rejection has one.
    pub(crate) fn of(name: EffectName, reason: Option<Reason>) -> Result<Self, &'static str> {
        match (name, reason) {
            (EffectName::Allow, None) => Ok(Self::Allow),
            (EffectName::Hold, None) => Ok(Self::Hold),
            (EffectName::Reject, Some(reason)) => Ok(Self::Reject(reason)),
            (EffectName::Reject, None) => Err("effect reject needs a reason"),
            (EffectName::Allow | EffectName::Hold, Some(_)) => Err("a reason needs effect reject"),
        }
    }

    /// The effect of this name on clients that no rule decides about.
    pub(crate) fn by_default(name: EffectName) -> Self {
        match name {
            EffectName::Allow => Self::Allow,
            EffectName::Hold => Self::Hold,
            EffectName::Reject => Self::Reject(Reason::by_default()),
        }
    }

    pub(crate) const fn name(&self) -> EffectName {
        match self {
            Self::Allow => EffectName::Allow,
            Self::Hold => EffectName::Hold,
            Self::Reject(_) => EffectName::Reject,
        }
    }
}

/// The name of an effect, the strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectName {
    /// [`Effect::Allow`].
    Allow,
    /// [`Effect::Hold`].
    Hold,
    /// [`Effect::Reject`].
    Reject,
}

impl Rule {
    /// The rule that ships with Doorward: what happens to a client that goes by a protected name which is not its own.
    pub(crate) fn look_alikes(effect: EffectName) -> Self {
        let (effect, label) = match effect {
            EffectName::Allow => (Effect::Allow, Some(Label::look_alike())),
            EffectName::Hold => (Effect::Hold, Some(Label::look_alike())),
            EffectName::Reject => (Effect::Reject(Reason::of_look_alikes()), None),
        };
        Self {
            id: RuleId::look_alikes(),
            note: Some(Note::of_look_alikes()),
            conditions: Conditions { imitation: Some(true), ..Conditions::default() },
            effect,
            terms: Terms { label, ..Terms::default() },
            mode: Mode::Enforce,
        }
    }

    /// What is wrong between the members of the rule, each of which is valid.
    pub fn fault(&self) -> Option<&'static str> {
        if self.conditions.are_none() {
            return Some(
                "needs at least one condition; registration.default covers all other clients",
            );
        }
        let is_rejection = matches!(self.effect, Effect::Reject(_));
        (is_rejection && self.terms != Terms::default())
            .then_some("a rejected client gets no ceiling, label, or expires_days")
    }
}

impl Mode {
    /// The name in settings and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}
