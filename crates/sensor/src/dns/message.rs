//! One message: what it asks, what it answers.
//!
//! The wire format (RFC 1035, section 4) is read here and not by a crate: an answer's names and addresses are all that is
//! wanted, also of a message of which only the beginning was captured. Nothing panics, whatever the bytes.

/// Which question of a socket it is; an answer has that of its question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The message's id.
    pub id: u16,
    /// Name, type and class, as on the wire; letters in lower case, for resolvers write some in upper case, at random,
    /// and servers may give them back otherwise (RFC 4343).
    bytes: Box<[u8]>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A standard query.
    Asks(Question),
    /// A response to one, whatever it says.
    Answers(Question),
}

/// What a DNS response says of the queried name.
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
const FLAG_RESPONSE: u16 = 0x8000;
const FLAGS_OPERATION: u16 = 0x7800;
/// Response, operation code, response code.
const FLAGS_ASKED: u16 = 0xF80F;
/// A response to a standard query, without error.
const FLAGS_ANSWER: u16 = 0x8000;

/// What a message is; `None` unless it is a standard query with one question, or a response to one.
pub fn parse_message(message: &[u8]) -> Option<Message> {
    let flags = u16_at(message, 2)?;
    if flags & FLAGS_OPERATION != 0 || u16_at(message, 4)? != 1 {
        return None;
    }
    let end = question_name_end(message)?;
    let mut bytes: Box<[u8]> = message.get(HEADER_BYTES..end + 4)?.into();
    // Lengths are less than any letter.
    bytes[..end - HEADER_BYTES].make_ascii_lowercase();
    let question = Question { id: u16_at(message, 0)?, bytes };
    Some(if flags & FLAG_RESPONSE == 0 { Message::Asks(question) } else { Message::Answers(question) })
}

/// Where the name in the question ends. The first name of a message has nothing to point back to.
fn question_name_end(message: &[u8]) -> Option<usize> {
    let mut end = HEADER_BYTES;
    loop {
        let length = *message.get(end)?;
        end += 1 + usize::from(length);
        match length {
            0 => return Some(end),
            1..=63 if end - HEADER_BYTES < NAME_BYTES => {}
            _ => return None,
        }
    }
}

/// The addresses that a response gives to the name in its question.
///
/// `None` for anything but an answer without error to one question of class IN, and where it has no address. Aliases
/// are followed from the question's name, in whatever order they stand; an address of any other name is not taken,
/// for anybody could add it. A message that breaks off yields what came before.
pub fn parse_answer(message: &[u8]) -> Option<Answer> {
    let mut reader = Reader { message, at: HEADER_BYTES };
    if u16_at(message, 2)? & FLAGS_ASKED != FLAGS_ANSWER || u16_at(message, 4)? != 1 {
        return None;
    }
    question_name_end(message)?;
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

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

    pub(in super::super) fn v4(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, last]
    }

    pub(in super::super) fn answer(name: &str, ttl_s: u32, lasts: &[u8]) -> Answer {
        let addresses = lasts.iter().map(|&last| Address { address: v4(last), ttl_s }).collect();
        Answer { name: name.to_owned(), addresses }
    }

    /// A question by its id, name and type, as an answer has it, too.
    pub(in super::super) fn asked(id: u16, name: &str, kind: u16) -> Question {
        let bytes = [wire(name), kind.to_be_bytes().to_vec(), vec![0, 1]].concat();
        Question { id, bytes: bytes.into() }
    }

    /// A query as a resolver writes it: with EDNS.
    fn query(question: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1];
        bytes.extend(question);
        bytes.extend([0, 1, 0, 1]);
        bytes.extend([0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_query_and_its_response_have_one_question_in_any_case() {
        let asks = parse_message(&query(&wire("wWw.eXample")));
        assert_eq!(asks, Some(Message::Asks(asked(0x1234, "www.example", TYPE_A))));
        let answers = parse_message(&response(&wire("www.EXAMPLE"), &[]));
        assert_eq!(answers, Some(Message::Answers(asked(0x1234, "www.example", TYPE_A))));
        // Letters of a type are none: 65 is HTTPS, 97 is another.
        assert_ne!(asked(1, "a", 65), asked(1, "a", 97));
        let mut https = query(&wire("www.example"));
        https[HEADER_BYTES + wire("www.example").len() + 1] = 65;
        assert_eq!(parse_message(&https), Some(Message::Asks(asked(0x1234, "www.example", 65))));
    }

    #[test]
    fn a_response_with_an_error_is_an_answer() {
        let mut refused = response(&wire("www.example"), &[]);
        refused[3] = 0x83;
        assert_eq!(parse_message(&refused), Some(Message::Answers(asked(0x1234, "www.example", TYPE_A))));
        assert_eq!(parse_answer(&refused), None);
    }

    #[test]
    fn what_has_no_single_plain_question_is_no_message() {
        let good = query(&wire("www.example"));
        let whole = HEADER_BYTES + wire("www.example").len() + 4;
        assert!(parse_message(&good[..whole]).is_some());
        for end in 0..whole {
            assert_eq!(parse_message(&good[..end]), None, "{end} bytes");
        }
        for (at, byte, what) in
            [(2, 0x29, "another operation"), (5, 0, "no question"), (5, 2, "two questions"), (12, 0xC0, "a pointer")]
        {
            let mut message = good.clone();
            message[at] = byte;
            assert_eq!(parse_message(&message), None, "{what}");
        }
        let label = "a".repeat(61);
        let longest = format!("{label}.{label}.{label}.{label}");
        assert!(parse_message(&query(&wire(&(longest.clone() + ".abcde")))).is_some());
        assert_eq!(parse_message(&query(&wire(&(longest + ".abcdef")))), None);
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
    fn every_cut_and_every_changed_byte_of_a_message_is_borne() {
        let records =
            [cname("www.example", 30, "cdn.example"), a("cdn.example", 60, 1), record(&[0xC0, 12], TYPE_A, 1, &[1; 4])];
        let message = response(&wire("www.example"), &records);
        for end in 0..message.len() {
            let _ = (parse_answer(&message[..end]), parse_message(&message[..end]));
        }
        for at in 0..message.len() {
            for byte in 0..=255 {
                let mut changed = message.clone();
                changed[at] = byte;
                let _ = (parse_answer(&changed), parse_message(&changed));
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
            let message = parse_message(&bytes);
            if let Some(found) = parse_answer(&bytes) {
                // What names something has a question to be held to.
                prop_assert!(matches!(message, Some(Message::Answers(_))));
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
    }
}
