//! A table of bounded size that users share: who fills it makes place with entries of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use hashbrown::HashMap;

use crate::records::Owner;

/// Who an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The user that the process runs as.
    pub user: u32,
    /// What distinguishes processes of a boot.
    pub process: u64,
}

impl Holder {
    /// A process of a user.
    pub fn new(user: u32, tgid: u32, start_boot_ns: u64) -> Self {
        Holder { user, process: start_boot_ns.rotate_left(22) ^ u64::from(tgid) }
    }
}

impl From<&Owner> for Holder {
    fn from(owner: &Owner) -> Self {
        Holder::new(owner.uid, owner.tgid, owner.start_boot_ns)
    }
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    holder: Holder,
    weight: u64,
    /// When it was last used, in uses of the table.
    used: u64,
}

/// What a process has in the table.
#[derive(Debug)]
struct Account<K> {
    /// Its entries in the order of use.
    order: BTreeMap<u64, K>,
    load: u64,
}

/// Users, and the processes of each, by load.
#[derive(Debug, Default)]
struct Ranks {
    users: BTreeSet<(u64, u32)>,
    processes: BTreeSet<(u32, u64, u64)>,
}

impl Ranks {
    fn heaviest(&self) -> Option<Holder> {
        let &(_, user) = self.users.last()?;
        let &(user, _, process) = self.processes.range(..=(user, u64::MAX, u64::MAX)).next_back()?;
        Some(Holder { user, process })
    }
}

/// A map whose entries weigh no more than so much together.
///
/// When it is full, the process that holds most, of the user that holds most, loses the entry that it has not used for
/// longest. So whoever holds less than a fair share loses nothing, whatever others do; and one alone has all the room.
#[derive(Debug)]
pub(crate) struct Shared<K, V> {
    entries: HashMap<K, Entry<V>>,
    processes: HashMap<Holder, Account<K>>,
    user_loads: HashMap<u32, u64>,
    /// Kept from the first eviction until half of the table is free: most tables are never full.
    ranks: Option<Ranks>,
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
            processes: HashMap::new(),
            user_loads: HashMap::new(),
            ranks: None,
            load: 0,
            capacity,
            uses: 0,
            evicted: 0,
        }
    }

    /// Put in a value, as the one used last, instead of what the key had. What weighs more than the whole table is
    /// evicted at once.
    pub(crate) fn insert(&mut self, holder: Holder, key: K, value: V, weight: u64) {
        self.put(holder, key, value, weight);
        while self.evict().is_some() {}
    }

    /// The same, but what must make place is left to [`Shared::evict`].
    pub(crate) fn put(&mut self, holder: Holder, key: K, value: V, weight: u64) {
        self.remove(&key);
        self.uses += 1;
        let entry = Entry { value, holder, weight, used: self.uses };
        let account = self.processes.entry(holder).or_insert_with(|| Account { order: BTreeMap::new(), load: 0 });
        account.order.insert(entry.used, key.clone());
        self.change_load(holder, |load| load + weight);
        self.entries.insert(key, entry);
    }

    /// Take out what must make place; None if the table is not too full. To be called until then.
    pub(crate) fn evict(&mut self) -> Option<(K, V)> {
        if self.load <= self.capacity {
            return None;
        }
        let holder = match &self.ranks {
            Some(ranks) => ranks.heaviest(),
            None => self.ranks.insert(Self::ranked(&self.processes, &self.user_loads)).heaviest(),
        }?;
        let (key, _) = self.oldest(holder)?;
        let key = key.clone();
        self.evicted += 1;
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// The value of a key, which is then the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        let order = &mut self.processes.get_mut(&entry.holder)?.order;
        let key = order.remove(&entry.used)?;
        entry.used = self.uses;
        order.insert(entry.used, key);
        Some(&mut entry.value)
    }

    /// The value of a key, which is thereby not used.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        Some(&self.entries.get(key)?.value)
    }

    /// Take a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let Entry { value, holder, weight, used } = self.entries.remove(key)?;
        if let Some(account) = self.processes.get_mut(&holder) {
            account.order.remove(&used);
        }
        self.change_load(holder, |load| load - weight);
        Some(value)
    }

    /// The value that a process has not used for longest, with its key.
    pub(crate) fn oldest(&self, holder: Holder) -> Option<(&K, &V)> {
        let (_, key) = self.processes.get(&holder)?.order.first_key_value()?;
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

    fn ranked(processes: &HashMap<Holder, Account<K>>, user_loads: &HashMap<u32, u64>) -> Ranks {
        Ranks {
            users: user_loads.iter().map(|(&user, &load)| (load, user)).collect(),
            processes: processes
                .iter()
                .map(|(&Holder { user, process }, account)| (user, account.load, process))
                .collect(),
        }
    }

    fn change_load(&mut self, holder: Holder, change: impl Fn(u64) -> u64) {
        let Holder { user, process } = holder;
        self.load = change(self.load);
        if self.load <= self.capacity / 2 {
            self.ranks = None;
        }
        let before = self.user_loads.get(&user).copied().unwrap_or_default();
        let after = change(before);
        if let Some(ranks) = &mut self.ranks {
            ranks.users.remove(&(before, user));
            if after > 0 {
                ranks.users.insert((after, user));
            }
        }
        if after > 0 {
            self.user_loads.insert(user, after);
        } else {
            self.user_loads.remove(&user);
        }
        let Some(account) = self.processes.get_mut(&holder) else { return };
        let before = account.load;
        account.load = change(before);
        let is_left = account.order.is_empty();
        if let Some(ranks) = &mut self.ranks {
            ranks.processes.remove(&(user, before, process));
            if !is_left {
                ranks.processes.insert((user, account.load, process));
            }
        }
        if is_left {
            self.processes.remove(&holder);
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
    fn whoever_fills_the_table_loses_their_own_entries() {
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
                }
                for (&holder, account) in &table.processes {
                    prop_assert_eq!(account.load, load(&|other| other == holder));
                    prop_assert!(!account.order.is_empty());
                }
                if let Some(ranks) = &table.ranks {
                    let ranked = Shared::<u8, ()>::ranked(&table.processes, &table.user_loads);
                    prop_assert_eq!(&ranks.users, &ranked.users);
                    prop_assert_eq!(&ranks.processes, &ranked.processes);
                }
                let entries = table.processes.values().map(|account| account.order.len()).sum::<usize>();
                prop_assert_eq!(entries, table.len());
            }
        }
    }
}
