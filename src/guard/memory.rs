//! A memory in two generations, bounded by bytes: what was used lately survives, and making room costs nothing.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{PoisonError, RwLock},
};

/// What an entry takes beside its value: its key, its place in the table, and headers of allocations.
const BYTES_OF_ENTRY: usize = 160;

/// A value that says how much memory it holds outside itself.
pub(super) trait Held {
    fn bytes_held(&self) -> usize;
}

/// Remembers values of at most twice `generation_bytes_max` together.
pub(super) struct Memory<K, V> {
    generations: RwLock<Generations<K, V>>,
    generation_bytes_max: usize,
}

struct Generations<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
}

struct Generation<K, V> {
    values: HashMap<K, V>,
    bytes: usize,
}

impl<K, V> Default for Generation<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), bytes: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Clone + Held> Memory<K, V> {
    pub(super) fn new(generation_bytes_max: usize) -> Self {
        let generations = Generations { young: Generation::default(), old: Generation::default() };
        Self { generations: RwLock::new(generations), generation_bytes_max }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations.young.values.get(key) {
            return Some(value.clone());
        }
        let value = generations.old.values.get(key)?.clone();
        drop(generations);
        self.put(*key, value.clone());
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V) {
        let bytes = Self::bytes_of(&value);
        if bytes > self.generation_bytes_max {
            return;
        }
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        let replaced = generations.young.values.get(&key).map_or(0, Self::bytes_of);
        if generations.young.bytes - replaced + bytes > self.generation_bytes_max {
            generations.old = mem::take(&mut generations.young);
        }
        let young = &mut generations.young;
        let replaced = young.values.insert(key, value).map_or(0, |value| Self::bytes_of(&value));
        young.bytes = young.bytes - replaced + bytes;
    }

    fn bytes_of(value: &V) -> usize {
        size_of::<V>() + value.bytes_held() + BYTES_OF_ENTRY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Held for &'static str {
        fn bytes_held(&self) -> usize {
            self.len()
        }
    }

    const LONG: &str = match str::from_utf8(&[b'x'; 4_000]) {
        Ok(text) => text,
        Err(_) => panic!(),
    };

    #[test]
    fn it_keeps_what_is_used() {
        let memory = Memory::new(10 * 200);
        memory.put(0, "used");
        for key in 1..1_000 {
            memory.put(key, "once");
            assert_eq!(memory.get(&0), Some("used"), "{key}");
        }
        assert_eq!(memory.get(&1), None);
    }

    #[test]
    fn its_values_are_bounded_by_their_bytes() {
        const MAX: usize = 20_000;
        let memory = Memory::new(MAX);
        for key in 0..1_000 {
            memory.put(key % 300, if key % 3 == 0 { LONG } else { "short" });
            let generations = memory.generations.read().unwrap();
            for generation in [&generations.young, &generations.old] {
                let held = generation.values.values().map(Memory::<i32, &str>::bytes_of);
                assert_eq!(generation.bytes, held.sum::<usize>());
                assert!(generation.bytes <= MAX);
            }
        }
        let small = Memory::new(1_000);
        small.put(1, LONG);
        assert_eq!(small.get(&1), None, "a value larger than all is not remembered");
    }
}
