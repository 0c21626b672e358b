//! A least-recently-used map bounded in bytes.

use std::borrow::Borrow;
use std::hash::Hash;

use lru::LruCache;

/// Keeps the most recently used values, up to a sum of bytes; the caller states each value's bytes.
#[derive(Debug)]
pub struct ByteLru<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl<K: Hash + Eq, V> ByteLru<K, V> {
    /// An empty map that keeps up to `bytes_max`. With 0 it keeps only values that count as 0
    /// bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, bytes_max }
    }

    /// The value of `key`, and marks it as used now.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(|(value, _)| value)
    }

    /// The value of `key`, without marking it as used.
    pub fn peek<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.peek(key).map(|(value, _)| value)
    }

    /// Sets a value and its bytes. Returns how many entries were dropped for it. A value larger
    /// than `bytes_max` is not kept and counts as the one entry dropped.
    pub fn put(&mut self, key: K, value: V, bytes: usize) -> usize {
        if bytes > self.bytes_max {
            self.remove(&key);
            return 1;
        }
        if let Some((_, before)) = self.entries.put(key, (value, bytes)) {
            self.bytes -= before;
        }
        self.bytes += bytes;
        self.shrink()
    }

    /// Sets the bytes of a value that has changed. Returns how many entries were dropped for it.
    pub fn resize<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, bytes: usize) -> usize
    where
        K: Borrow<Q>,
    {
        let Some((_, counted)) = self.entries.peek_mut(key) else { return 0 };
        if bytes > self.bytes_max {
            self.remove(key);
            return 1;
        }
        self.bytes = self.bytes - *counted + bytes;
        *counted = bytes;
        self.shrink()
    }

    /// Removes an entry.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some((_, counted)) = self.entries.pop(key) {
            self.bytes -= counted;
        }
    }

    /// The sum of the bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn shrink(&mut self) -> usize {
        let before = self.entries.len();
        while self.bytes > self.bytes_max {
            let Some((_, (_, counted))) = self.entries.pop_lru() else { break };
            self.bytes -= counted;
        }
        before - self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_is_kept_and_bounded(steps in prop::collection::vec((0u8..3, 0u8..8, 0usize..40), 0..60)) {
            let mut map = ByteLru::new(100);
            for (step, key, bytes) in steps {
                match step {
                    0 => drop(map.put(key, (), bytes)),
                    1 => drop(map.resize(&key, bytes)),
                    _ => map.remove(&key),
                }
                prop_assert_eq!(map.bytes(), map.entries.iter().map(|(_, (_, bytes))| bytes).sum::<usize>());
                prop_assert!(map.bytes() <= 100);
            }
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut map = ByteLru::new(10);
        map.put('a', 1, 4);
        map.put('b', 2, 4);
        map.get_mut(&'a');
        assert_eq!(map.put('c', 3, 4), 1);
        assert!(map.peek(&'a').is_some() && map.peek(&'b').is_none());
        assert_eq!(map.put('d', 4, 11), 1, "too large, and no reason to drop others");
        assert!(map.peek(&'d').is_none() && map.len() == 2);
    }
}
