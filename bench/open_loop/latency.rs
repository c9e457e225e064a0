//! Latencies, every one of them, and what they come to.

use serde_json::{Value, json};

/// In microseconds.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, nanoseconds: u64) {
        self.0.push(u32::try_from(nanoseconds / 1_000).unwrap_or(u32::MAX));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// The number of them; median, 99th percentile and greatest in milliseconds, null when there is none.
    pub(crate) fn summary(mut self) -> Value {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let last = self.0.len().checked_sub(1)?;
            self.0.get(last * percent / 100).map(|micros| f64::from(*micros) / 1_000.0)
        };
        json!({ "count": self.0.len(), "p50": at(50), "p99": at(99), "max": at(100) })
    }
}
