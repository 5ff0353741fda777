//! XML as it is found in the wild: real logs against their truth, every shape, every kind of damage.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use procwire_core::columns::GARBLED_ADDRESS;
use procwire_core::format::{BROKEN_RECORD, FormatName, MAX_RECORD_BYTES, OVERLONG_RECORD};
use procwire_core::ledger::Ledger;
use procwire_core::scan::decode;
use procwire_core::schema::{Field, Kind};
use procwire_core::stream::{Options, Stream};
use procwire_core::value::{parse_ip, parse_time_us};
use procwire_core::xml::INVALID_UTF8;
use proptest::prelude::*;
use serde_json::Value;

const OPTIONS: Options = Options { format: Some(FormatName::Xml), recover: false };

/// A row as text, cell by cell, but for where it was found.
type Cells = Vec<Option<String>>;

fn cell(batch: &RecordBatch, row: usize, field: Field) -> Option<String> {
    let column = batch.column(field as usize);
    column.is_valid(row).then(|| match field.kind() {
        Kind::Text | Kind::Guid | Kind::Ip => column.as_string::<i32>().value(row).to_owned(),
        Kind::Address => format!("{:?}", column.as_binary::<i32>().value(row)),
        Kind::Time => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        Kind::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        Kind::Int32 | Kind::Port => column.as_primitive::<Int32Type>().value(row).to_string(),
        Kind::Bool => column.as_boolean().value(row).to_string(),
    })
}

fn rows(batches: &[RecordBatch]) -> Vec<Cells> {
    let row = |batch, row| Field::ALL.iter().map(|field| cell(batch, row, *field)).collect();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |index| row(batch, index))).collect()
}

fn read(bytes: &[u8]) -> (Vec<Cells>, Ledger) {
    let (batches, account) = decode("test.xml", bytes, OPTIONS);
    (rows(&batches), account.ledger)
}

fn read_in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Cells>, Ledger) {
    let mut stream = Stream::new("test.xml", OPTIONS);
    let mut jobs = Vec::new();
    for piece in pieces {
        stream.feed(piece.to_vec(), false, &mut jobs);
    }
    stream.feed(Vec::new(), true, &mut jobs);
    let mut ledger = stream.take_ledger();
    let mut batches = Vec::new();
    for job in jobs {
        let (batch, part, _) = job.run();
        ledger.merge(part);
        batches.extend(batch);
    }
    (rows(&batches), ledger)
}

fn get(row: &Cells, field: Field) -> Option<&str> {
    row[field as usize].as_deref()
}

fn all_are_counted(ledger: &Ledger) -> bool {
    let broken = ledger.damage.count(BROKEN_RECORD) + ledger.damage.count(OVERLONG_RECORD);
    ledger.records == ledger.events + ledger.other_events + ledger.other_providers + broken
}

fn only_detail(ledger: &Ledger) -> String {
    let details: Vec<_> =
        ledger.damage.iter().flat_map(|(_, _, examples)| examples).map(|e| e.detail.clone()).collect();
    assert_eq!(details.len(), 1, "{details:?}");
    details[0].clone()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/xml")
}

fn system_field(name: &str) -> Field {
    match name {
        "Provider_Name" => Field::ProviderName,
        "Provider_Guid" => Field::ProviderGuid,
        "EventID" => Field::EventId,
        "Version" => Field::EventVersion,
        "Level" => Field::EventLevel,
        "Task" => Field::EventTask,
        "Opcode" => Field::EventOpcode,
        "Keywords" => Field::EventKeywords,
        "TimeCreated" => Field::EventRecordedTime,
        "EventRecordID" => Field::RecordId,
        "Execution_ProcessID" => Field::LoggerProcessId,
        "Execution_ThreadID" => Field::LoggerThreadId,
        "Channel" => Field::Channel,
        "Computer" => Field::ComputerName,
        "Security_UserID" | "Security_UserId" => Field::LoggerUserSid,
        _ => panic!("no field for {name}"),
    }
}

