//! A table of bounded size that users share: who fills it makes place with entries of their own.

use std::collections::BTreeSet;
use std::hash::Hash;

use hashbrown::HashMap;

use crate::records::Owner;

/// Who an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The user that the process runs as; see [`Owner::holder`].
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
        Holder::new(owner.holder, owner.tgid, owner.start_boot_ns)
    }
}

/// No slot.
const NONE: u32 = u32::MAX;
/// So few slots are not worth giving back.
const FEW_SLOTS: usize = 1024;

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    holder: Holder,
    weight: u64,
    /// Slots of the entries that its process used before and after it.
    older: u32,
    newer: u32,
}

/// What a process has in the table.
#[derive(Debug)]
struct Account {
    /// Slots of the ends of a list of its entries, in the order of use.
    oldest: u32,
    newest: u32,
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
/// longest. So whoever holds less than a fair share loses nothing, whatever others do; and one alone has all the space.
/// Memory that a burst took is given back after it.
#[derive(Debug)]
pub(crate) struct Shared<K, V> {
    places: HashMap<K, u32>,
    slots: Vec<Option<Entry<K, V>>>,
    /// Slots without an entry.
    free: Vec<u32>,
    processes: HashMap<Holder, Account>,
    user_loads: HashMap<u32, u64>,
    /// Kept from the first eviction until half of the table is free: most tables are never full.
    ranks: Option<Ranks>,
    load: u64,
    capacity: u64,
    evicted: u64,
}

impl<K: Clone + Eq + Hash, V> Shared<K, V> {
    /// Space for entries that together weigh `capacity`.
    pub(crate) fn new(capacity: u64) -> Self {
        Shared {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            processes: HashMap::new(),
            user_loads: HashMap::new(),
            ranks: None,
            load: 0,
            capacity,
            evicted: 0,
        }
    }

    /// Put in a value, as the one used last, instead of what the key had. What weighs more than the whole table is
    /// evicted at once.
    pub(crate) fn insert(&mut self, holder: Holder, key: K, value: V, weight: u64) {
        self.put(holder, key, value, weight);
        while self.evict().is_some() {}
    }

