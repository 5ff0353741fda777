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
