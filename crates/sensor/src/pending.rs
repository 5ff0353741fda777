//! UDP flows whose process is not certain when their first datagram passes, and connections that ended while they were
//! being accepted: held until the process that really sends, reads or accepts is seen, for a second at most.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::records::{Claim, Connection, Event, Peer, attribution, kind};
use crate::shared::{Holder, Shared};

/// How long a flow is held.
pub(crate) const HOLD_NS: u64 = 1_000_000_000;
/// More flows than this are let go before their time, fairly: those of the user who has most of them.
const CAPACITY: u64 = 16_384;
/// How long a flow waits for an error that says nobody is there; on this machine and its network that comes at once.
pub(crate) const REFUSAL_NS: u64 = 100_000_000;

/// No place.
const NONE: u64 = u64::MAX;

/// An event that waits, between those of its socket that came before and after it.
#[derive(Debug)]
struct Held {
    event: Event,
    before: u64,
    after: u64,
}

/// Events that wait, in the order they came; those of a socket are found by it.
#[derive(Debug)]
struct Waiting {
    events: Shared<u64, Held>,
    /// Places in `events`; some of them are free by now.
    order: VecDeque<u64>,
    /// The first and the last place of each socket.
    sockets: HashMap<u64, (u64, u64)>,
    next: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        let (order, sockets) = (VecDeque::new(), HashMap::new());
        Waiting { events: Shared::new(CAPACITY), order, sockets, next: 0 }
    }
}

impl Waiting {
    /// Hold an event. Returns another that is let go, if there are too many.
    fn hold(&mut self, event: Event) -> Option<Event> {
        let place = self.next;
        self.next += 1;
        let before = match self.sockets.entry(event.connection.cookie) {
            Entry::Occupied(mut ends) => std::mem::replace(&mut ends.get_mut().1, place),
            Entry::Vacant(ends) => {
                ends.insert((place, place));
                NONE
            }
        };
        if let Some(held) = self.events.peek_mut(&before) {
            held.after = place;
        }
        self.order.push_back(place);
        if self.order.len() as u64 > 2 * CAPACITY {
            let events = &self.events;
            self.order.retain(|place| *place == self.next - 1 || events.peek(place).is_some());
        }
        let holder = Holder::from(&event.connection.owner);
        self.events.put(holder, place, Held { event, before, after: NONE }, 1);
        let (_, pushed_out) = self.events.evict()?;
        Some(self.forget(pushed_out))
    }

    /// Whether anything of a socket is held.
    fn holds(&self, cookie: u64) -> bool {
        self.sockets.contains_key(&cookie)
    }

    /// Take out the first event of a socket that matches.
    fn take(&mut self, cookie: u64, matches: impl Fn(&Connection) -> bool) -> Option<Event> {
        let &(mut place, _) = self.sockets.get(&cookie)?;
        loop {
            let held = self.events.peek(&place)?;
            if matches(&held.event.connection) {
                return self.remove(place);
            }
            place = held.after;
        }
    }

    /// The next event that waited for so long.
    fn due(&mut self, now_boot_ns: u64, hold_ns: u64) -> Option<Event> {
        let place = loop {
            let place = *self.order.front()?;
            match self.events.peek(&place) {
                None => self.order.pop_front(),
                Some(held) if now_boot_ns.saturating_sub(held.event.connection.time_boot_ns) < hold_ns => return None,
                Some(_) => break place,
            };
        };
        self.remove(place)
    }

    fn remove(&mut self, place: u64) -> Option<Event> {
        let held = self.events.remove(&place)?;
        Some(self.forget(held))
    }

    /// Join what stands before and after an event that is held no longer.
    fn forget(&mut self, Held { event, before, after }: Held) -> Event {
        if let Some(held) = self.events.peek_mut(&before) {
            held.after = after;
        }
        if let Some(held) = self.events.peek_mut(&after) {
            held.before = before;
        }
        if before == NONE && after == NONE {
            self.sockets.remove(&event.connection.cookie);
        } else if let Some((first, last)) = self.sockets.get_mut(&event.connection.cookie) {
            if before == NONE {
                *first = after;
            }
            if after == NONE {
                *last = before;
            }
        }
        event
    }

    /// Give back the memory that a burst took.
    fn shrink(&mut self) {
        self.order.shrink_to(2 * self.order.len());
        self.sockets.shrink_to(2 * self.sockets.len());
    }
}

/// Flows whose process is to be seen yet, and connections that ended while they were being accepted.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    flows: Waiting,
}

impl Pending {
    /// Hold a flow. Gives back another as its socket's owner's, if there are too many.
    pub(crate) fn hold(&mut self, flow: Event) -> Option<Event> {
        self.flows.hold(flow).map(let_go)
    }

    /// Whether anything of a socket is held.
    pub(crate) fn holds(&self, cookie: u64) -> bool {
        self.flows.holds(cookie)
    }

