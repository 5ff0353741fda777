#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_fuzz::{read, read_in_pieces};

// An input in any pieces has the same format and the same rows as at once. The first bytes are the lengths of the
// pieces, which repeat.
fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, log)) = bytes.split_at_checked(4) else { return };
    let whole = read(log, None, false);
    let pieces = read_in_pieces(log, lengths);
    assert_eq!(pieces.format, whole.format);
    assert_eq!(pieces.ledger.records, whole.ledger.records);
    assert_eq!(pieces.ledger.events, whole.ledger.events);
    assert_eq!(pieces.ledger.other_events, whole.ledger.other_events);
    assert_eq!(pieces.ledger.damage.total(), whole.ledger.damage.total());
    assert_eq!(pieces.ledger.warnings.total(), whole.ledger.warnings.total());
});
