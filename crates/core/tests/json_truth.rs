//! Compares decoded tables with ground truth: one object per event, its `EventData` and `System` as the log has them.
//! The tests of JSON, CSV and text share it; run by itself it checks a folder of logs:
//! `PROCWIRE_DATA=<folder> cargo test --release -p procwire-core --test json_truth -- --ignored --nocapture`.

#![allow(dead_code, missing_docs)]

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use procwire_core::columns::Batch;
use procwire_core::event::Event;
use procwire_core::ledger::Ledger;
use procwire_core::scan::{FileLedger, decode};
use procwire_core::schema::{Field, Kind};
use procwire_core::stream::{Options, Stream};
use procwire_core::value::{parse_bool, parse_guid, parse_int, parse_ip, parse_time_us, write_guid};
use serde_json::Value;

/// A table as text, row by row: what tests compare.
pub(crate) fn rows(batches: &[Batch]) -> Vec<Vec<Option<String>>> {
    let cells = |(event, batch): &Batch, row| event.fields().iter().map(|field| cell(batch, *field, row)).collect();
    batches.iter().flat_map(|batch| (0..batch.1.num_rows()).map(move |row| cells(batch, row))).collect()
}

pub(crate) fn cell(batch: &RecordBatch, field: Field, row: usize) -> Option<String> {
    let column = &batch[field.column()];
    if column.is_null(row) {
        return None;
    }
    Some(match field.kind() {
        Kind::Text | Kind::Guid | Kind::Ip => column.as_string::<i32>().value(row).to_owned(),
        Kind::Address => format!("{:02x?}", column.as_binary::<i32>().value(row)),
        Kind::Time => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        Kind::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        Kind::Int32 | Kind::Port => column.as_primitive::<Int32Type>().value(row).to_string(),
        Kind::Bool => column.as_boolean().value(row).to_string(),
    })
}

pub(crate) fn read(bytes: &[u8]) -> (Vec<Vec<Option<String>>>, FileLedger) {
    let (batches, account) = decode("log", bytes, Options::default());
    (rows(&batches), account)
}

/// A table as text, row by row, from input in pieces of the given sizes, repeated.
pub(crate) fn read_in_pieces(bytes: &[u8], sizes: &[usize]) -> (Vec<Vec<Option<String>>>, Ledger) {
    let mut stream = Stream::new("log", Options::default());
    let (mut jobs, mut at) = (Vec::new(), 0);
    for size in sizes.iter().cycle() {
        let end = bytes.len().min(at + (*size).max(1));
        stream.feed(bytes[at..end].to_vec(), end == bytes.len(), &mut jobs);
        at = end;
        if at == bytes.len() {
            break;
        }
    }
    let mut ledger = stream.take_ledger();
    let mut batches = Vec::new();
    for job in jobs {
        let (decoded, part, _) = job.run();
        ledger.merge(part);
        batches.extend(decoded);
    }
    (rows(&batches), ledger)
}

pub(crate) fn assert_identity(ledger: &Ledger) {
    let damage = ledger.damage.total();
    assert_eq!(ledger.records, ledger.rows() + ledger.other_events + ledger.other_providers + damage, "{ledger:?}");
}

/// The value that the table should have for `text`, computed in another way than the decoder's.
fn expected(field: Field, text: &str) -> Option<String> {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.as_str();
    if matches!(text, "" | "-") {
        return None;
    }
    match field.kind() {
        Kind::Time => parse_time_us(text).map(|us| us.to_string()),
        Kind::Guid => parse_guid(text).map(|guid| {
            let mut out = Vec::new();
            write_guid(&guid, &mut out);
            String::from_utf8(out).unwrap()
        }),
        Kind::Ip => Some(parse_ip(text).map_or_else(|| text.to_owned(), |ip| ip.to_string())),
        Kind::Int64 | Kind::Int32 | Kind::Port => parse_int(text).map(|number| number.to_string()),
        Kind::Bool => parse_bool(text).map(|flag| flag.to_string()),
        Kind::Text | Kind::Address => Some(text.to_owned()),
    }
}

const SYSTEM: &[(&str, Field)] = &[
    ("Provider_Name", Field::ProviderName),
    ("Provider_Guid", Field::ProviderGuid),
    ("EventID", Field::EventId),
    ("Version", Field::EventVersion),
    ("Level", Field::EventLevel),
    ("Task", Field::EventTask),
    ("Opcode", Field::EventOpcode),
    ("Keywords", Field::EventKeywords),
    ("Channel", Field::Channel),
    ("Computer", Field::ComputerName),
    ("Execution_ProcessID", Field::LoggerProcessId),
    ("Execution_ThreadID", Field::LoggerThreadId),
    ("Security_UserID", Field::LoggerUserSid),
    ("Security_UserId", Field::LoggerUserSid),
    ("TimeCreated_SystemTime", Field::EventRecordedTime),
    ("TimeCreated", Field::EventRecordedTime),
];

fn expected_system(field: Field, text: &str) -> Option<String> {
    match (field, text) {
        (Field::EventTask, "Network connection detected (rule: NetworkConnect)") => Some("3".into()),
        (Field::EventOpcode, "Info") => Some("0".into()),
        (Field::EventKeywords, "-9223372036854775808") => Some("0x8000000000000000".into()),
        // Without a zone it is a local time.
        (Field::EventRecordedTime, _) if !text.ends_with('Z') => None,
        _ => expected(field, text),
    }
}

