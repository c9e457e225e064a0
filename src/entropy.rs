//! The source of chance that everything is handed, so that a test can repeat it.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::digest;

/// Where unpredictable bytes come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The operating system's generator, asked for many bytes at a time: a system call an identifier
    /// would be a fortieth of what a registration costs. That of aws-lc gathers chance of its own for 30 ms
    /// at its first use, which every start would wait for.
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
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= digest::SHA256_OUTPUT_LEN) }
        let mut bytes = [0; N];
        match self {
            Self::System => DRAWN.with_borrow_mut(|drawn| drawn.hand_out(&mut bytes)),
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

thread_local! {
    /// Per thread, so that nobody waits for it.
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN_BYTES], left: 0 }) };
}

/// How much is drawn at once: what Linux hands over in one piece.
const DRAWN_BYTES: usize = 256;

/// Bytes of the system's generator that nobody has been given yet.
struct Drawn {
    bytes: [u8; DRAWN_BYTES],
    /// How many there are, at the front.
    left: usize,
}

impl Drawn {
    /// Fills `wanted`, and forgets what it was filled with.
    #[expect(clippy::disallowed_methods, reason = "the one place where chance is drawn")]
    fn hand_out(&mut self, wanted: &mut [u8]) {
        if self.left < wanted.len() {
            getrandom::fill(&mut self.bytes).expect("the system's generator answers");
            self.left = DRAWN_BYTES;
        }
        self.left -= wanted.len();
        let handed_out = &mut self.bytes[self.left..][..wanted.len()];
        wanted.copy_from_slice(handed_out);
        handed_out.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_byte_of_chance_is_handed_out_twice() {
        let drawn: HashSet<[u8; 24]> = (0..10_000).map(|_| Entropy::System.bytes()).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(!drawn.contains(&[0; 24]));
    }
}
