//! The rules that hold, in order, and what they decide about a client.

use std::{collections::HashMap, sync::Arc};

use super::{
    Effect, Mode, Rule, RuleId, Terms,
    facts::{Candidate, Facts},
    index::Index,
};
use crate::metrics::Counter;

/// A snapshot of all rules, ready to be evaluated, and how often each has matched.
#[derive(Debug)]
pub struct Rules {
    in_order: Vec<Rule>,
    /// How many of them, the first ones, come from the settings.
    of_settings: usize,
    index: Index,
    default: Effect,
    hits: Vec<Arc<Counter>>,
}

/// What the rules decide about a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome<'rules> {
    /// The place of the rule that decides; `None` if no rule does and the default holds.
    pub decided_by: Option<usize>,
    /// What happens to the client.
    pub effect: &'rules Effect,
    /// What it gets.
    pub terms: &'rules Terms,
    /// Whether its redirect URIs decided.
    pub by_destination: bool,
    /// The places of the rules before that one which match and only observe.
    pub observed: Vec<usize>,
}

/// What a client gets that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted<'rules> {
    /// Whether an operator has to approve it first.
    pub is_held: bool,
    /// What its rule says of it.
    pub terms: &'rules Terms,
}

/// Why a client is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For its developer, in printable ASCII.
    pub reason: String,
    /// Whether its redirect URIs decided.
    pub by_destination: bool,
}

const ALLOW: &Effect = &Effect::Allow;

const NO_TERMS: &Terms = &Terms { ceiling: None, label: None, expires_days: None };

impl Rules {
    /// The rules of the settings in their order, and what happens to a client that none of them decides about.
    pub fn new(rules: Vec<Rule>, default: Effect) -> Self {
        let hits = rules.iter().map(|_| Arc::default()).collect();
        let (index, of_settings) = (Index::of(&rules), rules.len());
        Self { index, in_order: rules, of_settings, default, hits }
    }

    /// Rules of which the one at `place` decides, whatever its mode.
    pub(crate) fn enforcing(mut rules: Vec<Rule>, place: usize) -> Self {
        if let Some(rule) = rules.get_mut(place) {
            rule.mode = Mode::Enforce;
        }
        Self::new(rules, Effect::Allow)
    }

    /// The rules of the settings, and these of the store behind them instead of the present ones. Rules that stay count
    /// on.
    #[must_use]
    pub fn with_stored(&self, stored: Vec<Rule>) -> Self {
        let (of_settings, present) = self.in_order.split_at(self.of_settings);
        let (mut hits, counting) = {
            let (of_settings, counting) = self.hits.split_at(self.of_settings);
            (of_settings.to_vec(), counting)
        };
        let present: HashMap<(&RuleId, Mode), &Arc<Counter>> =
            present.iter().map(|rule| (&rule.id, rule.mode)).zip(counting).collect();
        let count_on = |rule: &Rule| present.get(&(&rule.id, rule.mode)).copied().cloned();
        hits.extend(stored.iter().map(|rule| count_on(rule).unwrap_or_default()));
        let in_order: Vec<Rule> = of_settings.iter().cloned().chain(stored).collect();
        let (index, default) = (Index::of(&in_order), self.default.clone());
        Self { index, in_order, of_settings: self.of_settings, default, hits }
    }

    /// The first enforced rule that matches decides. If none does, an initial access token lets a client in whatever the
    /// default is. Counts nothing.
    pub fn evaluate<'rules>(&'rules self, candidate: &Candidate<'_>) -> Outcome<'rules> {
        let mut outcome = Outcome {
            decided_by: None,
            effect: if candidate.initial_access_token.is_some() { ALLOW } else { &self.default },
            terms: NO_TERMS,
            by_destination: false,
            observed: Vec::new(),
        };
        if self.in_order.is_empty() {
            return outcome;
        }
        let facts = Facts::of(candidate);
        for place in self.index.possible(&facts) {
            let rule = &self.in_order[place];
            if !rule.conditions.are_met_by(&facts) {
                continue;
            }
            if rule.mode == Mode::Observe {
                outcome.observed.push(place);
                continue;
            }
            outcome.decided_by = Some(place);
            (outcome.effect, outcome.terms) = (&rule.effect, &rule.terms);
            outcome.by_destination = rule.conditions.look_at_destinations();
            break;
        }
        outcome
    }

    /// Evaluates and counts. A client that is held is let in, to wait.
    ///
    /// # Errors
    /// The client is rejected.
    pub fn admit(&self, candidate: &Candidate<'_>) -> Result<Admitted<'_>, Rejection> {
        let outcome = self.evaluate(candidate);
        self.count(&outcome);
        match outcome.effect {
            Effect::Allow => Ok(Admitted { is_held: false, terms: outcome.terms }),
            Effect::Hold => Ok(Admitted { is_held: true, terms: outcome.terms }),
            Effect::Reject(reason) => Err(Rejection {
                reason: reason.as_str().to_owned(),
                by_destination: outcome.by_destination,
            }),
        }
    }

    /// Counts the rule that decided, and those that observed.
    pub fn count(&self, outcome: &Outcome<'_>) {
        for place in outcome.observed.iter().chain(&outcome.decided_by) {
            self.hits[*place].add_one();
        }
    }

    /// Whether any rule says when clients are removed.
    pub fn expire_clients(&self) -> bool {
        self.in_order.iter().any(|rule| rule.terms.expires_days.is_some())
    }

    /// Every rule in order, and how often it has matched.
    pub fn hits(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.in_order.iter().zip(self.hits.iter().map(|hits| hits.value()))
    }
}
