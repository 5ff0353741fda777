//! CSV: EvtxECmd's output, exports of Microsoft Sentinel's tables, and procwire's own.

#[path = "json_truth.rs"]
mod truth;

use std::path::Path;

use procwire_core::event::Event;
use procwire_core::format::{BROKEN_RECORD, FormatName};
use procwire_core::schema::{Field, Kind};
use proptest::prelude::*;
use truth::{assert_identity, read, read_in_pieces};

const DATA: [(&str, &str); 18] = [
    ("RuleName", "a rule, with a comma"),
    ("UtcTime", "2023-11-17 06:02:03.735"),
    ("ProcessGuid", "{8CAD0A01-015C-6557-1700-000000000E00}"),
    ("ProcessId", "1272"),
    ("Image", r"C:\Windows\System32\svchost.exe"),
    ("User", r"NT AUTHORITY\NETWORK SERVICE"),
    ("Protocol", "tcp"),
    ("Initiated", "True"),
    ("SourceIsIpv6", "False"),
    ("SourceIp", "10.0.0.4"),
    ("SourceHostname", "host1"),
    ("SourcePort", "49756"),
    ("SourcePortName", "-"),
    ("DestinationIsIpv6", "FALSE"),
    ("DestinationIp", "20.83.130.102"),
    ("DestinationHostname", "-"),
    ("DestinationPort", "443"),
    ("DestinationPortName", "https"),
];

