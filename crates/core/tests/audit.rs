//! Connections of Windows' security audit: which end is the source, and that nobody gets them who did not ask.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use procwire_core::event::{Event, Events};
use procwire_core::ledger::Ledger;
use procwire_core::scan::decode;
use procwire_core::stream::Options;

fn audited(id: u32, direction: &str, protocol: u32) -> String {
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
         <EventID>{id}</EventID><Version>1</Version><Level>0</Level><Task>12810</Task><Opcode>0</Opcode>\
         <Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2024-05-14T09:13:27.481000000Z'/>\
         <EventRecordID>308129</EventRecordID><Execution ProcessID='4' ThreadID='3712'/><Channel>Security</Channel>\
         <Computer>WS-17</Computer><Security/></System><EventData><Data Name='ProcessID'>4556</Data>\
         <Data Name='Application'>\\device\\harddiskvolume2\\listener.exe</Data>\
         <Data Name='Direction'>{direction}</Data><Data Name='SourceAddress'>10.0.0.10</Data>\
         <Data Name='SourcePort'>3333</Data><Data Name='DestAddress'>fe80::1</Data>\
         <Data Name='DestPort'>49278</Data><Data Name='Protocol'>{protocol}</Data>\
         <Data Name='FilterRTID'>70201</Data><Data Name='LayerName'>%%14610</Data>\
         <Data Name='LayerRTID'>44</Data></EventData></Event>\n"
    )
}

