//! Names from DNS answers seen on the wire: which name a process asked for when it was given an address.
//!
//! Three parts, each without I/O and none of which panics on any input: [`parse_answer`] reads one message,
//! [`Reassembly`] cuts messages out of TCP connections, [`Names`] remembers what processes were told. The wire format
//! (RFC 1035, section 4) is read here and not by a crate: an answer's names and addresses are all that is wanted, also
//! of a message of which only the beginning was captured.

use std::collections::HashMap;
use std::sync::Arc;

/// What a DNS response tells of the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name in the question: lower case (RFC 4343), without the last dot, `.` for the root. Bytes that are not
    /// printable ASCII stand as `\ddd`, a dot or backslash within a label as `\.` and `\\` (RFC 1035, section 5.1).
    pub name: String,
    /// The name's addresses, in the message's order; at least one.
    pub addresses: Vec<Address>,
}

/// One address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address in 16 bytes, IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Seconds for which it may be kept: its own, or less if an alias on the way to it has less.
    pub ttl_s: u32,
}

const HEADER_BYTES: usize = 12;
const NAME_BYTES: usize = 255;
/// More than any resolver sends; so that a message made to cost time costs little.
const MAX_RECORDS: usize = 512;
const MAX_ALIASES: usize = 16;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// Response, operation code, response code.
const FLAGS_ASKED: u16 = 0xF80F;
/// A response to a standard query, without error.
const FLAGS_ANSWER: u16 = 0x8000;

/// The addresses that a response gives to the name in its question.
///
/// `None` for anything but an answer without error to one question of class IN, and where it has no address. Aliases
/// are followed from the question's name, in whatever order they stand; an address of any other name is not taken,
/// for anybody could add it. A message that breaks off tells what came before.
pub fn parse_answer(message: &[u8]) -> Option<Answer> {
    let mut reader = Reader { message, at: HEADER_BYTES };
    if u16_at(message, 2)? & FLAGS_ASKED != FLAGS_ANSWER || u16_at(message, 4)? != 1 {
        return None;
    }
    let records = usize::from(u16_at(message, 6)?).min(MAX_RECORDS);
    let name = reader.name()?;
    let (_kind, class) = (reader.u16()?, reader.u16()?);
    if class != CLASS_IN {
        return None;
    }
    let mut found = Found::default();
    for _ in 0..records {
        if reader.record(&mut found).is_none() {
            break;
        }
    }
    let addresses = found.addresses_of(&name);
    (!addresses.is_empty()).then_some(Answer { name, addresses })
}

/// The records of an answer section that matter, each with its owner.
#[derive(Default)]
struct Found {
    aliases: Vec<(String, String, u32)>,
    addresses: Vec<(String, Address)>,
}

impl Found {
    fn addresses_of(&self, name: &str) -> Vec<Address> {
        let mut names = vec![(name, u32::MAX)];
        // In the usual order one round takes the whole chain; a circle ends, for no name is added twice.
        for _ in 0..MAX_ALIASES {
            let before = names.len();
            for (owner, target, ttl_s) in &self.aliases {
                let known = names.iter().find(|(name, _)| name == owner).map(|&(_, kept_s)| kept_s);
                if let Some(kept_s) = known
                    && names.len() <= MAX_ALIASES
                    && !names.iter().any(|(name, _)| name == target)
                {
                    names.push((target, kept_s.min(*ttl_s)));
                }
            }
            if names.len() == before {
                break;
            }
        }
        let kept = |owner: &str| names.iter().find(|(name, _)| *name == owner).map(|&(_, kept_s)| kept_s);
        self.addresses
            .iter()
            .filter_map(|(owner, found)| Some(Address { ttl_s: found.ttl_s.min(kept(owner)?), ..*found }))
            .collect()
    }
}

