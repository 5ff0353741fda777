//! UDP flows whose process is not certain when their first datagram passes, and connections that ended while they were
//! being accepted: held until the process that really sends, reads or accepts is seen, for a second at most.

use std::collections::{HashMap, VecDeque};

use crate::records::{Claim, Connection, Event, Peer, attribution, kind};

/// How long a flow is held.
pub(crate) const HOLD_NS: u64 = 1_000_000_000;
/// More flows than this are let go before their time.
const CAPACITY: usize = 16_384;

/// Flows in the order they were seen, and those that go on.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    order: VecDeque<Event>,
    /// How many of `order` are of each socket; spares a search for sockets that have none.
    sockets: HashMap<u64, usize>,
}

impl Pending {
    /// Hold a flow. Gives back the oldest, if there are too many.
    pub(crate) fn hold(&mut self, flow: Event) -> Option<Event> {
        *self.sockets.entry(flow.connection.cookie).or_default() += 1;
        self.order.push_back(flow);
        if self.order.len() > CAPACITY { self.pop() } else { None }
    }

    /// Whether anything of a socket is held.
    pub(crate) fn holds(&self, cookie: u64) -> bool {
        self.sockets.contains_key(&cookie)
    }

    /// The flow that a claim is about, now with the process that claims it; of a connection that ended while it was
    /// being accepted its accept first, its end when asked again.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Option<Event> {
        self.sockets.get(&claim.cookie)?;
        let matches = |Event { connection: flow, .. }: &Event| {
            flow.cookie == claim.cookie
                && (flow.kind == claim.kind || (claim.kind == kind::ACCEPT && flow.kind == kind::CLOSE))
                && (claim.has_peer == 0 || same(&flow.far_end(), &claim.peer))
        };
        let index = self.order.iter().position(matches)?;
        let flow = self.order.remove(index)?;
        self.forget(flow.connection.cookie);
        let connection = Connection { owner: claim.owner, attribution: attribution::CALLER, ..flow.connection };
        Some(Event { connection, ..flow })
    }

    /// The next flow that waited long enough, as its socket's owner's.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Event> {
        let first = self.order.front()?;
        if now_boot_ns.saturating_sub(first.connection.time_boot_ns) < HOLD_NS {
            return None;
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Event> {
        let mut flow = self.order.pop_front()?;
        self.forget(flow.connection.cookie);
        let tcp = matches!(flow.connection.kind, kind::ACCEPT | kind::CLOSE);
        flow.connection.attribution = if tcp { attribution::LISTENER } else { attribution::OWNER };
        Some(flow)
    }

    fn forget(&mut self, cookie: u64) {
        if let Some(count) = self.sockets.get_mut(&cookie) {
            *count -= 1;
            if *count == 0 {
                self.sockets.remove(&cookie);
            }
        }
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
        assert_eq!(let_go + pending.order.len(), 20_000);
        assert_eq!(pending.order.len(), CAPACITY);
        assert_eq!(pending.sockets.len(), CAPACITY);
    }
}
