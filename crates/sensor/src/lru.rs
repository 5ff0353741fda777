//! A table of bounded size: what is unused for longest makes place.

use std::hash::Hash;

use hashbrown::HashMap;

const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    older: usize,
    newer: usize,
}

/// A map of bounded size, in the order of use.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    places: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    oldest: usize,
    newest: usize,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    /// Space for `capacity` entries, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Lru { places: HashMap::new(), slots: Vec::new(), oldest: NONE, newest: NONE, capacity: capacity.max(1) }
    }

    /// Put in a value, as the one used last. Returns the key that made place for it.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<K> {
        if let Some(&place) = self.places.get(&key) {
            self.slots[place].value = value;
            self.touch(place);
            return None;
        }
        let slot = Slot { key, value, older: NONE, newer: NONE };
        let (place, evicted) = if self.slots.len() < self.capacity {
            self.slots.push(slot);
            (self.slots.len() - 1, None)
        } else {
            let place = self.oldest;
            self.unlink(place);
            let before = std::mem::replace(&mut self.slots[place], slot);
            self.places.remove(&before.key);
            (place, Some(before.key))
        };
        self.link_newest(place);
        self.places.insert(key, place);
        evicted
    }

    /// The value of a key, which is then the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let place = *self.places.get(key)?;
        self.touch(place);
        Some(&self.slots[place].value)
    }

    fn touch(&mut self, place: usize) {
        if place != self.newest {
            self.unlink(place);
            self.link_newest(place);
        }
    }

    fn unlink(&mut self, place: usize) {
        let Slot { older, newer, .. } = self.slots[place];
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }

    fn link_newest(&mut self, place: usize) {
        let newest = self.newest;
        (self.slots[place].older, self.slots[place].newer) = (newest, NONE);
        match self.slots.get_mut(newest) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut table = Lru::new(3);
        for key in 0..3 {
            assert_eq!(table.insert(key, key * 10), None);
        }
        for key in 3..1000 {
            assert_eq!(table.get(&0), Some(&0));
            assert_ne!(table.insert(key, key * 10), Some(0));
        }
        assert_eq!(table.slots.len(), 3);
        assert_eq!(table.insert(1000, 0), Some(998));
    }

    proptest! {
        /// Against the plainest form there is: a queue in the order of use.
        #[test]
        fn it_forgets_in_the_order_of_use(
            capacity in 1_usize..6, steps in prop::collection::vec((any::<bool>(), 0_u8..10), 0..200)
        ) {
            let mut table = Lru::new(capacity);
            let mut plain: VecDeque<(u8, usize)> = VecDeque::new();
            for (step, (insert, key)) in steps.into_iter().enumerate() {
                let known = plain.iter().position(|(other, _)| *other == key);
                let entry = known.and_then(|place| plain.remove(place));
                if insert {
                    let full = plain.len() == capacity;
                    let evicted = if full { plain.pop_front() } else { None };
                    plain.push_back((key, step));
                    prop_assert_eq!(table.insert(key, step), evicted.map(|(key, _)| key));
                } else {
                    prop_assert_eq!(table.get(&key).copied(), entry.map(|(_, value)| value));
                    plain.extend(entry);
                }
                prop_assert_eq!(table.slots.len(), plain.len());
            }
        }
    }
}