/// Reads a message from front to back; each step is `None` where the message ends or makes no sense.
struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl Reader<'_> {
    fn u16(&mut self) -> Option<u16> {
        let value = u16_at(self.message, self.at)?;
        self.at += 2;
        Some(value)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    fn name(&mut self) -> Option<String> {
        let (name, end) = name_at(self.message, self.at)?;
        self.at = end;
        Some(name)
    }

    fn record(&mut self, found: &mut Found) -> Option<()> {
        let owner = self.name()?;
        let (kind, class, ttl_s, length) = (self.u16()?, self.u16()?, self.u32()?, self.u16()?);
        // RFC 2181, section 8: with the highest bit set it is to be taken for zero.
        let ttl_s = if ttl_s >> 31 == 0 { ttl_s } else { 0 };
        let start = self.at;
        self.at += usize::from(length);
        let data = self.message.get(start..self.at)?;
        if class != CLASS_IN {
            return Some(());
        }
        match (kind, data.len()) {
            (TYPE_A, 4) => {
                let mut address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0];
                address[12..].copy_from_slice(data);
                found.addresses.push((owner, Address { address, ttl_s }));
            }
            (TYPE_AAAA, 16) => {
                let mut address = [0; 16];
                address.copy_from_slice(data);
                found.addresses.push((owner, Address { address, ttl_s }));
            }
            (TYPE_CNAME, _) => {
                let (target, end) = name_at(self.message, start)?;
                // A target that runs over its record is none.
                if end == self.at {
                    found.aliases.push((owner, target, ttl_s));
                }
            }
            _ => {}
        }
        Some(())
    }
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    let bytes = message.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The name at a place, as text, and the place behind it.
fn name_at(message: &[u8], start: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = start;
    let mut end = None;
    let mut bytes = 0;
    // Pointers lead back only (RFC 1035: "a prior occurance"), each further than the one before: so they end.
    let mut before = start;
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => break,
            0 => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                bytes += label.len() + 1;
                if bytes >= NAME_BYTES {
                    return None;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                push_label(&mut text, label);
                at += label.len() + 1;
            }
            3 => {
                let target = usize::from(u16_at(message, at)? & 0x3FFF);
                end.get_or_insert(at + 2);
                if target >= before {
                    return None;
                }
                before = target;
                at = target;
            }
            _ => return None,
        }
    }
    if text.is_empty() {
        text.push('.');
    }
    Some((text, end.unwrap_or(at + 1)))
}

fn push_label(text: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' => text.extend(['\\', char::from(byte)]),
            0x21..=0x7E => text.push(char::from(byte.to_ascii_lowercase())),
            _ => {
                let digit = |value: u8| char::from(b'0' + value);
                text.extend(['\\', digit(byte / 100), digit(byte / 10 % 10), digit(byte % 10)]);
            }
        }
    }
}

/// Which name a process asked for when it was given an address; a bounded number of them.
///
/// Two generations: what is told or used goes into the young one; when that is full, the old one is forgotten and the
/// young one becomes old. So what was not used longest goes first, at no cost per use.
pub struct Names {
    young: Generation,
    old: Generation,
    generation_entries: usize,
    min_ttl_ns: u64,
    evicted: u64,
}

#[derive(Default)]
struct Generation {
    entries: HashMap<(u64, [u8; 16]), Entry>,
    name_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    expires_ns: u64,
}

const NS_PER_S: u64 = 1_000_000_000;
/// Room for names per entry, on the average: names are short, and one made to be long must not cost memory.
const NAME_BYTES_PER_ENTRY: usize = 128;

