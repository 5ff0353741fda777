//! EVTX: the fast path against the general one, and damage of every kind.

use arrow_array::RecordBatch;
use procwire_core::columns::Tables;
use procwire_core::event::{Event, Events};
use procwire_core::evtx::{CHUNK_BYTES, Evtx, HEADER_BYTES};
use procwire_core::format::{Block, Cut, Format, Pending};
use procwire_core::ledger::Ledger;
use procwire_core::scan::decode;
use procwire_core::stream::Options;
use proptest::prelude::*;

const SAMPLE: &[u8] = include_bytes!("../../../examples/sysmon.evtx");
/// A chunk of the sample with 74 events 3 among 86 records.
const DENSE_CHUNK: usize = 8;

fn chunk(index: usize) -> &'static [u8] {
    &SAMPLE[HEADER_BYTES + index * CHUNK_BYTES..][..CHUNK_BYTES]
}

/// Read `bytes`, all at once, with a reader of the test's choice.
fn read(format: Evtx, bytes: &[u8]) -> (RecordBatch, Ledger) {
    read_event(Event::Connection, format, bytes)
}

fn read_event(event: Event, mut format: Evtx, bytes: &[u8]) -> (RecordBatch, Ledger) {
    let (mut tables, mut ledger) = (Tables::new(Events::ALL, &"test".into(), false), Ledger::default());
    let mut at = 0;
    while at < bytes.len() {
        let pending = Pending { bytes: &bytes[at..], offset: at as u64, line: 1, at_end: true };
        match format.cut(pending, &mut ledger) {
            Cut::More => break,
            Cut::Drop(len) => at += len,
            Cut::Take(len) => {
                let block = Block { bytes: &bytes[at..at + len], offset: at as u64, line: 1 };
                format.decoder().decode(block, &mut tables, &mut ledger);
                at += len;
            }
        }
    }
    ledger.sort();
    let batches = tables.finish().map(|batch| batch.expect("columns of one length"));
    let asked = batches.into_iter().find(|(found, _)| *found == event);
    (asked.map_or_else(|| RecordBatch::new_empty(event.schema()), |(_, batch)| batch), ledger)
}

fn assert_accounted(ledger: &Ledger) {
    let broken = ledger.damage.count("broken record");
    assert_eq!(ledger.records, ledger.rows() + ledger.other_events + ledger.other_providers + broken);
}

#[test]
fn the_general_way_reads_the_sample_as_the_fast_one_does() {
    for (event, rows) in [(Event::Connection, 153), (Event::ProcessCreation, 356), (Event::DnsQuery, 0)] {
        let (fast, fast_ledger) = read_event(event, Evtx::new(false), SAMPLE);
        let (general, general_ledger) = read_event(event, Evtx::general(), SAMPLE);
        assert_eq!(fast.num_rows(), rows);
        assert_eq!(fast, general);
        assert_eq!(fast_ledger, general_ledger);
        assert_eq!(fast_ledger.events[event as usize], rows as u64);
    }
}

#[test]
fn a_chunk_alone_is_read_and_its_missing_file_header_said() {
    let (rows, ledger) = read(Evtx::new(false), chunk(DENSE_CHUNK));
    assert_eq!((rows.num_rows(), ledger.records), (74, 86));
    assert_eq!(ledger.damage.count("bad file header"), 1);
}

#[test]
fn bytes_lost_between_chunks_cost_only_what_they_held() {
    let lost = 1_000;
    let mut bytes = SAMPLE[..HEADER_BYTES].to_vec();
    bytes.extend_from_slice(&chunk(DENSE_CHUNK)[lost..]);
    bytes.extend_from_slice(chunk(DENSE_CHUNK));
    let (rows, ledger) = read(Evtx::new(false), &bytes);
    assert_eq!(rows.num_rows(), 74);
    assert_eq!(ledger.damage.count("bad chunk"), 1);
}

#[test]
fn a_broken_record_costs_only_itself() {
    let mut bytes = [&SAMPLE[..HEADER_BYTES], chunk(DENSE_CHUNK)].concat();
    let (whole, _) = read(Evtx::new(false), &bytes);
    // The third record's magic.
    let mut at = HEADER_BYTES + 512;
    for _ in 0..2 {
        at += u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
    }
    bytes[at] = 0;
    let (rows, ledger) = read(Evtx::new(false), &bytes);
    assert!(rows.num_rows() >= whole.num_rows() - 1);
    assert_eq!(ledger.records, 86);
    assert_eq!(ledger.damage.count("broken record"), 1);
    assert_eq!(ledger.damage.count("bad checksum"), 1);
    assert_accounted(&ledger);
}

#[test]
fn truncation_anywhere_loses_only_what_was_cut() {
    let bytes = [&SAMPLE[..HEADER_BYTES], chunk(DENSE_CHUNK)].concat();
    let (whole, _) = read(Evtx::new(false), &bytes);
    for len in (0..bytes.len()).step_by(97) {
        let (rows, ledger) = read(Evtx::new(false), &bytes[..len]);
        assert_eq!(rows, whole.slice(0, rows.num_rows()), "cut at {len}");
        assert_accounted(&ledger);
        assert!(len == 0 || len == HEADER_BYTES || ledger.damage.total() > 0, "cut at {len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_ways_agree_on_damaged_chunks(
        index in 6usize..10,
        hits in proptest::collection::vec((512usize..CHUNK_BYTES, any::<u8>()), 1..40),
    ) {
        let mut bytes = [&SAMPLE[..HEADER_BYTES], chunk(index)].concat();
        for (at, byte) in hits {
            bytes[HEADER_BYTES + at] = byte;
        }
        let (fast, fast_ledger) = read(Evtx::new(false), &bytes);
        let (general, general_ledger) = read(Evtx::general(), &bytes);
        assert_accounted(&fast_ledger);
        assert_accounted(&general_ledger);
        // The general path reads more of a record, and so finds damage in parts that the fast one does not need; on
        // what both read they agree.
        let fast_rows = rows_by_offset(&fast);
        for (offset, row) in rows_by_offset(&general) {
            if let Some((_, other)) = fast_rows.iter().find(|(candidate, _)| *candidate == offset) {
                prop_assert_eq!(&row, other);
            }
        }
        prop_assert!(fast.num_rows() >= general.num_rows());
    }

    #[test]
    fn any_bytes_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..8192), recover: bool) {
        let format = Some(procwire_core::format::FormatName::Evtx);
        let options = Options { format, recover, events: Events::ALL, ..Options::default() };
        let (_, account) = decode("any", &bytes, options);
        assert_accounted(&account.ledger);
    }
}

fn rows_by_offset(batch: &RecordBatch) -> Vec<(i64, RecordBatch)> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    let offsets = batch["source_offset"].as_primitive::<Int64Type>();
    (0..batch.num_rows()).map(|row| (offsets.value(row), batch.slice(row, 1))).collect()
}

#[test]
fn events_that_take_turns_keep_the_order_of_each() {
    let (all, _) = decode("all", SAMPLE, Options { events: Events::ALL, ..Options::default() });
    for event in Event::ALL {
        let own = |batches: Vec<(Event, RecordBatch)>| {
            let batches = batches.into_iter().filter(|(found, _)| *found == event).map(|(_, batch)| batch);
            batches.collect::<Vec<_>>()
        };
        let (alone, account) =
            decode("all", SAMPLE, Options { events: [event].into_iter().collect(), ..Options::default() });
        assert_eq!(own(all.clone()), own(alone), "{event:?}");
        let rows = account.ledger.rows();
        assert_eq!(account.ledger.other_events + rows, 1_730, "{event:?}");
    }
}