fn read(log: &[u8], events: &[Event]) -> (Vec<(Event, RecordBatch)>, Ledger) {
    let options = Options { events: events.iter().copied().collect(), ..Options::default() };
    let (batches, account) = decode("log", log, options);
    (batches, account.ledger)
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> String {
    batch.column_by_name(column).expect(column).as_string::<i32>().value(row).to_owned()
}

fn ends(batch: &RecordBatch, row: usize) -> String {
    let port = |column| batch.column_by_name(column).expect("a port").as_primitive::<Int32Type>().value(row);
    let [src, dst] = ["src_ip", "dst_ip"].map(|column| text(batch, column, row));
    format!("{src} {} > {dst} {}", port("src_port"), port("dst_port"))
}

#[test]
fn who_began_a_connection_is_its_source() {
    let log = [audited(5156, "%%14593", 6), audited(5156, "%%14592", 17), audited(5156, "Inbound", 6)].concat();
    let (batches, ledger) = read(log.as_bytes(), &[Event::AuditConnection]);
    let [(Event::AuditConnection, batch)] = &batches[..] else { panic!("{batches:?}") };
    let [outbound, inbound] = ["10.0.0.10 3333 > fe80::1 49278", "fe80::1 49278 > 10.0.0.10 3333"];
    assert_eq!([0, 1, 2].map(|row| ends(batch, row)), [outbound, inbound, inbound]);
    assert_eq!([0, 1].map(|row| text(batch, "network_protocol", row)), ["tcp", "udp"]);
    let initiated = batch.column_by_name("network_connection_initiated").expect("initiated").as_boolean();
    assert_eq!([0, 1, 2].map(|row| initiated.value(row)), [true, false, false]);
    let is_ipv6 = |column| batch.column_by_name(column).expect(column).as_boolean().value(1);
    assert_eq!([is_ipv6("src_is_ipv6"), is_ipv6("dst_is_ipv6")], [true, false]);
    assert_eq!(text(batch, "process_name", 0), r"\device\harddiskvolume2\listener.exe");
    assert_eq!(batch.column_by_name("process_id").expect("id").as_primitive::<Int64Type>().value(0), 4556);
    assert_eq!(batch.column_by_name("logger_process_id").expect("id").as_primitive::<Int64Type>().value(0), 4);
    assert_eq!(batch.column(0), batch.column_by_name("event_recorded_time").expect("the time of writing"));
    assert_eq!(batch.column_by_name("process_guid").expect("a GUID").null_count(), 3);
    assert_eq!((ledger.records, ledger.rows(), ledger.warnings.total()), (3, 3, 0));
}

#[test]
fn an_unknown_direction_is_null() {
    let (batches, _) = read(audited(5156, "%%99", 6).as_bytes(), &[Event::AuditConnection]);
    assert_eq!(batches[0].1.column_by_name("network_connection_initiated").expect("initiated").null_count(), 1);
    assert_eq!(ends(&batches[0].1, 0), "10.0.0.10 3333 > fe80::1 49278");
}

#[test]
fn what_nobody_asked_for_is_another_providers() {
    let log = [audited(5156, "%%14593", 6), audited(5157, "%%14592", 6)].concat();
    for (asked, rows) in [(&[Event::Connection][..], 0), (&[Event::AuditBlock], 1), (&Event::ALL, 2)] {
        let (batches, ledger) = read(log.as_bytes(), asked);
        assert_eq!(batches.iter().map(|(_, batch)| batch.num_rows()).sum::<usize>(), rows, "{asked:?}");
        assert_eq!((ledger.rows(), ledger.other_providers), (rows as u64, 2 - rows as u64));
    }
    assert!(!Events::default().has_any_of(Event::AuditConnection.provider()));
}

#[test]
fn fields_of_sysmons_that_have_the_same_names_are_not_changed() {
    let sysmon = audited(3, "%%14592", 6).replace("Security-Auditing", "Sysmon").replace("SourceAddress", "SourceIp");
    let (batches, _) = read(sysmon.as_bytes(), &Event::ALL);
    let [(Event::Connection, batch)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(text(batch, "src_ip", 0), "10.0.0.10");
    assert_eq!(text(batch, "network_protocol", 0), "6");
    assert_eq!(batch.column_by_name("process_name").expect("a name").null_count(), 1);
}

fn assert_outbound(log: &str) {
    let (batches, ledger) = read(log.as_bytes(), &Event::ALL);
    let [(Event::AuditConnection, batch)] = &batches[..] else { panic!("{batches:?} of {log}") };
    assert_eq!(ends(batch, 0), "10.0.0.10 3333 > 203.0.113.9 443", "{log}");
    assert_eq!(text(batch, "network_protocol", 0), "tcp", "{log}");
    assert_eq!(text(batch, "process_name", 0), r"\device\harddiskvolume2\curl.exe", "{log}");
    assert_eq!(batch.column_by_name("process_id").expect("id").as_primitive::<Int64Type>().value(0), 4556, "{log}");
    assert_eq!(text(batch, "computer_name", 0), "WS-17", "{log}");
    assert_eq!(batch.column(0).null_count(), 0, "{log}");
    assert_eq!((ledger.rows(), ledger.warnings.total()), (1, 0), "{log}");
}

#[test]
fn the_audit_is_read_from_json() {
    let data = r#""ProcessID":"4556","Application":"\\device\\harddiskvolume2\\curl.exe","Direction":"%%14593",
        "SourceAddress":"10.0.0.10","SourcePort":"3333","DestAddress":"203.0.113.9","DestPort":"443","Protocol":"6""#;
    let time = "2024-05-14T09:13:27.481Z";
    let provider = "Microsoft-Windows-Security-Auditing";
    assert_outbound(&format!(
        r##"{{"Event":{{"System":{{"Provider":{{"#attributes":{{"Name":"{provider}"}}}},"EventID":5156,
        "TimeCreated":{{"#attributes":{{"SystemTime":"{time}"}}}},"Computer":"WS-17"}},"EventData":{{{data}}}}}}}"##
    ));
    assert_outbound(&format!(
        r#"{{"@timestamp":"{time}","winlog":{{"event_id":5156,"provider_name":"{provider}","computer_name":"WS-17",
        "event_data":{{{data}}}}}}}"#
    ));
    let xml = data.replace(r"\\", r"\").split(',').fold(String::new(), |xml, pair| {
        let (name, value) = pair.trim().split_once(':').expect("a pair");
        xml + &format!("<Data Name='{}'>{}</Data>", name.trim_matches('"'), value.trim_matches('"'))
    });
    let xml = format!("<EventData>{xml}</EventData>").replace('\\', r"\\");
    assert_outbound(&format!(
        r#"{{"TimeGenerated":"{time}","EventSourceName":"{provider}","EventID":5156,"Computer":"WS-17","EventData":"{xml}"}}"#
    ));
}