    /// As [`Shared::insert`], but what must make place is left to [`Shared::evict`].
    pub(crate) fn put(&mut self, holder: Holder, key: K, value: V, weight: u64) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // Every entry weighs something, or replaces another: there are fewer than NONE.
            (self.slots.len() - 1) as u32
        });
        if let Some(before) = self.places.insert(key.clone(), place) {
            self.vacate(before);
        }
        self.slots[place as usize] = Some(Entry { key, value, holder, weight, older: NONE, newer: NONE });
        self.link_newest(place);
        self.change_load(holder, |load| load + weight);
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
        let place = self.processes.get(&holder)?.oldest;
        let entry = self.vacate(place)?;
        self.places.remove(&entry.key);
        self.evicted += 1;
        Some((entry.key, entry.value))
    }

    /// The value of a key, which is then the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let place = *self.places.get(key)?;
        if self.entry(place)?.newer != NONE {
            self.unlink(place);
            self.link_newest(place);
        }
        Some(&mut self.entry_mut(place)?.value)
    }

    /// The value of a key, without counting as a use.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        Some(&self.entry(*self.places.get(key)?)?.value)
    }

    /// As [`Shared::peek`], to change the value.
    pub(crate) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = *self.places.get(key)?;
        Some(&mut self.entry_mut(place)?.value)
    }

    /// Take a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.places.remove(key)?;
        let entry = self.vacate(place)?;
        if self.slots.len() > FEW_SLOTS && self.places.len() < self.slots.len() / 8 {
            self.compact();
        }
        Some(entry.value)
    }

    /// The value that a process has not used for longest, with its key.
    pub(crate) fn oldest(&self, holder: Holder) -> Option<(&K, &V)> {
        let entry = self.entry(self.processes.get(&holder)?.oldest)?;
        Some((&entry.key, &entry.value))
    }

    /// Drop the entries whose value is not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        for place in 0..self.slots.len() {
            let drops = self.slots[place].as_ref().is_some_and(|entry| !keep(&entry.value));
            if drops && let Some(entry) = self.vacate(place as u32) {
                self.places.remove(&entry.key);
            }
        }
        if self.slots.len() > FEW_SLOTS && self.places.len() < self.slots.len() / 8 {
            self.compact();
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many were evicted for want of space, so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn entry(&self, place: u32) -> Option<&Entry<K, V>> {
        self.slots.get(place as usize)?.as_ref()
    }

    fn entry_mut(&mut self, place: u32) -> Option<&mut Entry<K, V>> {
        self.slots.get_mut(place as usize)?.as_mut()
    }

    /// Take an entry out of its slot and out of what is counted.
    fn vacate(&mut self, place: u32) -> Option<Entry<K, V>> {
        self.unlink(place);
        let entry = self.slots.get_mut(place as usize)?.take()?;
        self.free.push(place);
        self.change_load(entry.holder, |load| load - entry.weight);
        Some(entry)
    }

    fn link_newest(&mut self, place: u32) {
        let Some(Some(entry)) = self.slots.get_mut(place as usize) else { return };
        let nothing = || Account { oldest: NONE, newest: NONE, load: 0 };
        let account = self.processes.entry(entry.holder).or_insert_with(nothing);
        let before = std::mem::replace(&mut account.newest, place);
        (entry.older, entry.newer) = (before, NONE);
        if before == NONE {
            account.oldest = place;
        } else if let Some(before) = self.entry_mut(before) {
            before.newer = place;
        }
    }

    fn unlink(&mut self, place: u32) {
        let Some(&Entry { holder, older, newer, .. }) = self.entry(place) else { return };
        if let Some(older) = self.entry_mut(older) {
            older.newer = newer;
        }
        if let Some(newer) = self.entry_mut(newer) {
            newer.older = older;
        }
        if (older == NONE || newer == NONE)
            && let Some(account) = self.processes.get_mut(&holder)
        {
            if older == NONE {
                account.oldest = newer;
            }
            if newer == NONE {
                account.newest = older;
            }
        }
    }

    /// Give back the memory of slots without an entry.
    fn compact(&mut self) {
        let length = self.places.len();
        let mut slots = Vec::with_capacity(2 * length);
        for account in self.processes.values_mut() {
            let (mut place, mut older) = (account.oldest, NONE);
            account.oldest = slots.len() as u32;
            while let Some(mut entry) = self.slots.get_mut(place as usize).and_then(Option::take) {
                let moved = slots.len() as u32;
                if let Some(known) = self.places.get_mut(&entry.key) {
                    *known = moved;
                }
                place = entry.newer;
                entry.older = std::mem::replace(&mut older, moved);
                entry.newer = if place == NONE { NONE } else { moved + 1 };
                slots.push(Some(entry));
            }
            account.newest = older;
        }
        self.slots = slots;
        self.free = Vec::new();
        self.places.shrink_to(2 * length);
        self.processes.shrink_to(2 * length);
        self.user_loads.shrink_to(2 * length);
    }

    fn ranked(processes: &HashMap<Holder, Account>, user_loads: &HashMap<u32, u64>) -> Ranks {
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
        let user_load = self.user_loads.entry(user).or_default();
        let before = *user_load;
        let after = change(before);
        *user_load = after;
        if after == 0 {
            self.user_loads.remove(&user);
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.users.remove(&(before, user));
            if after > 0 {
                ranks.users.insert((after, user));
            }
        }
        let Some(account) = self.processes.get_mut(&holder) else { return };
        let before = account.load;
        account.load = change(before);
        let is_empty = account.oldest == NONE;
        if let Some(ranks) = &mut self.ranks {
            ranks.processes.remove(&(user, before, process));
            if !is_empty {
                ranks.processes.insert((user, account.load, process));
            }
        }
        if is_empty {
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

    /// The plainest form that there is: entries in the order of use, and whoever holds most is counted each time.
    #[derive(Default)]
    struct Plain(Vec<(u8, Holder, u64)>);

    impl Plain {
        fn load(&self, matches: impl Fn(Holder) -> bool) -> u64 {
            self.0.iter().filter(|(_, holder, _)| matches(*holder)).map(|(_, _, weight)| weight).sum()
        }

        fn remove(&mut self, key: u8) -> Option<(u8, Holder, u64)> {
            let place = self.0.iter().position(|(other, ..)| *other == key)?;
            Some(self.0.remove(place))
        }

        fn evict(&mut self, capacity: u64) -> Option<u8> {
            if self.load(|_| true) <= capacity {
                return None;
            }
            let holders: BTreeSet<_> = self.0.iter().map(|(_, holder, _)| *holder).collect();
            let user = holders
                .iter()
                .map(|holder| (self.load(|other| other.user == holder.user), holder.user))
                .max()
                .map(|(_, user)| user)?;
            let of_user = holders.iter().filter(|holder| holder.user == user);
            let (_, most) = of_user.map(|holder| (self.load(|other| other == *holder), *holder)).max()?;
            let place = self.0.iter().position(|(_, holder, _)| *holder == most)?;
            Some(self.0.remove(place).0)
        }
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let mut table = Shared::new(100_000);
        for key in 0..100_000_u64 {
            table.insert(holder(1, key % 7), key, [0_u64; 8], 1);
        }
        for key in (100..100_000).rev() {
            assert!(table.remove(&key).is_some());
        }
        assert!(table.slots.capacity() <= 2 * FEW_SLOTS, "{}", table.slots.capacity());
        assert!(table.places.capacity() <= 4 * FEW_SLOTS, "{}", table.places.capacity());
        assert!((0..100).all(|key| table.get(&key).is_some()));
    }

    #[test]
    fn what_is_not_to_be_kept_is_dropped() {
        let mut table = Shared::new(100);
        for key in 0..10 {
            table.insert(holder(1, key % 3), key, key, 1);
        }
        table.retain(|value| value % 2 == 0);
        assert_eq!((table.len(), table.load, table.evicted()), (5, 5, 0));
        assert!((0..10).all(|key| table.get(&key).is_some() == (key % 2 == 0)));
    }

    proptest! {
        #[test]
        fn the_account_is_that_of_the_entries(
            capacity in 1_u64..40,
            steps in prop::collection::vec((0_u8..5, 0_u8..20, 0_u32..3, 0_u64..3, 0_u64..9), 0..200),
        ) {
            let mut table = Shared::new(capacity);
            let mut plain = Plain::default();
            for (step, key, user, process, weight) in steps {
                let before = if step == 2 { None } else { plain.remove(key) };
                match step {
                    0 => {
                        table.put(holder(user, process), key, (), weight);
                        plain.0.push((key, holder(user, process), weight));
                        while let Some((evicted, ())) = table.evict() {
                            prop_assert_eq!(Some(evicted), plain.evict(capacity));
                        }
                        prop_assert_eq!(plain.evict(capacity), None);
                    }
                    1 => prop_assert_eq!(table.remove(&key).is_some(), before.is_some()),
                    2 => table.compact(),
                    _ => {
                        prop_assert_eq!(table.get(&key).is_some(), before.is_some());
                        plain.0.extend(before);
                    }
                }
                prop_assert_eq!(table.len(), plain.0.len());
                let load = |matches: &dyn Fn(Holder) -> bool| plain.load(matches);
                prop_assert_eq!(table.load, load(&|_| true));
                prop_assert!(table.load <= capacity);
                for (&user, &sum) in &table.user_loads {
                    prop_assert_eq!(sum, load(&|holder| holder.user == user));
                }
                for (&holder, account) in &table.processes {
                    prop_assert_eq!(account.load, load(&|other| other == holder));
                    let mut place = account.oldest;
                    let mut in_order = Vec::new();
                    while let Some(entry) = table.entry(place) {
                        in_order.push(entry.key);
                        prop_assert_eq!(entry.newer == NONE, place == account.newest);
                        place = entry.newer;
                    }
                    let expected: Vec<_> =
                        plain.0.iter().filter(|(_, other, _)| *other == holder).map(|(key, ..)| *key).collect();
                    prop_assert_eq!(in_order, expected);
                }
                if let Some(ranks) = &table.ranks {
                    let ranked = Shared::<u8, ()>::ranked(&table.processes, &table.user_loads);
                    prop_assert_eq!(&ranks.users, &ranked.users);
                    prop_assert_eq!(&ranks.processes, &ranked.processes);
                }
                prop_assert!(table.processes.values().all(|account| account.oldest != NONE));
            }
        }
    }
}