    /// The flow that a claim is about, now with the process that claims it; of a connection that ended while it was
    /// being accepted its accept first, its end when asked again.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Option<Event> {
        let flow = self.flows.take(claim.cookie, |flow| {
            (flow.kind == claim.kind || (claim.kind == kind::ACCEPT && flow.kind == kind::CLOSE))
                && (claim.has_peer == 0 || same(&flow.far_end(), &claim.peer))
        })?;
        let connection = Connection { owner: claim.owner, attribution: attribution::CALLER, ..flow.connection };
        Some(Event { connection, ..flow })
    }

    /// Give back the memory that a burst took.
    pub(crate) fn shrink(&mut self) {
        self.flows.shrink();
    }

    /// The next flow that waited long enough, as its socket's owner's.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Event> {
        self.flows.due(now_boot_ns, HOLD_NS).map(let_go)
    }
}

fn let_go(mut flow: Event) -> Event {
    let tcp = matches!(flow.connection.kind, kind::ACCEPT | kind::CLOSE);
    flow.connection.attribution = if tcp { attribution::LISTENER } else { attribution::OWNER };
    flow
}

/// Flows that connected sockets have sent, until it is likely that nobody refused them.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    flows: Waiting,
}

impl Unanswered {
    /// Hold a flow. Gives back another, if there are too many.
    pub(crate) fn hold(&mut self, flow: Event) -> Option<Event> {
        self.flows.hold(flow)
    }

    /// Take a flow back that was refused.
    pub(crate) fn refuse(&mut self, attempt: &Connection) {
        self.flows.take(attempt.cookie, |flow| same(&flow.far_end(), &attempt.far_end()));
    }

    /// Give back the memory that a burst took.
    pub(crate) fn shrink(&mut self) {
        self.flows.shrink();
    }

    /// The next flow that waited long enough.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Event> {
        self.flows.due(now_boot_ns, REFUSAL_NS)
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
        assert!(pending.flows.sockets.is_empty());
    }

    /// Whichever of a socket's flows are claimed, the others remain, in their order.
    #[test]
    fn flows_of_a_socket_are_claimed_in_any_order() {
        let mut pending = Pending::default();
        for port in 1..=5 {
            pending.hold(flow(7, port, 0));
        }
        for port in [3, 1, 5] {
            assert_eq!(pending.claim(&claim(7, Some(port), 42)).unwrap().connection.peer_port, port);
        }
        pending.hold(flow(7, 6, 0));
        let left: Vec<_> = std::iter::from_fn(|| pending.claim(&claim(7, None, 42))).collect();
        assert_eq!(left.iter().map(|flow| flow.connection.peer_port).collect::<Vec<_>>(), [2, 4, 6]);
        assert!(!pending.holds(7) && pending.flows.sockets.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut pending = Pending::default();
        let let_go = (0..20_000).filter_map(|cookie| pending.hold(flow(cookie, 1, 0))).count();
        assert_eq!(let_go + pending.flows.events.len(), 20_000);
        assert_eq!(pending.flows.events.len() as u64, CAPACITY);
        assert_eq!(pending.flows.sockets.len() as u64, CAPACITY);
        while pending.due(u64::MAX).is_some() {}
        assert!(pending.flows.sockets.is_empty() && pending.flows.events.is_empty() && pending.flows.order.is_empty());
    }

    /// What is claimed at once leaves nothing behind, though one that nobody claims stands before it.
    #[test]
    fn the_order_is_bounded_too() {
        let mut pending = Pending::default();
        pending.hold(flow(7, 1000, 5));
        for cookie in 100..100_000 {
            pending.hold(flow(cookie, 1, 5));
            assert!(pending.claim(&claim(cookie, None, 42)).is_some());
            assert!(pending.flows.order.len() as u64 <= 2 * CAPACITY);
        }
        assert_eq!(pending.due(u64::MAX).unwrap().connection.cookie, 7);
    }

    /// Whoever makes many flows that nobody reads takes no other user's process away.
    #[test]
    fn one_user_pushes_out_their_own() {
        let mut pending = Pending::default();
        assert!(pending.hold(flow(7, 1000, 0)).is_none());
        for cookie in 100..50_000 {
            let mut other = flow(cookie, 1, 0);
            other.connection.owner.holder = 1001;
            if let Some(pushed_out) = pending.hold(other) {
                assert_eq!(pushed_out.connection.owner.holder, 1001);
            }
        }
        assert_eq!(pending.claim(&claim(7, Some(1000), 42)).unwrap().connection.owner.tgid, 42);
    }

    /// A refusal takes its flow back, whoever sends to where nobody is meanwhile.
    #[test]
    fn one_user_pushes_out_no_flow_that_another_waits_for() {
        let mut unanswered = Unanswered::default();
        assert!(unanswered.hold(flow(7, 1000, 0)).is_none());
        for cookie in 100..50_000 {
            let mut other = flow(cookie, 1, 0);
            other.connection.owner.holder = 1001;
            if let Some(pushed_out) = unanswered.hold(other) {
                assert_eq!(pushed_out.connection.owner.holder, 1001);
            }
        }
        unanswered.refuse(&flow(7, 1000, 6).connection);
        while let Some(flow) = unanswered.due(u64::MAX) {
            assert_eq!(flow.connection.owner.holder, 1001);
        }
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
