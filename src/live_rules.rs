//! The admission rules that hold on this node: those of the settings, then those in the store, which operators change
//! while servers run. Each node looks every few seconds whether they have changed, and reads them if so. A node that
//! cannot read them keeps the last ones, and says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Semaphore;

use crate::{
    admission::{Rule, RuleFault, Rules},
    clock::Timestamp,
    http::request_event::chain,
    metrics::RulesMetrics,
    store::{RuleRecord, Store, StoreError},
};

/// Why the rules in the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The store does not answer, or not with rules.
    #[error("the admission rules in the store cannot be read")]
    Store(#[from] StoreError),
    /// A rule is damaged, or a later release has added it.
    #[error(
        "an admission rule in the store cannot be read: {0}; edit or remove it with `doorward rule`"
    )]
    Rule(String),
}

/// The rules of one node.
#[derive(Debug)]
pub(crate) struct LiveRules {
    current: RwLock<Arc<Rules>>,
    last: Mutex<Last>,
    pub(crate) metrics: RulesMetrics,
    /// Trials of drafts that can run at once.
    pub(crate) trials: Semaphore,
}

/// What became of the last look at the store.
#[derive(Debug, Default)]
struct Last {
    /// The mark of the rules that hold; `None` before the first ones are read.
    mark: Option<u64>,
    /// Why the rules in the store are others, as far as is known.
    fault: Option<String>,
}

impl LiveRules {
    /// The rules of the settings alone.
    pub(crate) fn new(of_settings: Rules) -> Self {
        Self {
            current: RwLock::new(Arc::new(of_settings)),
            last: Mutex::default(),
            metrics: RulesMetrics::default(),
            trials: Semaphore::new(1),
        }
    }

    /// The rules that hold now.
    pub(crate) fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rules in the store if they have changed since they were last read.
    ///
    /// # Errors
    /// They cannot be read; those from before hold.
    pub(crate) async fn refresh(&self, store: &Store, now: Timestamp) -> Result<(), RulesError> {
        let looked = self.look(store).await;
        match &looked {
            Ok(()) => self.metrics.read_at.set(now.as_seconds()),
            Err(_) => self.metrics.failures.add_one(),
        }
        self.last().fault = looked.as_ref().err().map(|error| chain(error));
        looked
    }

    async fn look(&self, store: &Store) -> Result<(), RulesError> {
        // The mark first: rules that change in between have a later one, and are read again.
        let mark = store.rules_mark().await?;
        if self.last().mark == Some(mark) {
            return Ok(());
        }
        let stored = read(&store.rules().await?)?;
        let next = Arc::new(self.current().with_stored(stored));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.last().mark = Some(mark);
        Ok(())
    }

    /// Why the rules that hold may be other ones than those in the store; `None` after they were read.
    pub(crate) fn fault(&self) -> Option<String> {
        self.last().fault.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules of records, in their order.
///
/// # Errors
/// The first rule that cannot be read.
pub(crate) fn read(records: &[RuleRecord]) -> Result<Vec<Rule>, RulesError> {
    let read = |record: &RuleRecord| {
        Rule::from_json(record.rule.as_bytes()).map_err(|faults| {
            let named = |fault| RuleFault { rule: record.rule_id.clone(), ..fault }.to_string();
            RulesError::Rule(faults.into_iter().map(named).collect::<Vec<_>>().join("; "))
        })
    };
    records.iter().map(read).collect()
}