/// Every difference between a row and the truth.
pub(crate) fn differences(row: &[Option<String>], truth: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |field: Field, expected: Option<String>| {
        if row[field as usize] != expected {
            found.push(format!("{}: found {:?}, expected {expected:?}", field.column(), row[field as usize]));
        }
    };
    for &field in &Event::Connection.fields()[..=Field::RuleName as usize] {
        let logged = ["EventData", "EventDataFromMessage"].iter().find_map(|part| truth[part][field.sysmon()].as_str());
        compare(field, logged.and_then(|text| expected(field, text)));
    }
    for (name, field) in SYSTEM {
        if let Some(text) = truth["System"][name].as_str() {
            compare(*field, expected_system(*field, text));
        }
    }
    compare(Field::RecordId, truth["EventRecordID"].as_str().map(str::to_owned));
    found
}

pub(crate) fn truth_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compare every row with its line of truth, in order.
pub(crate) fn all_differences(rows: &[Vec<Option<String>>], truth: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    if rows.len() != truth.len() {
        found.push(format!("found {} events, expected {}", rows.len(), truth.len()));
    }
    for (index, (row, truth)) in rows.iter().zip(truth).enumerate() {
        found.extend(differences(row, truth).into_iter().map(|text| format!("event {index}: {text}")));
    }
    found
}

#[test]
#[ignore = "needs PROCWIRE_DATA, and JSON, CSV or text files there"]
fn every_file_of_the_manifest_agrees_with_its_truth() {
    let data = std::env::var("PROCWIRE_DATA").expect("PROCWIRE_DATA names the folder");
    let data = Path::new(&data);
    let manifest = std::fs::read_to_string(data.join("MANIFEST.tsv")).unwrap();
    let (mut files, mut events, mut wrong) = (0, 0, Vec::new());
    for line in manifest.lines() {
        let path = line.split('\t').next().unwrap_or_default();
        let ours =
            ["json/", "linux/", "csv-azure/", "text/", "xml-json-derived/"].iter().any(|at| path.starts_with(at));
        let truth = line.split("truth=").nth(1).or_else(|| line.split("truth = truth of ").nth(1));
        let (true, Some(truth)) = (ours && !path.ends_with(".xml"), truth) else { continue };
        let truth = truth.split([' ', ';', '(']).next().unwrap().trim_end_matches(".ndjson");
        let truth =
            if truth.starts_with("truth/") { truth.to_owned() } else { format!("truth/evtx.williballenthin.{truth}") };
        let bytes = std::fs::read(data.join(path)).unwrap();
        let (batches, account) = decode(path, &bytes, Options::default());
        let truth = truth_lines(&data.join(format!("{truth}.ndjson")));
        let found = all_differences(&rows(&batches), &truth);
        let ledger = &account.ledger;
        assert_identity(ledger);
        files += 1;
        events += ledger.rows();
        if !found.is_empty() || ledger.damage.total() > 0 || ledger.warnings.total() > 0 {
            println!(
                "{path}: {:?} {} events of {} records, {} damaged, {} warnings, {} differences",
                account.format,
                ledger.rows(),
                ledger.records,
                ledger.damage.total(),
                ledger.warnings.total(),
                found.len()
            );
            for (kind, count, examples) in ledger.damage.iter().chain(ledger.warnings.iter()) {
                println!("  {count} {kind}: {:?}", &examples[..1]);
            }
            found.iter().take(3).for_each(|text| println!("  {text}"));
            wrong.extend(found);
        }
    }
    println!("{files} files, {events} events, {} differences", wrong.len());
}

#[test]
#[ignore = "needs PROCWIRE_DATA, and PROCWIRE_WHOLE, the folder of its complete unpacked archives"]
fn every_whole_archive_agrees_with_its_truth() {
    let folder = |name: &str| std::env::var(name).expect("the variable names a folder");
    let (data, whole) = (folder("PROCWIRE_DATA"), folder("PROCWIRE_WHOLE"));
    let mut wrong = 0;
    for entry in std::fs::read_dir(whole).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let truth = truth_lines(&Path::new(&data).join(format!("truth/json.mordor.{stem}.ndjson")));
        let bytes = std::fs::read(&path).unwrap();
        let start = std::time::Instant::now();
        let (batches, account) = decode(&stem, &bytes, Options::default());
        let seconds = start.elapsed().as_secs_f64();
        let found = all_differences(&rows(&batches), &truth);
        assert_identity(&account.ledger);
        let Ledger { records, events, other_events, other_providers, damage, warnings, .. } = &account.ledger;
        println!(
            "{stem}: {records} records, {events:?} events, {other_events} others, {other_providers} of other providers, \
             {} damaged, {} warnings, {} differences, {:.0} MB/s",
            damage.total(),
            warnings.total(),
            found.len(),
            bytes.len() as f64 / seconds / 1e6
        );
        found.iter().take(3).for_each(|text| println!("  {text}"));
        wrong += found.len();
    }
    assert_eq!(wrong, 0);
}
