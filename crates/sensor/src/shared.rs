//! A table of bounded size that users share: who fills it makes place himself, and takes nothing from others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// Who an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The user that the process runs as.
    pub user: u32,
    /// What tells processes of a boot apart.
    pub process: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    holder: Holder,
    weight: u64,
    /// When it was last used, in uses of the table.
    used: u64,
}

/// A map whose entries weigh no more than so much together.
///
/// When it is full, the process that holds most, of the user that holds most, loses the entry that it has not used for
/// longest. So whoever holds less than a fair share loses nothing, whatever others do; and one alone has all the room.
#[derive(Debug)]
pub(crate) struct Shared<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Of each process, its entries in the order of use.
    order: HashMap<Holder, BTreeMap<u64, K>>,
    process_loads: HashMap<Holder, u64>,
    user_loads: HashMap<u32, u64>,
    /// The same by load: users, and the processes of each.
    heavy_users: BTreeSet<(u64, u32)>,
    heavy_processes: BTreeSet<(u32, u64, u64)>,
    load: u64,
    capacity: u64,
    uses: u64,
    evicted: u64,
}

impl<K: Clone + Eq + Hash, V> Shared<K, V> {
    /// Room for entries that together weigh `capacity`.
    pub(crate) fn new(capacity: u64) -> Self {
        Shared {
            entries: HashMap::new(),
            order: HashMap::new(),
            process_loads: HashMap::new(),
            user_loads: HashMap::new(),
            heavy_users: BTreeSet::new(),
            heavy_processes: BTreeSet::new(),
            load: 0,
            capacity,
            uses: 0,
            evicted: 0,
        }
    }

    /// Put in a value, as the one used last, instead of what the key had. What weighs more than the whole table is
    /// evicted at once.
    pub(crate) fn insert(&mut self, holder: Holder, key: K, value: V, weight: u64) {
        self.remove(&key);
        self.uses += 1;
        let entry = Entry { value, holder, weight, used: self.uses };
        self.order.entry(holder).or_default().insert(entry.used, key.clone());
        self.change_load(holder, |load| load + weight);
        self.entries.insert(key, entry);
        while self.load > self.capacity && self.evict() {}
    }

    /// The value of a key, which is then the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        let order = self.order.get_mut(&entry.holder)?;
        let key = order.remove(&entry.used)?;
        entry.used = self.uses;
        order.insert(entry.used, key);
        Some(&mut entry.value)
    }

    /// Take a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let Entry { value, holder, weight, used } = self.entries.remove(key)?;
        if let Some(order) = self.order.get_mut(&holder) {
            order.remove(&used);
            if order.is_empty() {
                self.order.remove(&holder);
            }
        }
        self.change_load(holder, |load| load - weight);
        Some(value)
    }

    /// The value that a process has not used for longest, with its key.
    pub(crate) fn oldest(&self, holder: Holder) -> Option<(&K, &V)> {
        let (_, key) = self.order.get(&holder)?.first_key_value()?;
        Some((key, &self.entries.get(key)?.value))
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many were evicted for want of room, so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn evict(&mut self) -> bool {
        let Some(&(_, user)) = self.heavy_users.last() else { return false };
        let heaviest = self.heavy_processes.range(..=(user, u64::MAX, u64::MAX)).next_back();
        let Some(&(user, _, process)) = heaviest else { return false };
        let Some(key) = self.oldest(Holder { user, process }).map(|(key, _)| key.clone()) else { return false };
        self.evicted += 1;
        self.remove(&key).is_some()
    }

    fn change_load(&mut self, holder: Holder, change: impl Fn(u64) -> u64) {
        let Holder { user, process } = holder;
        self.load = change(self.load);
        let before = self.user_loads.remove(&user).unwrap_or_default();
        self.heavy_users.remove(&(before, user));
        let before_process = self.process_loads.remove(&holder).unwrap_or_default();
        self.heavy_processes.remove(&(user, before_process, process));
        if self.order.contains_key(&holder) {
            let after = change(before_process);
            self.process_loads.insert(holder, after);
            self.heavy_processes.insert((user, after, process));
        }
        let after = change(before);
        if after > 0 {
            self.user_loads.insert(user, after);
            self.heavy_users.insert((after, user));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holder(user: u32, process: u64) -> Holder {
        Holder { user, process }
    }

    #[test]
    fn what_is_used_stays() {
        let mut table = Shared::new(3);
        for key in 0..1_000 {
            table.insert(holder(1, 1), key, key, 1);
            assert!(table.get(&0).is_some());
        }
        assert_eq!((table.len(), table.evicted()), (3, 997));
    }

    #[test]
    fn whoever_fills_the_table_loses_his_own_entries() {
        let mut table = Shared::new(100);
        for key in 0..10 {
            table.insert(holder(7, 1), key, (), 1);
        }
        // Many processes of one user are that user.
        for key in 10..20_000 {
            table.insert(holder(1000, key), key, (), 1);
        }
        assert!((0..10).all(|key| table.get(&key).is_some()));
        assert_eq!(table.len(), 100);
    }

    #[test]
    fn a_process_that_fills_the_table_takes_nothing_from_its_users_others() {
        let mut table = Shared::new(100);
        for key in 0..10 {
            table.insert(holder(7, 1), key, (), 1);
        }
        for key in 10..10_000 {
            table.insert(holder(7, 2), key, (), 1);
        }
        assert!((0..10).all(|key| table.get(&key).is_some()));
    }

    #[test]
    fn whoever_comes_late_gets_a_share() {
        let mut table = Shared::new(100);
        for key in 0..1_000 {
            table.insert(holder(1000, 1), key, (), 1);
        }
        for key in 1_000..1_040 {
            table.insert(holder(7, 2), key, (), 1);
        }
        for key in 2_000..3_000 {
            table.insert(holder(1000, 1), key, (), 1);
        }
        assert!((1_000..1_040).all(|key| table.get(&key).is_some()));
    }

    proptest! {
        #[test]
        fn the_account_is_that_of_the_entries(
            capacity in 1_u64..40,
            steps in prop::collection::vec((0_u8..3, 0_u8..20, 0_u32..3, 0_u64..3, 0_u64..9), 0..200),
        ) {
            let mut table = Shared::new(capacity);
            for (step, key, user, process, weight) in steps {
                match step {
                    0 => table.insert(holder(user, process), key, (), weight),
                    1 => { table.remove(&key); }
                    _ => { table.get(&key); }
                }
                let load = |matches: &dyn Fn(Holder) -> bool| {
                    table.entries.values().filter(|entry| matches(entry.holder)).map(|entry| entry.weight).sum::<u64>()
                };
                prop_assert_eq!(table.load, load(&|_| true));
                prop_assert!(table.load <= capacity);
                for (&user, &sum) in &table.user_loads {
                    prop_assert_eq!(sum, load(&|holder| holder.user == user));
                    prop_assert!(table.heavy_users.contains(&(sum, user)));
                }
                prop_assert_eq!(table.heavy_users.len(), table.user_loads.len());
                prop_assert_eq!(table.heavy_processes.len(), table.order.len());
                prop_assert_eq!(table.process_loads.len(), table.order.len());
                prop_assert_eq!(table.order.values().map(BTreeMap::len).sum::<usize>(), table.len());
            }
        }
    }
}