impl Names {
    /// Room for `capacity` pairs of process and address. Each is kept for `min_ttl_s` at least: a connection is often
    /// made a moment after an answer that said 0.
    pub fn new(capacity: usize, min_ttl_s: u32) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            generation_entries: (capacity / 2).max(1),
            min_ttl_ns: u64::from(min_ttl_s) * NS_PER_S,
            evicted: 0,
        }
    }

    /// Remember what a process was told at `now_ns`, on the clock by which [`Names::get`] is asked. `process` is what tells
    /// processes apart: best a number that is not given again, as a process id is.
    pub fn insert(&mut self, process: u64, answer: &Answer, now_ns: u64) {
        let name: Arc<str> = answer.name.as_str().into();
        for found in &answer.addresses {
            let kept_ns = (u64::from(found.ttl_s) * NS_PER_S).max(self.min_ttl_ns);
            let entry = Entry { name: name.clone(), expires_ns: now_ns.saturating_add(kept_ns) };
            self.remember((process, found.address), entry);
        }
    }

    /// The name by which a process last asked for an address, unless that was too long ago.
    pub fn get(&mut self, process: u64, address: &[u8; 16], now_ns: u64) -> Option<&str> {
        let key = (process, *address);
        if !self.young.entries.contains_key(&key) {
            let entry = self.old.take(&key)?;
            if entry.expires_ns > now_ns {
                self.remember(key, entry);
            }
        }
        let entry = self.young.entries.get(&key)?;
        (entry.expires_ns > now_ns).then_some(&*entry.name)
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were forgotten for want of room, so far; expired ones among them.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn remember(&mut self, key: (u64, [u8; 16]), entry: Entry) {
        self.old.take(&key);
        self.young.take(&key);
        let full = self.young.entries.len() >= self.generation_entries
            || self.young.name_bytes >= self.generation_entries * NAME_BYTES_PER_ENTRY;
        if full {
            self.evicted += self.old.entries.len() as u64;
            self.old = std::mem::take(&mut self.young);
        }
        self.young.name_bytes += entry.name.len();
        self.young.entries.insert(key, entry);
    }
}

impl Generation {
    fn take(&mut self, key: &(u64, [u8; 16])) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.name_bytes -= entry.name.len();
        Some(entry)
    }
}

/// DNS messages out of the segments of TCP connections (RFC 1035, section 4.2.2: each with its length before it).
pub struct Reassembly {
    connections: HashMap<u64, Connection>,
    max_connections: usize,
    max_bytes: usize,
    bytes: usize,
    uses: u64,
    dropped: u64,
}

struct Connection {
    /// What came and is no whole message yet. `None` after a gap: where the next message begins is not known.
    pending: Option<Vec<u8>>,
    /// The sequence number of the next byte.
    next: u32,
    last_use: u64,
}

impl Reassembly {
    /// For so many connections at a time, and so many bytes of unfinished messages in all.
    pub fn new(max_connections: usize, max_bytes: usize) -> Self {
        Self {
            connections: HashMap::new(),
            max_connections: max_connections.max(1),
            max_bytes,
            bytes: 0,
            uses: 0,
            dropped: 0,
        }
    }

    /// Take a segment of a connection, `sequence` being the number of its first byte, and hand on each message that it
    /// completes. The first segment of a connection must be the first of its stream.
    ///
    /// What came before is left out. After a gap nothing more is read of the connection: a segment that comes late, or
    /// of which only the beginning was captured, costs the connection's names and no more.
    pub fn push(&mut self, connection: u64, sequence: u32, segment: &[u8], mut on_message: impl FnMut(&[u8])) {
        if segment.is_empty() {
            return;
        }
        self.uses += 1;
        if !self.connections.contains_key(&connection) && self.connections.len() >= self.max_connections {
            self.evict_oldest();
        }
        let state = self.connections.entry(connection).or_insert_with(|| Connection {
            pending: Some(Vec::new()),
            next: sequence,
            last_use: 0,
        });
        state.last_use = self.uses;
        let Some(pending) = &mut state.pending else { return };
        // Sequence numbers wrap around: what lies less than half of the circle behind has come before.
        let seen = state.next.wrapping_sub(sequence);
        let news = if seen < 1 << 31 { segment.get(seen as usize..).unwrap_or_default() } else { &[] };
        let is_gap = seen >= 1 << 31;
        self.bytes -= pending.len();
        if is_gap || self.bytes + pending.len() + news.len() > self.max_bytes {
            state.pending = None;
            self.dropped += 1;
            return;
        }
        state.next = state.next.wrapping_add(news.len() as u32);
        pending.extend_from_slice(news);
        let mut rest = &pending[..];
        while let Some((message, behind)) = split_message(rest) {
            on_message(message);
            rest = behind;
        }
        let done = pending.len() - rest.len();
        pending.drain(..done);
        self.bytes += pending.len();
    }

