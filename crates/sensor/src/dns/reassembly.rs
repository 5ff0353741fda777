//! DNS messages out of the segments of TCP connections (RFC 1035, section 4.2.2: each with its length before it).

use crate::shared::{Holder, Shared};

/// One direction of connections; a bounded number of bytes of unfinished messages, shared fairly.
pub struct Reassembly {
    connections: Shared<u64, Connection>,
    dropped: u64,
}

struct Connection {
    /// What came and is no whole message yet. `None` after a gap: where the next message begins is not known.
    pending: Option<Vec<u8>>,
    /// The sequence number of the next byte.
    next: u32,
}

/// What a connection takes beside what it has pending.
const CONNECTION_BYTES: usize = 256;

impl Reassembly {
    /// For so many bytes, of which a connection takes 256 and those of its unfinished message.
    pub fn new(max_bytes: u64) -> Self {
        Self { connections: Shared::new(max_bytes), dropped: 0 }
    }

    /// Take a segment of a connection, `sequence` being the number of its first byte, and hand on each message that it
    /// completes. The first segment of a connection must be the first of its stream.
    ///
    /// What came before is left out. After a gap nothing more is read of the connection: a segment that comes late, or
    /// of which only the beginning was captured, costs the connection's names and no more.
    pub fn push(
        &mut self,
        holder: Holder,
        connection: u64,
        sequence: u32,
        segment: &[u8],
        mut on_message: impl FnMut(&[u8]),
    ) {
        if segment.is_empty() {
            return;
        }
        let known = self.connections.remove(&connection);
        let mut state = known.unwrap_or_else(|| Connection { pending: Some(Vec::new()), next: sequence });
        if let Some(pending) = &mut state.pending {
            // Sequence numbers wrap around: what lies less than half of the circle behind has come before.
            let seen = state.next.wrapping_sub(sequence);
            if seen >= 1 << 31 {
                state.pending = None;
                self.dropped += 1;
            } else {
                let news = segment.get(seen as usize..).unwrap_or_default();
                state.next = state.next.wrapping_add(news.len() as u32);
                pending.extend_from_slice(news);
                let mut rest = &pending[..];
                while let Some((message, behind)) = split_message(rest) {
                    on_message(message);
                    rest = behind;
                }
                let done = pending.len() - rest.len();
                pending.drain(..done);
                // Connections stay open for long: they keep no memory that they do not need.
                if pending.is_empty() {
                    *pending = Vec::new();
                }
            }
        }
        let weight = CONNECTION_BYTES + state.pending.as_ref().map_or(0, Vec::len);
        self.connections.insert(holder, connection, state, weight as u64);
    }

    /// How many connections were given up so far, for a gap or because the table was full; also those that had ended.
    pub fn dropped(&self) -> u64 {
        self.dropped + self.connections.evicted()
    }
}

fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ME: Holder = Holder { user: 1000, process: 7 };

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes(), &message[..]].concat()).collect()
    }

    /// Segments, by connection and number; the messages that come out.
    fn messages(reassembly: &mut Reassembly, segments: &[(u64, u32, &[u8])]) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        for (connection, sequence, bytes) in segments {
            reassembly.push(ME, *connection, *sequence, bytes, |message| seen.push(message.to_vec()));
        }
        seen
    }

    #[test]
    fn a_gap_costs_the_connection_and_no_other() {
        let mut reassembly = Reassembly::new(10_000);
        let segments: [(u64, u32, &[u8]); 4] =
            [(1, 10, &[0, 3, b'a']), (1, 14, &[b'c', 0, 1, b'x']), (1, 18, &[0, 1, b'y']), (2, 5, &[0, 1, b'z'])];
        assert_eq!((messages(&mut reassembly, &segments), reassembly.dropped()), (vec![b"z".to_vec()], 1));
    }

    #[test]
    fn sequence_numbers_wrap_around_and_what_came_before_is_left_out() {
        let mut reassembly = Reassembly::new(10_000);
        let start = u32::MAX - 1;
        let segments: [(u64, u32, &[u8]); 4] =
            [(1, start, &[0, 4, b'a']), (1, start, &[0, 4, b'a', b'b']), (1, start, &[0, 4]), (1, 2, b"cd")];
        assert_eq!((messages(&mut reassembly, &segments), reassembly.dropped()), (vec![b"abcd".to_vec()], 0));
    }

    #[test]
    fn connections_and_bytes_are_bounded() {
        let mut reassembly = Reassembly::new(1_100);
        for connection in 0..10 {
            messages(&mut reassembly, &[(connection, 0, &[0xFF, 0xFF, 1])]);
        }
        assert_eq!((reassembly.connections.len(), reassembly.dropped()), (4, 6));
        messages(&mut reassembly, &[(9, 3, &[0; 900])]);
        assert_eq!((reassembly.connections.len(), reassembly.dropped()), (0, 10));
    }

    #[test]
    fn a_user_whose_messages_never_end_takes_nothing_from_others() {
        let mut reassembly = Reassembly::new(10_000);
        let mut seen = Vec::new();
        let root = Holder { user: 0, process: 1 };
        reassembly.push(root, 1, 0, &[0, 2, b'a'], |message| seen.push(message.to_vec()));
        for connection in 2..1_000 {
            messages(&mut reassembly, &[(connection, 0, &[0xFF; 3_000])]);
        }
        reassembly.push(root, 1, 3, b"b", |message| seen.push(message.to_vec()));
        assert_eq!(seen, [b"ab"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn messages_come_out_whole_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
            cuts in proptest::collection::vec(1..200_usize, 1..40),
            start: u32,
            again in 0..50_usize,
        ) {
            let stream = framed(&messages);
            let mut reassembly = Reassembly::new(100_000);
            let mut seen = Vec::new();
            let mut at = 0;
            for length in cuts.into_iter().chain([stream.len()]) {
                // Each segment begins a little before the end of the last one, as one sent again may.
                let from = at - again.min(at);
                let to = (at + length).min(stream.len());
                let sequence = start.wrapping_add(from as u32);
                reassembly.push(ME, 1, sequence, &stream[from..to], |message| seen.push(message.to_vec()));
                at = to;
            }
            prop_assert_eq!(seen, messages);
            prop_assert_eq!(reassembly.dropped(), 0);
        }
    }
}
