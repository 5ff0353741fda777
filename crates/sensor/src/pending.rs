//! UDP flows whose process is not certain when their first datagram passes, and connections that ended while they were
//! being accepted: held until the process that really sends, reads or accepts is seen, for a second at most.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use crate::records::{Claim, Connection, Event, Peer, attribution, kind};

/// How long a flow is held.
pub(crate) const HOLD_NS: u64 = 1_000_000_000;
/// More flows than this are let go before their time: the oldest of the user who has most of them.
const CAPACITY: usize = 16_384;
/// Places that are looked at one by one.
const LAST: usize = 8;
/// How long a flow waits for an error that says nobody is there; on this machine and its network that comes at once.
pub(crate) const REFUSAL_NS: u64 = 100_000_000;

/// Flows in the order they were seen, and those that go on.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    flows: BTreeMap<u64, Event>,
    next: u64,
    /// The places in `flows` of each socket: whoever has none is spared a search.
    sockets: HashMap<u64, VecDeque<u64>>,
    users: HashMap<u32, VecDeque<u64>>,
}

impl Pending {
    /// Hold a flow. Gives back another, if there are too many.
    pub(crate) fn hold(&mut self, flow: Event) -> Option<Event> {
        let place = self.next;
        self.next += 1;
        self.sockets.entry(flow.connection.cookie).or_default().push_back(place);
        self.users.entry(flow.connection.owner.uid).or_default().push_back(place);
        self.flows.insert(place, flow);
        if self.flows.len() <= CAPACITY {
            return None;
        }
        let most = self.users.values().max_by_key(|places| places.len())?;
        let place = *most.front()?;
        self.let_go(place)
    }

    /// Whether anything of a socket is held.
    pub(crate) fn holds(&self, cookie: u64) -> bool {
        self.sockets.contains_key(&cookie)
    }

    /// The flow that a claim is about, now with the process that claims it; of a connection that ended while it was
    /// being accepted its accept first, its end when asked again.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Option<Event> {
        let matches = |Event { connection: flow, .. }: &Event| {
            (flow.kind == claim.kind || (claim.kind == kind::ACCEPT && flow.kind == kind::CLOSE))
                && (claim.has_peer == 0 || same(&flow.far_end(), &claim.peer))
        };
        let places = self.sockets.get(&claim.cookie)?;
        let place = *places.iter().find(|place| self.flows.get(place).is_some_and(matches))?;
        let flow = self.remove(place)?;
        let connection = Connection { owner: claim.owner, attribution: attribution::CALLER, ..flow.connection };
        Some(Event { connection, ..flow })
    }

    /// The next flow that waited long enough, as its socket's owner's.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Event> {
        let (place, first) = self.flows.first_key_value()?;
        if now_boot_ns.saturating_sub(first.connection.time_boot_ns) < HOLD_NS {
            return None;
        }
        let place = *place;
        self.let_go(place)
    }

    fn let_go(&mut self, place: u64) -> Option<Event> {
        let mut flow = self.remove(place)?;
        let tcp = matches!(flow.connection.kind, kind::ACCEPT | kind::CLOSE);
        flow.connection.attribution = if tcp { attribution::LISTENER } else { attribution::OWNER };
        Some(flow)
    }

    fn remove(&mut self, place: u64) -> Option<Event> {
        let flow = self.flows.remove(&place)?;
        forget(&mut self.sockets, &flow.connection.cookie, place);
        forget(&mut self.users, &flow.connection.owner.uid, place);
        Some(flow)
    }
}

fn forget<K: Eq + Hash>(places: &mut HashMap<K, VecDeque<u64>>, key: &K, place: u64) {
    let Some(own) = places.get_mut(key) else { return };
    // In order; mostly it is the first, for it waited longest, or one of the last, which was claimed at once.
    let first = (own.front() == Some(&place)).then_some(0);
    let last = || own.iter().rev().take(LAST).position(|other| *other == place).map(|back| own.len() - 1 - back);
    if let Some(index) = first.or_else(last).or_else(|| own.binary_search(&place).ok()) {
        own.remove(index);
    }
    if own.is_empty() {
        places.remove(key);
    }
}

/// Flows that connected sockets have sent, until it is likely that nobody refused them.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    order: VecDeque<Event>,
}

impl Unanswered {
    /// Hold a flow. Gives back the oldest, if there are too many.
    pub(crate) fn hold(&mut self, flow: Event) -> Option<Event> {
        self.order.push_back(flow);
        if self.order.len() > CAPACITY { self.order.pop_front() } else { None }
    }

