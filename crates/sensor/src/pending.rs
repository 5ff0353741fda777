//! UDP flows whose process is not certain when their first datagram passes: held until the process that really sends
//! or reads it is seen, for a second at most.

use std::collections::{HashMap, VecDeque};

use crate::records::{Claim, Connection, Peer, attribution};

/// How long a flow is held.
pub(crate) const HOLD_NS: u64 = 1_000_000_000;
/// More flows than this are let go before their time.
const CAPACITY: usize = 16_384;

/// Flows in the order they were seen, and those that go on.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    order: VecDeque<Connection>,
    /// How many of `order` are of each socket; spares a search for sockets that have none.
    sockets: HashMap<u64, usize>,
}

impl Pending {
    /// Hold a flow. Gives back the oldest, if there are too many.
    pub(crate) fn hold(&mut self, flow: Connection) -> Option<Connection> {
        *self.sockets.entry(flow.cookie).or_default() += 1;
        self.order.push_back(flow);
        if self.order.len() > CAPACITY { self.pop() } else { None }
    }

    /// The flow that a claim is about, now with the process that claims it.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Option<Connection> {
        self.sockets.get(&claim.cookie)?;
        let matches = |flow: &Connection| {
            flow.cookie == claim.cookie
                && flow.kind == claim.kind
                && (claim.has_peer == 0 || same(&flow.peer, &claim.peer))
        };
        let index = self.order.iter().position(matches)?;
        let flow = self.order.remove(index)?;
        self.forget(flow.cookie);
        Some(Connection { owner: claim.owner, attribution: attribution::CALLER, ..flow })
    }

    /// The next flow that waited long enough, as its socket's owner's.
    pub(crate) fn due(&mut self, now_boot_ns: u64) -> Option<Connection> {
        let first = self.order.front()?;
        if now_boot_ns.saturating_sub(first.time_boot_ns) < HOLD_NS {
            return None;
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Connection> {
        let flow = self.order.pop_front()?;
        self.forget(flow.cookie);
        Some(Connection { attribution: attribution::OWNER, ..flow })
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
