//! Records as the kernel side might hand them over: whatever they hold, they become rows or are counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_sensor::decoder::Decoder;
use procwire_sensor::processes::Guids;
use procwire_sensor::records::{Ancestor, Claim, Connection, Counts, Dns, Image, Nat, Process, limit};

/// The greatest length of each record type, from 1 on, with the texts behind it.
const LENGTHS: [usize; 6] = [
    size_of::<Process>()
        + limit::ANCESTORS * size_of::<Ancestor>()
        + limit::PATH_BYTES
        + limit::CGROUP_BYTES
        + limit::COMMAND_BYTES,
    size_of::<Connection>() + size_of::<Counts>(),
    size_of::<Claim>(),
    size_of::<Dns>() + limit::DNS_BYTES,
    size_of::<Nat>(),
    size_of::<Image>() + limit::IMAGE_PATH_BYTES,
];

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(Guids { machine_id: 1, boot_time_ns: 0 });
    let mut rest = bytes;
    while let [kind, body @ ..] = rest {
        let kind = kind % LENGTHS.len() as u8;
        // Aligned as the ring buffer's are; short ones are filled up.
        let mut record = vec![0_u64; LENGTHS[usize::from(kind)] / 8];
        let length = body.len().min(LENGTHS[usize::from(kind)] - 1);
        let mut flat: Vec<u8> = vec![kind + 1];
        flat.extend_from_slice(&body[..length]);
        for (word, chunk) in record.iter_mut().zip(flat.chunks(8)) {
            let mut whole = [0; 8];
            whole[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(whole);
        }
        let record: Vec<u8> = record.iter().flat_map(|word| word.to_le_bytes()).collect();
        decoder.feed(&record);
        rest = &body[length..];
    }
    decoder.release(u64::MAX, |cookie, _| cookie % 2 == 0);
    decoder.take().expect("columns of one length");
});
