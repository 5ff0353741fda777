//! DNS questions and answers, and segments of connections that carry them: any bytes either yield names or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_sensor::dns::{Dns, Message, parse_answer, parse_message};
use procwire_sensor::records;
use zerocopy::FromZeros;

fuzz_target!(|bytes: &[u8]| {
    let message = parse_message(bytes);
    let answer = parse_answer(bytes);
    if answer.is_some() {
        assert!(matches!(message, Some(Message::Answers(_))), "a name without a question");
    }
    let mut dns = Dns::default();
    // As one message in each direction.
    let mut record = records::Dns::new_zeroed();
    for sent in [1, 0] {
        record.sent = sent;
        dns.feed(&record, bytes);
    }
    // The first byte of each piece says which part of a connection it is.
    record.time_boot_ns = 1;
    let mut sequence = 0_u32;
    for piece in bytes.chunks(97) {
        let [what, rest @ ..] = piece else { continue };
        (record.sent, record.over_tcp) = (what & 1, what >> 1 & 1);
        (record.holder, record.cookie) = ((what >> 2 & 1).into(), (what >> 3 & 3).into());
        record.sequence = sequence;
        dns.feed(&record, rest);
        sequence = sequence.wrapping_add(rest.len() as u32);
    }
    for found in answer.iter().flat_map(|answer| &answer.addresses) {
        dns.name(0, 0, &found.address, 1);
    }
});
