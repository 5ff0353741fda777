//! Checks what every read of any bytes must return: valid Arrow, and a ledger that counts each record once.

use arrow_array::Array;
use procwire_core::columns::Batch;
use procwire_core::event::Events;
use procwire_core::format::{BROKEN_RECORD, FormatName, OVERLONG_RECORD};
use procwire_core::scan::{FileLedger, decode};
use procwire_core::stream::{Options, Stream};

/// Read `bytes` at once.
pub fn read(bytes: &[u8], format: Option<FormatName>, recover: bool) -> FileLedger {
    let (batches, account) =
        decode("fuzz", bytes, Options { format, recover, events: Events::ALL, ..Options::default() });
    check(&batches, &account);
    account
}

/// Feed `bytes` in pieces of these lengths, repeatedly (a length of 0 is a piece without bytes).
pub fn read_in_pieces(bytes: &[u8], lengths: &[u8]) -> FileLedger {
    let mut stream = Stream::new("fuzz", Options { events: Events::ALL, ..Options::default() });
    let mut account = FileLedger { bytes: bytes.len() as u64, ..FileLedger::default() };
    let mut batches = Vec::new();
    let mut rest = bytes;
    let mut lengths = lengths.iter().map(|length| usize::from(*length) * 16).cycle();
    // After enough pieces of these lengths, the last one takes the rest.
    for turn in (0..64).rev() {
        let length = lengths.next().unwrap_or_default().min(rest.len());
        let (piece, after) = if turn == 0 { (rest, &rest[..0]) } else { rest.split_at(length) };
        rest = after;
        let mut jobs = Vec::new();
        stream.feed(piece.to_vec(), turn == 0, &mut jobs);
        account.ledger.merge(stream.take_ledger());
        for job in jobs {
            let (decoded, ledger, _) = job.run();
            account.ledger.merge(ledger);
            batches.extend(decoded);
        }
    }
    account.format = stream.format();
    check(&batches, &account);
    account
}

fn check(batches: &[Batch], account: &FileLedger) {
    let mut rows = 0;
    for (_, batch) in batches {
        rows += batch.num_rows() as u64;
        for column in batch.columns() {
            column.to_data().validate_full().expect("valid Arrow");
        }
    }
    let ledger = &account.ledger;
    let damaged = ledger.damage.count(BROKEN_RECORD) + ledger.damage.count(OVERLONG_RECORD);
    assert_eq!(ledger.rows(), rows);
    assert_eq!(ledger.records, ledger.rows() + ledger.other_events + ledger.other_providers + damaged);
    assert!(ledger.recovered <= ledger.rows());
    assert_eq!(ledger.damage.count("lost batch"), 0);
}