#[test]
fn defenders_rows_are_connections_and_attempts() {
    let row = |action: &str, url: &str| {
        format!(
            r#"{{"Timestamp":"2024-05-14T09:13:27.481Z","DeviceName":"WS-17","ActionType":"{action}","RemoteIP":"203.0.113.9",
            "RemotePort":443,"RemoteUrl":"{url}","LocalIP":"10.0.0.10","LocalPort":3333,"Protocol":"Tcp",
            "InitiatingProcessFileName":"curl.exe","InitiatingProcessFolderPath":"c:\\tools\\curl.exe",
            "InitiatingProcessId":4556,"InitiatingProcessAccountDomain":"corp","InitiatingProcessAccountName":"mara",
            "ReportId":88123}}"#
        )
    };
    let log = [
        row("ConnectionSuccess", "https://c2.bad.example/x"),
        row("InboundConnectionAccepted", ""),
        row("ConnectionFailed", ""),
        row("ListeningConnectionCreated", ""),
    ];
    let (batches, ledger) = read(log.join("\n").as_bytes(), &Event::ALL);
    let [(Event::DefenderConnection, connections), (Event::DefenderAttempt, attempts)] = &batches[..] else {
        panic!("{batches:?}")
    };
    let [outbound, inbound] = ["10.0.0.10 3333 > 203.0.113.9 443", "203.0.113.9 443 > 10.0.0.10 3333"];
    assert_eq!([0, 1].map(|row| ends(connections, row)), [outbound, inbound]);
    assert_eq!(ends(attempts, 0), outbound);
    assert_eq!(text(connections, "dst_host_name", 0), "c2.bad.example");
    assert_eq!(text(connections, "dst_host_name", 1), "WS-17");
    assert_eq!(text(connections, "process_name", 0), r"c:\tools\curl.exe");
    assert_eq!(text(connections, "user_name", 0), r"corp\mara");
    assert_eq!(text(connections, "network_protocol", 0), "tcp");
    assert_eq!(text(attempts, "event_keywords", 0), "ConnectionFailed");
    assert_eq!(text(attempts, "provider_name", 0), "Microsoft Defender for Endpoint");
    assert_eq!(connections.column_by_name("process_guid").expect("a GUID").null_count(), 2);
    assert_eq!(connections.column(0).null_count(), 0);
    assert_eq!((ledger.records, ledger.rows(), ledger.other_providers, ledger.warnings.total()), (4, 3, 1, 0));

    let (batches, ledger) = read(log.join("\n").as_bytes(), &[Event::Connection]);
    assert!(batches.is_empty());
    assert_eq!(ledger.other_providers, 4);
}

#[test]
fn defenders_csv_is_read_as_its_json_is() {
    let log = "\"Timestamp\",\"DeviceName\",\"ActionType\",\"RemoteIP\",\"RemotePort\",\"LocalIP\",\"LocalPort\",\"Protocol\",\
        \"InitiatingProcessFileName\",\"InitiatingProcessFolderPath\",\"InitiatingProcessId\"\n\
        \"2024-05-14T09:13:27.481Z\",\"WS-17\",\"ConnectionSuccess\",\"203.0.113.9\",\"443\",\"10.0.0.10\",\"3333\",\"Tcp\",\
        \"curl.exe\",\"c:\\tools\",\"4556\"\n";
    let (batches, ledger) = read(log.as_bytes(), &[Event::DefenderConnection]);
    let [(Event::DefenderConnection, batch)] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(ends(batch, 0), "10.0.0.10 3333 > 203.0.113.9 443");
    assert_eq!(text(batch, "process_name", 0), r"c:\tools\curl.exe");
    assert_eq!((ledger.rows(), ledger.warnings.total()), (1, 0));
}
