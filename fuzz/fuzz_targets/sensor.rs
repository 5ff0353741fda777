//! Records as the kernel side might deliver them: any content becomes rows or is counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_sensor::decoder::Decoder;
use procwire_sensor::processes::Guids;
use zerocopy::IntoBytes;

/// Types of records, and one that does not exist.
const TYPES: u8 = 8;
const END_EXISTING: u8 = 64;
const RELEASE: u8 = 128;

// Each record is preceded by its type with what happens before it, and by its length.
fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(Guids { machine_id: 1, boot_time_ns: 0 });
    let mut existing = bytes.len() % 2 == 0;
    decoder.holds_existing = existing;
    if existing {
        decoder.begin_existing();
    }
    let mut rest = bytes;
    while let [what, low, high, body @ ..] = rest {
        if what & END_EXISTING != 0 && existing {
            decoder.end_existing(true);
            existing = false;
        }
        if what & RELEASE != 0 {
            decoder.release(1 << 40, |cookie, _| cookie % 2 == 0);
        }
        let (own, behind) = body.split_at(body.len().min(u16::from_le_bytes([*low, *high]).into()));
        // Aligned and padded, as in the ring buffer.
        let mut record = vec![0_u64; (1 + own.len()).div_ceil(8)];
        let flat = record.as_mut_slice().as_mut_bytes();
        flat[0] = what % TYPES;
        flat[1..=own.len()].copy_from_slice(own);
        decoder.feed(flat);
        rest = behind;
    }
    if existing {
        decoder.end_existing(true);
    }
    decoder.release(u64::MAX, |cookie, _| cookie % 2 == 0);
    decoder.take_wanted();
    decoder.take().expect("columns of one length");
});
