//! Which name a process asked for when it was given an address.

use std::sync::Arc;

use super::message::Answer;
use super::units::NS_PER_S;
use crate::shared::{Holder, Shared};

/// Names by process and address; a bounded number of them, shared fairly.
pub struct Names {
    table: Shared<(u64, [u8; 16]), Entry>,
    min_ttl_ns: u64,
}

/// A name, and who gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'n> {
    /// The name, as in [`Answer`].
    pub name: &'n str,
    /// The DNS server's address in 16 bytes, IPv4 as `::ffff:a.b.c.d`.
    pub server: [u8; 16],
}

struct Entry {
    name: Arc<str>,
    server: [u8; 16],
    expires_ns: u64,
}

/// A name longer than this takes the place of several: names are short, and one made to be long must not cost memory.
const NAME_BYTES_PER_ENTRY: usize = 128;

impl Names {
    /// Space for `capacity` pairs of process and address. Each is kept for `min_ttl_s` at least: a connection is often
    /// made a moment after an answer that said 0.
    pub fn new(capacity: u64, min_ttl_s: u32) -> Self {
        Self { table: Shared::new(capacity), min_ttl_ns: u64::from(min_ttl_s) * NS_PER_S }
    }

    /// Remember what a process was answered by a server at `now_ns`, on the clock by which [`Names::get`] is asked.
    pub fn insert(&mut self, holder: Holder, server: [u8; 16], answer: &Answer, now_ns: u64) {
        let name: Arc<str> = answer.name.as_str().into();
        let weight = name.len().div_ceil(NAME_BYTES_PER_ENTRY).max(1) as u64;
        for found in &answer.addresses {
            let kept_ns = (u64::from(found.ttl_s) * NS_PER_S).max(self.min_ttl_ns);
            let entry = Entry { name: name.clone(), server, expires_ns: now_ns.saturating_add(kept_ns) };
            self.table.insert(holder, (holder.process, found.address), entry, weight);
        }
    }

    /// The name by which a process last asked for an address, unless that was too long ago.
    pub fn get(&mut self, process: u64, address: &[u8; 16], now_ns: u64) -> Option<Named<'_>> {
        let Entry { name, server, expires_ns } = self.table.get(&(process, *address))?;
        (*expires_ns > now_ns).then_some(Named { name, server: *server })
    }

    /// Forget names that expired.
    pub(super) fn forget_expired(&mut self, now_ns: u64) {
        self.table.retain(|entry| entry.expires_ns > now_ns);
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// How many were forgotten because the table was full, so far; expired ones among them.
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{answer, v4};
    use super::*;

    const SECOND: u64 = NS_PER_S;
    const SERVER: [u8; 16] = [53; 16];

    fn holder(process: u64) -> Holder {
        Holder { user: 1000, process }
    }

    fn name(names: &mut Names, process: u64, last: u8, now_ns: u64) -> Option<String> {
        names.get(process, &v4(last), now_ns).map(|named| named.name.to_owned())
    }

    #[test]
    fn a_name_is_known_to_the_process_that_asked_until_it_expires() {
        let mut names = Names::new(100, 60);
        names.insert(holder(7), SERVER, &answer("www.example", 300, &[1, 2]), 1_000 * SECOND);
        let named = Named { name: "www.example", server: SERVER };
        assert_eq!(names.get(7, &v4(2), 1_299 * SECOND), Some(named));
        assert_eq!(names.get(7, &v4(2), 1_300 * SECOND), None);
        assert_eq!(names.get(8, &v4(2), 1_000 * SECOND), None);
        assert_eq!(names.get(7, &v4(3), 1_000 * SECOND), None);
    }

    #[test]
    fn a_ttl_of_zero_lasts_for_the_least_time() {
        let mut names = Names::new(100, 60);
        names.insert(holder(7), SERVER, &answer("www.example", 0, &[1]), 0);
        assert_eq!(name(&mut names, 7, 1, 59 * SECOND).as_deref(), Some("www.example"));
        assert_eq!(name(&mut names, 7, 1, 60 * SECOND), None);
    }

    #[test]
    fn names_that_expired_take_no_memory() {
        let mut names = Names::new(100, 60);
        names.insert(holder(7), SERVER, &answer("www.example", 60, &[1]), 0);
        names.insert(holder(7), SERVER, &answer("other.example", 90, &[2]), 0);
        names.forget_expired(60 * SECOND);
        assert_eq!((names.len(), names.evicted()), (1, 0));
        assert_eq!(name(&mut names, 7, 2, 60 * SECOND).as_deref(), Some("other.example"));
    }

    #[test]
    fn the_last_name_of_an_address_stands_with_its_server() {
        let mut names = Names::new(100, 60);
        names.insert(holder(7), SERVER, &answer("one.example", 60, &[1]), 0);
        names.insert(holder(7), [54; 16], &answer("other.example", 60, &[1]), 1);
        assert_eq!(names.get(7, &v4(1), 2), Some(Named { name: "other.example", server: [54; 16] }));
        assert_eq!((names.len(), names.evicted()), (1, 0));
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut names = Names::new(8, 60);
        for last in 0..40 {
            names.insert(holder(1), SERVER, &answer("some.example", 60, &[last]), 0);
            assert_eq!(name(&mut names, 1, 0, 1).as_deref(), Some("some.example"));
        }
        assert_eq!(name(&mut names, 1, 2, 1), None);
        assert_eq!((names.len(), names.evicted()), (8, 32));
    }

    #[test]
    fn a_user_who_asks_for_many_names_takes_none_from_others() {
        let mut names = Names::new(100, 60);
        names.insert(Holder { user: 7, process: 1 }, SERVER, &answer("mine.example", 60, &[1, 2]), 0);
        for process in 2..10_000 {
            names.insert(holder(process), SERVER, &answer("theirs.example", 60, &[1]), 0);
        }
        assert_eq!(name(&mut names, 1, 1, 1).as_deref(), Some("mine.example"));
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn long_names_take_the_room_of_several() {
        let mut names = Names::new(1_000, 60);
        let long = "a".repeat(1_000);
        for process in 0..2_000 {
            names.insert(holder(process), SERVER, &answer(&long, 60, &[1]), 0);
        }
        assert_eq!(names.len(), 125);
    }
}