    /// Forget a connection that has ended.
    pub fn close(&mut self, connection: u64) {
        if let Some(state) = self.connections.remove(&connection) {
            self.bytes -= state.pending.map_or(0, |pending| pending.len());
        }
    }

    /// How many connections were given up, for a gap or for want of room, so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn evict_oldest(&mut self) {
        let oldest = self.connections.iter().min_by_key(|(_, state)| state.last_use).map(|(&connection, _)| connection);
        if let Some(connection) = oldest {
            self.close(connection);
            self.dropped += 1;
        }
    }
}

fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = NS_PER_S;

    /// A name in wire form, without compression.
    fn wire(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes
    }

    fn record(owner: &[u8], kind: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = owner.to_vec();
        bytes.extend(kind.to_be_bytes());
        bytes.extend(CLASS_IN.to_be_bytes());
        bytes.extend(ttl_s.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
        bytes
    }

    /// A response: question, then the records of the answer section.
    fn response(question: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
        bytes.extend(question);
        bytes.extend([0, 1, 0, 1]);
        bytes.extend(records.iter().flatten());
        bytes
    }

    fn a(owner: &str, ttl_s: u32, last: u8) -> Vec<u8> {
        record(&wire(owner), TYPE_A, ttl_s, &[192, 0, 2, last])
    }

    fn cname(owner: &str, ttl_s: u32, target: &str) -> Vec<u8> {
        record(&wire(owner), TYPE_CNAME, ttl_s, &wire(target))
    }

    fn v4(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, last]
    }

    fn answer(name: &str, ttl_s: u32, lasts: &[u8]) -> Answer {
        let addresses = lasts.iter().map(|&last| Address { address: v4(last), ttl_s }).collect();
        Answer { name: name.to_owned(), addresses }
    }

    #[test]
    fn addresses_of_both_families_are_taken_with_their_ttl() {
        // The question's name is pointed at, as every server writes it.
        let pointer = [0xC0, 12];
        let v6 = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let records = [record(&pointer, TYPE_A, 300, &[192, 0, 2, 7]), record(&pointer, TYPE_AAAA, 20, &v6)];
        let found = parse_answer(&response(&wire("www.Example.COM"), &records)).unwrap();
        assert_eq!(found.name, "www.example.com");
        let expected = [Address { address: v4(7), ttl_s: 300 }, Address { address: v6, ttl_s: 20 }];
        assert_eq!(found.addresses, expected);
    }

    #[test]
    fn aliases_are_followed_in_any_order_and_in_any_case() {
        let records = [
            a("edge.cdn.example", 500, 1),
            cname("CDN.example", 30, "edge.cdn.example"),
            cname("www.example", 200, "cdn.EXAMPLE"),
        ];
        let found = parse_answer(&response(&wire("wWw.eXample"), &records)).unwrap();
        // No longer than the shortest on the way.
        assert_eq!(found, answer("www.example", 30, &[1]));
    }

    #[test]
    fn addresses_of_other_names_are_not_taken() {
        let records = [a("www.example", 60, 1), a("bank.example", 60, 2), cname("other.example", 60, "bank.example")];
        assert_eq!(parse_answer(&response(&wire("www.example"), &records)), Some(answer("www.example", 60, &[1])));
        assert_eq!(parse_answer(&response(&wire("none.example"), &records)), None);
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let records = [cname("a.example", 1, "b.example"), cname("b.example", 1, "a.example"), a("b.example", 9, 1)];
        assert_eq!(parse_answer(&response(&wire("a.example"), &records)), Some(answer("a.example", 1, &[1])));
    }

    #[test]
    fn only_answers_without_error_to_one_question_of_the_internet_are_taken() {
        let good = response(&wire("www.example"), &[a("www.example", 60, 1)]);
        assert!(parse_answer(&good).is_some());
        let class_at = HEADER_BYTES + wire("www.example").len() + 3;
        let changes: [(usize, u8, &str); 6] = [
            (2, 0x01, "a query"),
            (2, 0xA9, "another operation"),
            (3, 0x83, "NXDOMAIN"),
            (5, 0, "no question"),
            (5, 2, "two questions"),
            (class_at, 3, "class CHAOS"),
        ];
        for (at, byte, what) in changes {
            let mut message = good.clone();
            message[at] = byte;
            assert_eq!(parse_answer(&message), None, "{what}");
        }
    }

    #[test]
    fn odd_bytes_in_labels_are_escaped() {
        let question = [4, b'a', b'.', b'\\', b'B', 3, 0x1B, b' ', 0xFF, 0];
        let message = response(&question, &[record(&[0xC0, 12], TYPE_A, 60, &[192, 0, 2, 1])]);
        assert_eq!(parse_answer(&message).unwrap().name, r"a\.\\b.\027\032\255");
        // So a label with a dot in it is not the name that it looks like.
        let spoofed = [11, b'w', b'w', b'w', b'.', b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0];
        let records = [record(&spoofed, TYPE_A, 60, &[192, 0, 2, 1])];
        assert_eq!(parse_answer(&response(&wire("www.example"), &records)), None);
    }

    #[test]
    fn the_root_is_a_dot() {
        let found = parse_answer(&response(&[0], &[record(&[0], TYPE_A, 60, &[192, 0, 2, 1])])).unwrap();
        assert_eq!(found.name, ".");
    }

    #[test]
    fn a_message_that_breaks_off_tells_what_came_before() {
        let message = response(&wire("www.example"), &[a("www.example", 60, 1), a("www.example", 60, 2)]);
        let cut = &message[..message.len() - 1];
        assert_eq!(parse_answer(cut), Some(answer("www.example", 60, &[1])));
    }

    #[test]
    fn a_ttl_with_the_highest_bit_is_zero() {
        let message = response(&wire("www.example"), &[a("www.example", 0x8000_0001, 1)]);
        assert_eq!(parse_answer(&message), Some(answer("www.example", 0, &[1])));
    }

    #[test]
    fn records_of_a_wrong_length_are_passed_over() {
        let short = record(&wire("www.example"), TYPE_A, 60, &[192, 0, 2]);
        let long = record(&wire("www.example"), TYPE_AAAA, 60, &[0; 17]);
        let message = response(&wire("www.example"), &[short, long, a("www.example", 60, 3)]);
        assert_eq!(parse_answer(&message), Some(answer("www.example", 60, &[3])));
    }

    #[test]
    fn pointers_lead_back_only() {
        for question in [[0xC0, 12], [0xC0, 14], [0xC0, 200], [0x40, 1], [0x80, 1]] {
            let message = response(&question, &[record(&question, TYPE_A, 60, &[192, 0, 2, 1])]);
            assert_eq!(parse_answer(&message), None, "{question:?}");
        }
    }

    #[test]
    fn names_longer_than_255_bytes_are_none() {
        let label = "a".repeat(61);
        let longest = format!("{label}.{label}.{label}.{label}");
        for (name, is_name) in [(longest.clone() + ".abcde", true), (longest + ".abcdef", false)] {
            let message = response(&wire(&name), &[a(&name, 60, 1)]);
            assert_eq!(parse_answer(&message).is_some(), is_name, "{} bytes", wire(&name).len());
        }
    }

    #[test]
    fn a_name_is_known_to_the_process_that_asked_until_it_expires() {
        let mut names = Names::new(100, 60);
        names.insert(7, &answer("www.example", 300, &[1, 2]), 1_000 * SECOND);
        assert_eq!(names.get(7, &v4(2), 1_299 * SECOND), Some("www.example"));
        assert_eq!(names.get(7, &v4(2), 1_300 * SECOND), None);
        assert_eq!(names.get(8, &v4(2), 1_000 * SECOND), None);
        assert_eq!(names.get(7, &v4(3), 1_000 * SECOND), None);
    }

    #[test]
    fn a_ttl_of_zero_lasts_for_the_least_time() {
        let mut names = Names::new(100, 60);
        names.insert(7, &answer("www.example", 0, &[1]), 0);
        assert_eq!(names.get(7, &v4(1), 59 * SECOND), Some("www.example"));
        assert_eq!(names.get(7, &v4(1), 60 * SECOND), None);
    }

    #[test]
    fn the_last_name_of_an_address_stands() {
        let mut names = Names::new(100, 60);
        names.insert(7, &answer("one.example", 60, &[1]), 0);
        names.insert(7, &answer("other.example", 60, &[1]), 1);
        assert_eq!(names.get(7, &v4(1), 2), Some("other.example"));
        assert_eq!((names.len(), names.evicted()), (1, 0));
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut names = Names::new(8, 60);
        names.insert(1, &answer("used.example", 60, &[1]), 0);
        for other in 2..40 {
            names.insert(other, &answer("other.example", 60, &[1]), 0);
            assert_eq!(names.get(1, &v4(1), 1), Some("used.example"));
            assert!(names.len() <= 8);
        }
        assert_eq!(names.get(2, &v4(1), 1), None);
        assert_eq!(names.evicted() + names.len() as u64, 39);
    }

    #[test]
    fn long_names_take_the_room_of_several() {
        let mut names = Names::new(1_000, 60);
        let long = "a".repeat(1_000);
        for process in 0..1_000 {
            names.insert(process, &answer(&long, 60, &[1]), 0);
        }
        assert!(names.len() <= 2 * (500 * NAME_BYTES_PER_ENTRY).div_ceil(1_000), "{}", names.len());
    }

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes(), &message[..]].concat()).collect()
    }

    #[test]
    fn a_gap_costs_the_connection_and_no_other() {
        let mut reassembly = Reassembly::new(8, 1_000);
        let mut seen = Vec::new();
        reassembly.push(1, 10, &[0, 3, b'a'], |message| seen.push(message.to_vec()));
        reassembly.push(1, 14, &[b'c', 0, 1, b'x'], |message| seen.push(message.to_vec()));
        reassembly.push(1, 18, &[0, 1, b'y'], |message| seen.push(message.to_vec()));
        reassembly.push(2, 5, &[0, 1, b'z'], |message| seen.push(message.to_vec()));
        assert_eq!((seen, reassembly.dropped()), (vec![b"z".to_vec()], 1));
        // A cookie is a socket's for ever, but should it come again it begins anew.
        reassembly.close(1);
        let mut again = Vec::new();
        reassembly.push(1, 100, &[0, 1, b'n'], |message| again.push(message.to_vec()));
        assert_eq!(again, [b"n".to_vec()]);
    }

    #[test]
    fn sequence_numbers_wrap_around_and_what_came_before_is_left_out() {
        let mut reassembly = Reassembly::new(8, 1_000);
        let mut seen = Vec::new();
        let start = u32::MAX - 1;
        reassembly.push(1, start, &[0, 4, b'a'], |message| seen.push(message.to_vec()));
        reassembly.push(1, start, &[0, 4, b'a', b'b'], |message| seen.push(message.to_vec()));
        reassembly.push(1, start, &[0, 4], |message| seen.push(message.to_vec()));
        reassembly.push(1, 2, b"cd", |message| seen.push(message.to_vec()));
        assert_eq!((seen, reassembly.dropped()), (vec![b"abcd".to_vec()], 0));
    }

    #[test]
    fn connections_and_bytes_are_bounded() {
        let mut reassembly = Reassembly::new(4, 100);
        for connection in 0..10 {
            reassembly.push(connection, 0, &[0xFF, 0xFF, 1], |_| panic!("no whole message"));
        }
        assert_eq!((reassembly.connections.len(), reassembly.dropped(), reassembly.bytes), (4, 6, 12));
        reassembly.push(9, 3, &[0; 90], |_| panic!("no whole message"));
        assert_eq!((reassembly.dropped(), reassembly.bytes), (7, 9));
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_a_message_is_borne() {
        let records =
            [cname("www.example", 30, "cdn.example"), a("cdn.example", 60, 1), record(&[0xC0, 12], TYPE_A, 1, &[1; 4])];
        let message = response(&wire("www.example"), &records);
        for end in 0..message.len() {
            let _ = parse_answer(&message[..end]);
        }
        for at in 0..message.len() {
            for byte in 0..=255 {
                let mut changed = message.clone();
                changed[at] = byte;
                let _ = parse_answer(&changed);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_bytes_come_are_borne(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
            is_response: bool,
        ) {
            if is_response && bytes.len() >= HEADER_BYTES {
                bytes[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 200]);
            }
            if let Some(found) = parse_answer(&bytes) {
                prop_assert!(!found.addresses.is_empty());
                prop_assert!(found.name.bytes().all(|byte| (0x21..0x7F).contains(&byte) && !byte.is_ascii_uppercase()));
            }
        }

        #[test]
        fn answers_come_back_as_they_were_written(
            labels in proptest::collection::vec("[a-z0-9_-]{1,20}", 1..6),
            lasts in proptest::collection::vec(any::<u8>(), 1..30),
            ttl_s in 0..0x8000_0000_u32,
        ) {
            let name = labels.join(".");
            let records: Vec<_> = lasts.iter().map(|&last| a(&name, ttl_s, last)).collect();
            let found = parse_answer(&response(&wire(&name.to_uppercase()), &records));
            prop_assert_eq!(found, Some(answer(&name, ttl_s, &lasts)));
        }

        #[test]
        fn messages_come_out_whole_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
            cuts in proptest::collection::vec(1..200_usize, 1..40),
            start: u32,
            again in 0..50_usize,
        ) {
            let stream = framed(&messages);
            let mut reassembly = Reassembly::new(4, 100_000);
            let mut seen = Vec::new();
            let mut at = 0;
            for length in cuts.into_iter().chain([stream.len()]) {
                // Each segment begins a little before the end of the last one, as one sent again may.
                let from = at - again.min(at);
                let to = (at + length).min(stream.len());
                let sequence = start.wrapping_add(from as u32);
                reassembly.push(1, sequence, &stream[from..to], |message| seen.push(message.to_vec()));
                at = to;
            }
            prop_assert_eq!(seen, messages);
            prop_assert_eq!((reassembly.bytes, reassembly.dropped()), (0, 0));
        }

        #[test]
        fn reassembly_keeps_its_account_whatever_comes(
            segments in proptest::collection::vec(
                (0..6_u64, 0..64_u32, proptest::collection::vec(any::<u8>(), 0..80), any::<bool>()), 0..60,
            ),
        ) {
            let mut reassembly = Reassembly::new(3, 200);
            for (connection, sequence, bytes, ends) in segments {
                reassembly.push(connection, sequence, &bytes, |_| ());
                if ends {
                    reassembly.close(connection);
                }
                let pending = |state: &Connection| state.pending.as_ref().map_or(0, Vec::len);
                prop_assert_eq!(reassembly.bytes, reassembly.connections.values().map(pending).sum::<usize>());
                prop_assert!(reassembly.bytes <= 200 && reassembly.connections.len() <= 3);
            }
        }
    }
}
