//! Names from DNS answers seen on the wire: which name a process asked for when it was given an address.
//!
//! Anybody can send a datagram that looks like an answer. So one names something only if it is to a question that was
//! seen before. [`message`] reads one message, [`Reassembly`] cuts messages out of TCP connections, [`Questions`] are
//! those that wait for an answer, [`Names`] what processes were answered; [`Dns`] is all of these together. None does
//! I/O, and none panics on any input.

mod message;
mod names;
mod questions;
mod reassembly;
mod units;

pub use message::{Address, Answer, Message, Question, parse_answer, parse_message};
pub use names::{Named, Names};
pub use questions::{Questions, Server};
pub use reassembly::Reassembly;

use crate::records;
pub use crate::shared::Holder;

/// Names by process and address.
const NAMES: u64 = 65_536;
const MIN_TTL_S: u32 = 300;
/// Questions that are open at a time. Resolvers wait for 5 seconds, and ask again a few times.
const QUESTIONS: u64 = 16_384;
const QUESTION_LIFETIME_S: u32 = 30;
/// Unfinished messages of connections to DNS servers, either way.
const SEGMENT_BYTES: u64 = 2 << 20;

/// What processes ask DNS servers, and are answered.
pub struct Dns {
    questions: Questions,
    names: Names,
    sent: Reassembly,
    received: Reassembly,
    unasked: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Dns {
            questions: Questions::new(QUESTIONS, QUESTION_LIFETIME_S),
            names: Names::new(NAMES, MIN_TTL_S),
            sent: Reassembly::new(SEGMENT_BYTES),
            received: Reassembly::new(SEGMENT_BYTES),
            unasked: 0,
        }
    }
}

impl Dns {
    /// Take a message, or a segment, as it was sent or received.
    pub fn feed(&mut self, record: &records::Dns, payload: &[u8]) {
        let Dns { questions, names, sent, received, unasked } = self;
        let holder = Holder::new(record.holder, record.tgid, record.start_boot_ns);
        let records::Dns { cookie, peer, time_boot_ns, .. } = *record;
        let server = (peer, record.peer_port);
        let is_sent = record.sent != 0;
        let mut learn = |message: &[u8]| match parse_message(message) {
            Some(Message::Asks(question)) if is_sent => questions.ask(holder, cookie, server, question, time_boot_ns),
            Some(Message::Answers(question)) if !is_sent => {
                if let Some(asker) = questions.answer(cookie, server, question, time_boot_ns) {
                    if let Some(answer) = parse_answer(message) {
                        names.insert(asker, peer, &answer, time_boot_ns);
                    }
                } else {
                    *unasked += 1;
                }
            }
            // Servers ask and are answered over port 53, too.
            _ => {}
        };
        match (record.over_tcp != 0, is_sent) {
            (false, _) => learn(payload),
            (true, true) => sent.push(holder, cookie, record.sequence, payload, learn),
            (true, false) => received.push(holder, cookie, record.sequence, payload, learn),
        }
    }

    /// The name by which a process last asked for an address, unless that was too long ago.
    pub fn name(&mut self, tgid: u32, start_boot_ns: u64, address: &[u8; 16], now_ns: u64) -> Option<Named<'_>> {
        self.names.get(Holder::new(0, tgid, start_boot_ns).process, address, now_ns)
    }

    /// Forget what expired: a burst leaves no memory behind.
    pub(crate) fn forget_expired(&mut self, now_ns: u64) {
        self.questions.forget_expired(now_ns);
        self.names.forget_expired(now_ns);
    }

    /// What names nothing, by cause.
    pub fn warnings(&self) -> [(&'static str, u64); 4] {
        [
            ("DNS answers to no question", self.unasked),
            ("DNS questions forgotten: table full", self.questions.evicted()),
            ("DNS connections given up: table full, or a part not seen", self.sent.dropped() + self.received.dropped()),
            ("names from DNS forgotten: table full", self.names.evicted()),
        ]
    }
}