/// What the table says where a log says `text`.
fn in_table(field: Field, text: &str) -> Option<String> {
    if matches!(text, "" | "-") {
        return None;
    }
    Some(match field.kind() {
        Kind::Time => parse_time_us(text).unwrap().to_string(),
        Kind::Guid => format!("{{{}}}", text.trim_matches(['{', '}']).to_uppercase()),
        Kind::Ip => parse_ip(text).unwrap().to_string(),
        Kind::Bool => text.to_lowercase(),
        _ => text.to_owned(),
    })
}

fn assert_is_true(row: &Cells, truth: &Value) {
    let parts = [("System", true), ("EventData", false)];
    for (part, is_system) in parts {
        for (name, text) in truth[part].as_object().unwrap() {
            if name.starts_with("TimeCreated_") {
                continue;
            }
            let field = if is_system { system_field(name) } else { Field::from_data_name(name).unwrap() };
            assert_eq!(get(row, field), in_table(field, text.as_str().unwrap()).as_deref(), "{name}");
        }
    }
    if let Some(line) = truth.get("line") {
        assert_eq!(get(row, Field::SourceLine), Some(&*line.to_string()));
    }
}

fn assert_file_is_true(log: &Path, truth: &Path) -> Ledger {
    let bytes = fs::read(log).unwrap();
    let (rows, ledger) = read(&bytes);
    let truth: Vec<Value> =
        fs::read_to_string(truth).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), truth.len(), "{log:?}");
    rows.iter().zip(&truth).for_each(|(row, truth)| assert_is_true(row, truth));
    assert!(all_are_counted(&ledger));

    // Old Sysmon's own: the reader adds none.
    assert_eq!(ledger.warnings.total(), ledger.warnings.count(GARBLED_ADDRESS), "{:?}", ledger.warnings);
    if bytes.starts_with(b"\xff\xfe") {
        return ledger;
    }
    for row in &rows {
        let offset: usize = get(row, Field::SourceOffset).unwrap().parse().unwrap();
        assert!(bytes[offset..].starts_with(b"<Event"));
        let lines = bytes[..offset].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(get(row, Field::SourceLine), Some(&*(lines + 1).to_string()));
    }
    ledger
}

#[test]
fn real_logs_agree_with_their_truth() {
    let counts = [
        ("splunk-xmlwineventlog-example.xml", 1, 0),
        // Syslog cut the eighth line off at 2,048 bytes.
        ("log4shell.part1.derived.syslog", 32, 1),
        ("issue_43.first20.events.xml", 20, 0),
    ];
    for (name, records, broken) in counts {
        let log = data().join(name);
        let ledger = assert_file_is_true(&log, &log.with_extension("truth.ndjson"));
        assert_eq!((ledger.records, ledger.damage.total()), (records, broken), "{name}");
    }
}

/// Logs whose licence keeps them out of the repository: `PROCWIRE_DATA` says where they are.
#[test]
#[ignore = "needs PROCWIRE_DATA"]
fn real_logs_of_other_licences_agree_with_their_truth() {
    let data = PathBuf::from(std::env::var("PROCWIRE_DATA").unwrap());
    let tunna = "truth/evtx.sbousseaden.tunna_iis_rdp_smb_tunneling_sysmon_3.evtx.ndjson";
    for (log, truth) in [
        ("linux/elastic-sysmon_linux.part1.log", "truth/linux.elastic-sysmon_linux.part1.ndjson"),
        ("xml-json-derived/issue_43.events.xml", "truth/evtx.williballenthin.issue_43.evtx.ndjson"),
        ("xml-json-derived/tunna_iis_rdp_smb_tunneling_sysmon_3.events.utf16.xml", tunna),
        ("xml-json-derived/tunna_iis_rdp_smb_tunneling_sysmon_3.evtx_dump.xml", tunna),
        ("xml-json-derived/tunna_iis_rdp_smb_tunneling_sysmon_3.wevtutil.xml", tunna),
    ] {
        let ledger = assert_file_is_true(&data.join(log), &data.join(truth));
        println!("{log}: {ledger:?}");
    }
}
