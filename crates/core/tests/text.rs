//! Lines of text that hold the message text of event 3, XML or JSON.

#[path = "json_truth.rs"]
mod truth;

use procwire_core::columns::Row;
use procwire_core::event::Event;
use procwire_core::format::{BROKEN_RECORD, FormatName};
use procwire_core::message::fill_from_message;
use procwire_core::schema::Field;
use procwire_core::value::Value;
use proptest::prelude::*;
use truth::{assert_identity, read, read_in_pieces};

/// In the form that Wazuh's rule set shows in a comment.
const OSSEC: &str = r"2015 Nov 19 20:33:25 WinEvtLog: Microsoft-Windows-Sysmon/Operational: INFORMATION(3): Microsoft-Windows-Sysmon: SYSTEM: NT AUTHORITY: HOST1: Network connection detected:  UtcTime: 2015-11-19 19:33:23.824  ProcessGuid: {0B364D7C-23F6-564E-0000-00100D5A1100}  ProcessId: 2028  Image: C:\Program Files (x86)\x: y.exe  User: HOST1\Administrator  Protocol: tcp  Initiated: true  SourceIsIpv6: false  SourceIp: 192.168.2.201  SourceHostname: HOST1.example  SourcePort: 49192  SourcePortName:   DestinationIsIpv6: false  DestinationIp: XXX.58.XXX.206  DestinationHostname: webdest  DestinationPort: 443  DestinationPortName: https";

fn xml() -> String {
    "<13>Nov 24 06:00:00 host sysmon[1]: <Event><System><Provider Name=\"Linux-Sysmon\"/><EventID>3</EventID></System>\
     <EventData><Data Name=\"ProcessId\">7</Data></EventData></Event>"
        .to_owned()
}

fn json() -> String {
    "<14>1 2023-11-17T06:02:04Z host nxlog - - - {\"EventID\":3,\"SourceName\":\"Microsoft-Windows-Sysmon\",\
     \"UtcTime\":\"2023-11-17 06:02:03.735\",\"ProcessId\":\"8\",\"DestinationIp\":\"203.0.113.7\"}"
        .to_owned()
}

#[test]
fn lines_of_every_kind_are_read_and_others_passed_over() {
    let ossec_1 = OSSEC.replace("INFORMATION(3)", "INFORMATION(1)");
    let security = "2015 Nov 19 20:33:25 WinEvtLog: Security: AUDIT_SUCCESS(4624): Microsoft-Windows-Security-Auditing: a: b: c: d";
    let bare = &OSSEC[OSSEC.find("UtcTime").unwrap()..];
    let log = ["Nov 24 sshd: hello", OSSEC, &ossec_1, security, &json(), "", bare, "Nov 24 sshd: bye"].join("\n");
    let (rows, account) = read(log.as_bytes());
    let ledger = &account.ledger;
    assert_eq!(account.format, Some(FormatName::Text));
    assert_eq!((ledger.records, ledger.rows(), ledger.other_events, ledger.other_providers), (5, 3, 1, 1));
    assert_eq!(ledger.warnings.count("not an address"), 2);
    let text = |row: usize, field: Field| rows[row][field as usize].as_deref();
    assert_eq!(text(0, Field::ProcessName), Some(r"C:\Program Files (x86)\x: y.exe"));
    assert_eq!(text(0, Field::ComputerName), Some("HOST1"));
    assert_eq!(text(0, Field::EventLevel), Some("4"));
    assert_eq!(text(0, Field::SrcPortName), None);
    assert_eq!(text(0, Field::DstPortName), Some("https"));
    assert_eq!(text(0, Field::SourceLine), Some("2"));
    assert_eq!(text(1, Field::ProcessId), Some("8"));
    assert_eq!(text(2, Field::ProcessId), Some("2028"));
    assert_eq!(text(2, Field::SourceOffset), Some(log.rfind(bare).unwrap().to_string().as_str()));
    assert_eq!(read_in_pieces(log.as_bytes(), &[13]), (rows, account.ledger));
}

#[test]
fn xml_among_other_lines_is_read() {
    let log = [OSSEC, &xml(), "nothing"].join("\n");
    let options = procwire_core::stream::Options { format: Some(FormatName::Text), ..Default::default() };
    let (batches, account) = procwire_core::scan::decode("log", log.as_bytes(), options);
    let rows = truth::rows(&batches);
    assert_eq!(account.ledger.rows(), 2);
    assert_eq!(rows[1][Field::ProcessId as usize].as_deref(), Some("7"));
}

#[test]
fn a_broken_line_is_damage() {
    let log = [OSSEC, "x {\"EventID\":3,", "y {\"EventID\":1} z"].join("\n");
    let (rows, account) = read(log.as_bytes());
    assert_eq!((rows.len(), account.ledger.records, account.ledger.damage.count(BROKEN_RECORD)), (1, 3, 1));
    assert_eq!(account.ledger.damage.iter().next().unwrap().2[0].line, Some(2));
}

#[test]
fn text_without_events_is_no_log_of_ours() {
    for text in ["hello\nworld\n", "Nov 24 06:00:00 host sshd[1]: Accepted publickey\n", "{not json"] {
        assert_ne!(read(text.as_bytes()).1.format, Some(FormatName::Text), "{text}");
    }
}

#[test]
fn the_message_gives_only_what_is_missing() {
    let message = "Connexion r\u{e9}seau d\u{e9}tect\u{e9}e:\r\nRuleName: a: b\r\nImage: &lt;unknown process&gt;\r\nUser: \r\nSourcePort: 1";
    let mut row = Row::default();
    row.set(Field::SrcPort, Value::Text("2"));
    fill_from_message(message, Event::Connection, &mut row);
    assert_eq!(row.get(Field::RuleName), Value::Text("a: b"));
    assert_eq!(row.get(Field::ProcessName), Value::Text("<unknown process>"));
    assert_eq!(row.get(Field::UserName), Value::Text(""));
    assert_eq!(row.get(Field::SrcPort), Value::Text("2"));
    assert_eq!(row.get(Field::DstPort), Value::Null);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_too_strange(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<Event>", "</Event>", "{\"", "\"a\":1}", "WinEvtLog: ", ": ", "(3)", "UtcTime: ", "SourceIp: ", "DestinationIp: ",
            "DestinationPort: ", "Microsoft-Windows-Sysmon", "\n", "\u{e9}", "x",
        ]), 0..40),
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        sizes in prop::collection::vec(1usize..12, 1..5),
    ) {
        let mut log = format!("{OSSEC}\n{}", parts.concat()).into_bytes();
        log.extend(bytes);
        let (rows, account) = read(&log);
        assert_identity(&account.ledger);
        prop_assert_eq!(read_in_pieces(&log, &sizes), (rows, account.ledger));
    }
}
