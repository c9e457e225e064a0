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
    /// Those of the settings, those in the store, and last the one that ships with Doorward.
    in_order: Vec<Rule>,
    /// How many of them come from the settings.
    of_settings: usize,
    /// How many of them operators wrote.
    of_operators: usize,
    /// Of the rules that operators wrote.
    index: Index,
    /// The rule that ships, also while a rule of an operator with its id takes its place.
    look_alikes: Option<Rule>,
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
        Self::shipping(None, rules, default)
    }

    /// The same, with the rule that ships with Doorward.
    pub(crate) fn shipping(look_alikes: Option<Rule>, rules: Vec<Rule>, default: Effect) -> Self {
        let of_settings = rules.len();
        Self::counting(look_alikes, rules, of_settings, default, |_, _| None)
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
        let (of_settings, others) = self.in_order.split_at(self.of_settings);
        let others = others.iter().map(|rule| (&rule.id, rule.mode));
        let counting: HashMap<(&RuleId, Mode), &Arc<Counter>> =
            others.zip(&self.hits[self.of_settings..]).collect();
        let count_on = |place: usize, rule: &Rule| match self.hits.get(place) {
            Some(hits) if place < self.of_settings => Some(Arc::clone(hits)),
            _ => counting.get(&(&rule.id, rule.mode)).copied().cloned(),
        };
        let rules = of_settings.iter().cloned().chain(stored).collect();
        let (look_alikes, default) = (self.look_alikes.clone(), self.default.clone());
        Self::counting(look_alikes, rules, self.of_settings, default, count_on)
    }

    /// Rules of operators, and the one that ships unless one of them has its id and is enforced: a rule that observes
    /// changes nothing. `hits_of` has the counter of a rule that counts on.
    fn counting(
        look_alikes: Option<Rule>,
        mut in_order: Vec<Rule>,
        of_settings: usize,
        default: Effect,
        hits_of: impl Fn(usize, &Rule) -> Option<Arc<Counter>>,
    ) -> Self {
        let (index, of_operators) = (Index::of(&in_order), in_order.len());
        let last = look_alikes.clone();
        let stays =
            |rule: &Rule, shipped: &Rule| rule.id != shipped.id || rule.mode == Mode::Observe;
        in_order.extend(last.filter(|it| in_order.iter().all(|rule| stays(rule, it))));
        let hits = in_order.iter().enumerate();
        let hits = hits.map(|(place, rule)| hits_of(place, rule).unwrap_or_default()).collect();
        Self { in_order, of_settings, of_operators, index, look_alikes, default, hits }
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
        if self.of_operators > 0 {
            self.ask_operators(candidate, &mut outcome);
        }
        if candidate.is_imitation && outcome.decided_by.is_none() {
            self.ask_look_alikes(&mut outcome);
        }
        outcome
    }

    fn ask_operators<'rules>(
        &'rules self,
        candidate: &Candidate<'_>,
        outcome: &mut Outcome<'rules>,
    ) {
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
    }

    /// The rule that ships lets no client in that the default would not.
    fn ask_look_alikes<'rules>(&'rules self, outcome: &mut Outcome<'rules>) {
        let Some(rule) = self.in_order.get(self.of_operators) else { return };
        (outcome.decided_by, outcome.terms) = (Some(self.of_operators), &rule.terms);
        if rule.effect.name() > outcome.effect.name() {
            outcome.effect = &rule.effect;
        }
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