fn quote(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

fn row(fields: &[&str]) -> String {
    fields.iter().map(|field| quote(field)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn event_data_xml() -> String {
    let data: String = DATA.iter().map(|(name, text)| format!("\r\n  <Data Name=\"{name}\">{text}</Data>")).collect();
    format!("<EventData>{data}\r\n</EventData>")
}

fn event_data_json() -> serde_json::Value {
    DATA.iter().map(|(name, text)| ((*name).to_owned(), serde_json::json!(text))).collect()
}

fn payload_json() -> String {
    let items: Vec<_> = DATA.iter().map(|(name, text)| serde_json::json!({"@Name": name, "#text": text})).collect();
    serde_json::json!({"EventData": {"Data": items}}).to_string()
}

fn assert_row(row: &[Option<String>], system: &[(Field, &str)]) {
    let text = |field: Field| row[field as usize].as_deref();
    for (name, value) in DATA {
        let field = Field::from_data_name(name).unwrap();
        let expected = match (field.kind(), value) {
            (_, "-") => None,
            (Kind::Time, _) => Some("1700200923735000".to_owned()),
            (Kind::Bool, _) => Some(value.to_lowercase()),
            _ => Some(value.to_owned()),
        };
        assert_eq!(text(field), expected.as_deref(), "{name}");
    }
    for (field, value) in system {
        assert_eq!(text(*field), Some(*value), "{}", field.column());
    }
}

const EVTXECMD: &str = "RecordNumber,EventRecordId,TimeCreated,EventId,Level,Provider,Channel,ProcessId,ThreadId,Computer,\
    ChunkNumber,UserId,MapDescription,UserName,RemoteHost,PayloadData1,ExecutableInfo,HiddenRecord,SourceFile,Keywords,\
    ExtraDataOffset,Payload\r\n";

fn evtxecmd(event_id: &str, payload: &str) -> String {
    row(&[
        "12",
        "4711",
        "2023-11-17 06:02:04.8191320",
        event_id,
        "Info",
        "Microsoft-Windows-Sysmon",
        "Microsoft-Windows-Sysmon/Operational",
        "2152",
        "3236",
        "HOST1",
        "0",
        "S-1-5-18",
        "Network connection",
        "x",
        "20.83.130.102 (-)",
        "ProcessID: 1272",
        "x.exe",
        "False",
        r"C:\a.evtx",
        "0x8000000000000000",
        "0",
        payload,
    ])
}

#[test]
fn evtxecmd_payloads_in_xml_and_json_are_read() {
    let log = [
        EVTXECMD.to_owned(),
        evtxecmd("3", &event_data_xml()),
        evtxecmd("1", "<EventData></EventData>"),
        evtxecmd("3", &payload_json()),
    ]
    .concat();
    let (rows, account) = read(log.as_bytes());
    assert_eq!(account.format, Some(FormatName::Csv));
    assert_eq!((account.ledger.records, account.ledger.rows(), account.ledger.other_events), (3, 2, 1));
    assert_eq!((account.ledger.damage.total(), account.ledger.warnings.total()), (0, 0));
    for row in &rows {
        assert_row(
            row,
            &[
                (Field::RecordId, "4711"),
                (Field::EventRecordedTime, "1700200924819132"),
                (Field::EventId, "3"),
                (Field::EventLevel, "4"),
                (Field::ProviderName, "Microsoft-Windows-Sysmon"),
                (Field::Channel, "Microsoft-Windows-Sysmon/Operational"),
                (Field::LoggerProcessId, "2152"),
                (Field::LoggerThreadId, "3236"),
                (Field::LoggerUserSid, "S-1-5-18"),
                (Field::ComputerName, "HOST1"),
                (Field::EventKeywords, "0x8000000000000000"),
            ],
        );
    }
    let third = log.find("\"12\"").unwrap() + log[log.find("\"12\"").unwrap() + 1..].rfind("\"12\"").unwrap() + 1;
    assert_eq!(rows[1][Field::SourceOffset as usize], Some(third.to_string()));
    let line = 1 + log[..third].matches('\n').count();
    assert_eq!(rows[1][Field::SourceLine as usize], Some(line.to_string()));
}

#[test]
fn sentinel_tables_are_read_in_any_dress() {
    let time = (Field::EventRecordedTime, "1700200924819000");
    let event_data = event_data_json().to_string();
    let windows_event = "TenantId,\"TimeGenerated [UTC]\",provider,CHANNEL,Computer,EventLevel,EventData,EventID\n"
        .to_owned()
        + &row(&["t", "11/17/2023, 6:02:04.819 AM", "Microsoft-Windows-Sysmon", "c", "HOST1", "4", &event_data, "3"]);
    let (rows, _) = read(windows_event.as_bytes());
    assert_row(&rows[0], &[time, (Field::ComputerName, "HOST1"), (Field::EventLevel, "4"), (Field::Channel, "c")]);

    let params: String = DATA.iter().map(|(_, text)| format!("<Param>{text}</Param>")).collect();
    let event = "TimeGenerated [UTC];Source;EventLog;Computer;ParameterXml;EventID\n".to_owned()
        + &row(&["2023-11-17T06:02:04.819Z", "Microsoft-Windows-Sysmon", "c", "HOST1", &params, "3"])
            .replace("\",\"", "\";\"");
    let (rows, _) = read(event.as_bytes());
    assert_row(&rows[0], &[time, (Field::ComputerName, "HOST1")]);

    let xml = format!(
        "<Event><System><Provider Name=\"Linux-Sysmon\"/><EventID>3</EventID><Computer>HOST1</Computer></System>{}</Event>",
        event_data_xml().replace("\r\n", "")
    );
    let syslog = "TimeGenerated,Computer,SyslogMessage\n".to_owned()
        + &row(&["x", "COLLECTOR", "sshd: hello"])
        + &row(&["x", "COLLECTOR", &xml]);
    let (rows, account) = read(syslog.as_bytes());
    assert_row(&rows[0], &[(Field::ComputerName, "HOST1"), (Field::ProviderName, "Linux-Sysmon")]);
    assert_eq!(account.ledger.other_providers, 1);
}

#[test]
fn the_real_export_agrees_with_its_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/csv");
    let name = "Microsoft_Sysmon_NetworkSession_IngestedLogs.rows.csv";
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let (rows, account) = read(&bytes);
    // Its TimeGenerated is local; the time with a zone in EventData's wrapper is not.
    let found: Vec<_> = truth::all_differences(&rows, &truth::truth_lines(&folder.join(format!("{name}.truth"))))
        .into_iter()
        .filter(|text| !text.contains("event_recorded_time"))
        .collect();
    assert_eq!(found, [""; 0]);
    assert_eq!(rows[0][Field::EventRecordedTime as usize].as_deref(), Some("1700200924819132"));
    assert_eq!(read_in_pieces(&bytes, &[100]), (rows, account.ledger));
}

#[test]
fn our_own_table_reads_back_the_same() {
    let log = EVTXECMD.to_owned() + &evtxecmd("3", &event_data_xml()) + &evtxecmd("3", &payload_json());
    let (rows, _) = read(log.as_bytes());
    let names: Vec<&str> = Event::Connection.fields().iter().map(|field| field.column()).collect();
    let mut own = row(&names);
    for cells in &rows {
        let cells =
            Event::Connection.fields().iter().map(|field| match (field.kind(), cells[*field as usize].as_deref()) {
                (Kind::Time, Some("1700200923735000")) => "2023-11-17T06:02:03.735Z",
                (Kind::Time, Some(_)) => "2023-11-17 06:02:04.819132",
                (_, text) => text.unwrap_or_default(),
            });
        own += &row(&cells.collect::<Vec<_>>());
    }
    let (again, account) = read(own.as_bytes());
    assert_eq!((account.ledger.damage.total(), account.ledger.warnings.total()), (0, 0));
    let place = Field::SourceOffset as usize..=Field::SourceLine as usize;
    for (row, before) in again.iter().zip(&rows) {
        for field in Event::Connection.fields().iter().filter(|field| !place.contains(&(**field as usize))) {
            assert_eq!(row[*field as usize], before[*field as usize], "{}", field.column());
        }
    }
}

#[test]
fn rows_of_another_width_and_unreadable_payloads_are_damage() {
    let log = [EVTXECMD, "1,2,3\r\n", &evtxecmd("3", "{\"EventData\":"), &evtxecmd("3", &payload_json())].concat();
    let (rows, account) = read(log.as_bytes());
    assert_eq!((rows.len(), account.ledger.records, account.ledger.damage.count(BROKEN_RECORD)), (1, 3, 2));
    let (_, _, examples) = account.ledger.damage.iter().next().unwrap();
    assert_eq!(examples[0].detail, "found a row of 3 fields, expected 22");
    assert_eq!((examples[0].offset, examples[0].line), (EVTXECMD.len() as u64, Some(2)));
    assert_eq!(examples[1].detail, "found the end, expected a value");
}

#[test]
fn a_row_over_the_limit_is_dropped_and_reading_goes_on() {
    let good = evtxecmd("3", &payload_json());
    let log = [EVTXECMD, &good, &evtxecmd("3", &"\"\n".repeat(9 << 20)), &good].concat();
    let (rows, account) = read(log.as_bytes());
    assert_eq!((rows.len(), account.ledger.records, account.ledger.damage.count("overlong record")), (2, 3, 1));
    assert_eq!(read_in_pieces(log.as_bytes(), &[1 << 20]), (rows, account.ledger));
}

#[test]
fn other_tables_are_not_taken_for_logs() {
    for head in ["a,b,c\n1,2,3\n", "name;value\n", "EventID,Level\n3,4\n", "Message\nhello\n"] {
        assert_eq!(read(head.as_bytes()).1.format, None, "{head}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_too_strange(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\"", "\"\"", ",", "\n", "\r\n", "a", "3", "Microsoft-Windows-Sysmon", "\u{e9}", "{\"\"UtcTime\"\":\"\"x\"\"}", "\\",
        ]), 0..60),
        byte in any::<u8>(),
        sizes in prop::collection::vec(1usize..12, 1..5),
    ) {
        let mut log = b"EventID,Provider,EventData\n".to_vec();
        log.extend(parts.concat().into_bytes());
        log.push(byte);
        log.extend(parts.concat().into_bytes());
        let (rows, account) = read(&log);
        assert_identity(&account.ledger);
        prop_assert_eq!(read_in_pieces(&log, &sizes), (rows, account.ledger));
    }
}
