#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_core::format::FormatName;
use procwire_fuzz::read;

// Carving finds everything that a plain read does, and possibly more.
fuzz_target!(|bytes: &[u8]| {
    let plain = read(bytes, Some(FormatName::Evtx), false);
    let carved = read(bytes, Some(FormatName::Evtx), true);
    assert_eq!(carved.ledger.damage.total(), plain.ledger.damage.total());
    assert_eq!(carved.ledger.rows() - carved.ledger.recovered, plain.ledger.rows());
});
