//! A bounded memory in two generations: what was used lately survives, and making room costs nothing.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{PoisonError, RwLock},
};

/// Remembers at most twice `generation_max` values.
pub(super) struct Memory<K, V> {
    generations: RwLock<Generations<K, V>>,
    generation_max: usize,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V: Clone> Memory<K, V> {
    pub(super) fn new(generation_max: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generations: RwLock::new(generations), generation_max }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let value = generations.old.get(key)?.clone();
        drop(generations);
        self.put(*key, value.clone());
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V) {
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= self.generation_max && !generations.young.contains_key(&key) {
            generations.old = mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let memory = Memory::new(10);
        memory.put(0, "used");
        for key in 1..1_000 {
            memory.put(key, "once");
            assert_eq!(memory.get(&0), Some("used"), "{key}");
        }
        assert_eq!(memory.get(&1), None);
        let generations = memory.generations.read().unwrap();
        assert!(generations.young.len() <= 10 && generations.old.len() <= 10);
    }
}
