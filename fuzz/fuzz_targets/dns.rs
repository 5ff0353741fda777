//! DNS messages, and segments of connections that carry them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_sensor::dns::{Names, Reassembly, parse_answer};

fuzz_target!(|bytes: &[u8]| {
    let mut names = Names::new(64, 60);
    let mut segments = Reassembly::new(4, 4096);
    if let Some(answer) = parse_answer(bytes) {
        names.insert(1, &answer, 0);
        for found in &answer.addresses {
            names.get(1, &found.address, 1);
        }
    }
    let mut sequence = 0_u32;
    for segment in bytes.chunks(97) {
        segments.push(u64::from(segment[0] % 8), sequence, segment, |message| {
            parse_answer(message);
        });
        sequence = sequence.wrapping_add(segment.len() as u32);
    }
});
