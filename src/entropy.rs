//! The source of chance that everything is handed, so that a test can repeat it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest;

/// Where unpredictable bytes come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The operating system's generator. A system call is what it costs; that of aws-lc costs less, but
    /// gathers chance of its own for 30 ms at its first use, which every start would wait for.
    System,
    /// The same bytes in the same order in every run: for tests alone.
    Seeded {
        /// What tells this sequence from another.
        seed: u64,
        /// How many times it was asked.
        drawn: Arc<AtomicU64>,
    },
}

impl Entropy {
    /// A repeatable sequence.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded { seed, drawn: Arc::new(AtomicU64::new(0)) }
    }

    /// `N` bytes, at most 32.
    ///
    /// # Panics
    /// When the system's generator fails: nothing that needs chance may go on without it.
    #[expect(clippy::disallowed_methods, reason = "the one place where chance is drawn")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= digest::SHA256_OUTPUT_LEN) }
        let mut bytes = [0; N];
        match self {
            Self::System => {
                getrandom::fill(&mut bytes).expect("the system's generator answers");
            }
            Self::Seeded { seed, drawn } => {
                let mut text = [0; 16];
                let (head, tail) = text.split_at_mut(8);
                head.copy_from_slice(&seed.to_be_bytes());
                tail.copy_from_slice(&drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                let digest = digest::digest(&digest::SHA256, &text);
                bytes.copy_from_slice(digest.as_ref().split_at(N).0);
            }
        }
        bytes
    }
}