    /// Take a flow back that was refused.
    pub(crate) fn refuse(&mut self, attempt: &Connection) {
        let of = |Event { connection: flow, .. }: &Event| {
            flow.cookie == attempt.cookie && same(&flow.far_end(), &attempt.far_end())
        };
        if let Some(index) = self.order.iter().rposition(of) {
            self.order.remove(index);
        }
    }

    /// The next flow that waited long enough.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Event> {
        let first = self.order.front()?;
        if now_boot_ns.saturating_sub(first.connection.time_boot_ns) < REFUSAL_NS {
            return None;
        }
        self.order.pop_front()
    }
}

fn same(a: &Peer, b: &Peer) -> bool {
    a.address == b.address && a.port == b.port
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Owner;
    use zerocopy::FromZeros;

    fn flow(cookie: u64, port: u16, time_boot_ns: u64) -> Event {
        let mut connection = Connection::new_zeroed();
        connection.kind = kind::RECEIVED;
        connection.attribution = attribution::PENDING;
        connection.cookie = cookie;
        connection.peer_port = port;
        connection.time_boot_ns = time_boot_ns;
        Event { connection, counts: None, nat: None }
    }

    fn claim(cookie: u64, port: Option<u16>, tgid: u32) -> Claim {
        let mut claim = Claim::new_zeroed();
        claim.kind = kind::RECEIVED;
        claim.cookie = cookie;
        claim.has_peer = u8::from(port.is_some());
        claim.peer.port = port.unwrap_or_default();
        claim.owner = Owner { tgid, ..Owner::default() };
        claim
    }

    /// Two workers read from one socket: each flow is the one's who read it.
    #[test]
    fn a_claim_takes_the_flow_of_its_peer() {
        let mut pending = Pending::default();
        assert!(pending.hold(flow(7, 1000, 1)).is_none());
        assert!(pending.hold(flow(7, 2000, 2)).is_none());
        let taken = pending.claim(&claim(7, Some(2000), 42)).unwrap().connection;
        assert_eq!((taken.peer_port, taken.owner.tgid, taken.attribution), (2000, 42, attribution::CALLER));
        let taken = pending.claim(&claim(7, None, 43)).unwrap().connection;
        assert_eq!((taken.peer_port, taken.owner.tgid), (1000, 43));
        assert!(pending.claim(&claim(7, None, 44)).is_none());
    }

    #[test]
    fn what_nobody_claims_is_let_go_in_time_as_its_owners() {
        let mut pending = Pending::default();
        pending.hold(flow(7, 1000, 5));
        assert!(pending.due(HOLD_NS).is_none());
        assert_eq!(pending.due(HOLD_NS + 5).unwrap().connection.attribution, attribution::OWNER);
        assert!(pending.due(u64::MAX).is_none());
        assert!(pending.sockets.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut pending = Pending::default();
        let let_go = (0..20_000).filter_map(|cookie| pending.hold(flow(cookie, 1, 0))).count();
        assert_eq!(let_go + pending.flows.len(), 20_000);
        assert_eq!(pending.flows.len(), CAPACITY);
        assert_eq!(pending.sockets.len(), CAPACITY);
        while pending.due(u64::MAX).is_some() {}
        assert!(pending.sockets.is_empty() && pending.users.is_empty());
    }

    /// Whoever makes many flows that nobody reads takes no other user's process away.
    #[test]
    fn one_user_pushes_out_their_own() {
        let mut pending = Pending::default();
        assert!(pending.hold(flow(7, 1000, 0)).is_none());
        for cookie in 100..50_000 {
            let mut other = flow(cookie, 1, 0);
            other.connection.owner.uid = 1001;
            if let Some(pushed_out) = pending.hold(other) {
                assert_eq!(pushed_out.connection.owner.uid, 1001);
            }
        }
        assert_eq!(pending.claim(&claim(7, Some(1000), 42)).unwrap().connection.owner.tgid, 42);
    }

    #[test]
    fn what_was_refused_is_no_flow() {
        let mut unanswered = Unanswered::default();
        unanswered.hold(flow(7, 1000, 5));
        unanswered.hold(flow(7, 2000, 5));
        unanswered.refuse(&flow(7, 1000, 6).connection);
        unanswered.refuse(&flow(8, 2000, 6).connection);
        assert!(unanswered.due(REFUSAL_NS).is_none());
        assert_eq!(unanswered.due(REFUSAL_NS + 5).unwrap().connection.peer_port, 2000);
        assert!(unanswered.due(u64::MAX).is_none());
    }
}
