//! Lines and batches of the same records have the same values.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use hashbrown::HashMap;
use procwire_sensor::decoder::Decoder;
use procwire_sensor::lines::cell::Style;
use procwire_sensor::lines::form::{Cell, Part};
use procwire_sensor::lines::{Constant, HostName, Layout, Lines, Names};
use procwire_sensor::processes::Guids;
use procwire_sensor::records::{
    Ancestor, Connection, Counts, Nat, Owner, Process, attribution, initiated, kind, state,
};
use zerocopy::{FromZeros, IntoBytes};

const BETWEEN: char = '\u{1f}';
const NULL: &str = "null";
const HERE: u32 = 4_026_531_840;

/// Says what it was asked; keeps the rows that rules were asked about.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<RecordBatch>>>);

impl Names for Asked {
    fn user(&mut self, uid: u32) -> Option<String> {
        (uid != 7).then(|| format!("user-{uid}"))
    }

    fn host(&mut self, address: &str, is_own: bool, _holder: u32) -> Option<HostName> {
        (address != "192.0.2.9").then(|| (format!("{address}-{is_own}"), "reverse".into()))
    }

    fn container(&mut self, cgroup: &str) -> Option<String> {
        cgroup.strip_prefix("/docker/").map(str::to_owned)
    }

    fn logs(&mut self, image: Option<&str>) -> bool {
        image != Some("/usr/sbin/sshd")
    }

    fn stamp(&mut self) -> String {
        "Nov  4 10:00:00 ".into()
    }

    fn rules(&mut self, rows: RecordBatch) -> Option<Vec<Option<String>>> {
        self.0.lock().unwrap().push(rows.clone());
        let ports = rows.column_by_name("dst_port")?.as_primitive::<Int32Type>();
        Some(
            ports
                .values()
                .iter()
                .map(|port| (*port != 53).then(|| if *port == 443 { "web" } else { "" }.into()))
                .collect(),
        )
    }

    fn keeps(&mut self, rows: RecordBatch) -> Option<Vec<bool>> {
        let kinds = rows.column_by_name("record_kind")?.as_string::<i32>();
        Some(kinds.iter().map(|kind| kind != Some("attempt")).collect())
    }
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(Guids { machine_id: 0xFFB1_2C03, boot_time_ns: 1_767_225_600_000_000_000 });
    decoder.wall_offset_ns = 1_767_225_600_000_000_000;
    decoder
}

/// Lines of these columns.
fn lines(columns: &[&str], connections_only: bool) -> Box<Lines> {
    begun(layout(columns, connections_only), &Asked::default())
}

fn begun(layout: Layout, asked: &Asked) -> Box<Lines> {
    let mut lines = Lines::new(layout, Box::new(asked.clone()));
    lines.begin(1, u64::MAX);
    Box::new(lines)
}

fn layout(columns: &[&str], connections_only: bool) -> Layout {
    let mut parts = Vec::new();
    for column in columns {
        let cell = |text: &str| text.to_owned();
        parts.push(Part::Cell(Cell {
            column: cell(column),
            before: cell(""),
            after: cell(""),
            null: cell(NULL),
            style: Style::Plain,
        }));
        parts.push(Part::Literal(BETWEEN.into()));
    }
    parts.push(Part::Literal("\n".into()));
    Layout {
        parts,
        constants: HashMap::from([("event_id".to_owned(), Constant::Integer(3))]),
        ports: HashMap::from([((443, false), "https".to_owned()), ((53, true), "domain".to_owned())]),
        namespace: Some(HERE),
        connections_only,
        by_image: connections_only,
        rules: None,
        predicate: None,
        names_hosts: true,
        sizes: HashMap::new(),
    }
}

fn written(decoder: &Decoder) -> Vec<Vec<String>> {
    let text = String::from_utf8(decoder.lines.as_ref().unwrap().bytes().to_vec()).unwrap();
    text.lines().map(|line| line.split_terminator(BETWEEN).map(str::to_owned).collect()).collect()
}

fn process(owner: Owner, name: &str) -> Vec<u8> {
    let texts: [&[u8]; 3] = [name.as_bytes(), b"abc\0docker\0", b"curl\0-s\0"];
    let [executable_bytes, cgroup_bytes, command_bytes] = texts.map(|text| text.len() as u16);
    let ancestor = Ancestor { start_boot_ns: 5_000_000_000, image: 71, tgid: 812, pad: 0 };
    let mut process = Process { executable_bytes, cgroup_bytes, command_bytes, ..Process::new_zeroed() };
    (process.record, process.owner, process.ancestors) = (1, owner, 1);
    (process.device, process.inode, process.mount_namespace, process.image_state) = (0x801, 4242, 6, 1);
    let mut bytes = [process.as_bytes(), ancestor.as_bytes(), &texts.concat()].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn owner(tgid: u32, uid: u32) -> Owner {
    Owner { start_boot_ns: 12_340_000_000, tgid, exec_id: 3, uid, euid: 0, holder: uid, pad: 0 }
}

fn ipv4(last: u8) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, last]
}

fn connection(kind: u8, protocol: u8, process: Owner) -> Connection {
    Connection {
        record: 2,
        kind,
        protocol,
        attribution: attribution::CALLER,
        initiated: initiated::YES,
        owner: process,
        cookie: 77,
        netns: HERE,
        time_boot_ns: 60_123_456_789,
        local: ipv4(1),
        local_port: 40_000,
        peer: ipv4(2),
        peer_port: 443,
        ..Connection::new_zeroed()
    }
}

fn sent(connection: &Connection) -> Vec<u8> {
    let counts =
        Counts { duration_ns: 1_234_567, sent_bytes: 5, received_bytes: 6, sent_packets: 7, received_packets: 8 };
    let close = connection.kind == kind::CLOSE;
    [connection.as_bytes(), if close { counts.as_bytes() } else { b"" }].concat()
}

/// Two processes, all kinds, both protocols and families, ends known and not.
fn records() -> Vec<Vec<u8>> {
    let (curl, sshd, gone) = (owner(4711, 1000), owner(812, 0), owner(99, 7));
    let mut ipv6 = connection(kind::ACCEPT, 6, sshd);
    (ipv6.local, ipv6.peer, ipv6.initiated) = ([0x20; 16], [0x21; 16], initiated::NO);
    let mut attempt = connection(kind::ATTEMPT, 6, curl);
    (attempt.error, attempt.netns, attempt.interface) = (111, 5, 2);
    let mut close = connection(kind::CLOSE, 6, Owner { uid: 1, ..curl });
    close.state = state::FIN_WAIT2;
    let mut midway = connection(kind::SENT, 17, sshd);
    (midway.initiated, midway.netns, midway.peer_port) = (initiated::UNKNOWN, 5, 53);
    let mut nobodys = connection(kind::ACCEPT, 6, Owner::default());
    (nobodys.attribution, nobodys.initiated, nobodys.netns) = (0, initiated::NO, 5);
    let events =
        [connection(kind::CONNECT, 6, curl), ipv6, attempt, close, midway, nobodys, connection(kind::SENT, 17, gone)];
    let mut nat = Nat::new_zeroed();
    (nat.record, nat.cookie, nat.peer) = (5, 77, events[0].far_end());
    (nat.local_port, nat.peer_port, nat.translated_local, nat.translated_peer) = (1, 8443, ipv4(3), [0x22; 16]);
    [process(curl, "curl\0bin\0usr\0"), process(sshd, "sshd\0sbin\0usr\0"), nat.as_bytes().to_vec()]
        .into_iter()
        .chain(events.iter().map(sent))
        .collect()
}

fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return NULL.into();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Binary => column.as_binary::<i32>().value(row).iter().map(|byte| format!("{byte:02X}")).collect(),
        _ => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
    }
}

/// What enrichment fills in batches is filled here already.
fn is_enriched(name: &str) -> bool {
    ["user_name", "event_recorded_time", "record_id", "container_id"].contains(&name)
        || name.contains("_host_name")
        || name.ends_with("_port_name")
}

#[test]
fn every_column_has_the_values_of_the_table() {
    let (mut batches, mut decoded) = (decoder(), decoder());
    records().iter().for_each(|record| batches.feed(record));
    let batch = batches.take().unwrap();
    let schema = batch.schema();
    let names: Vec<&str> =
        schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !is_enriched(name)).collect();
    decoded.lines = Some(lines(&names, false));
    records().iter().for_each(|record| decoded.feed(record));
    let rows = written(&decoded);
    assert_eq!(rows.len(), batch.num_rows());
    for (row, line) in rows.iter().enumerate() {
        let due: Vec<_> = names.iter().map(|name| text(batch.column_by_name(name).unwrap(), row)).collect();
        assert_eq!(line, &due);
    }
    // A process's part is kept, and is not another's.
    let place = names.iter().position(|name| *name == "process_name").unwrap();
    assert_eq!(
        rows.iter().map(|row| row[place].as_str()).collect::<Vec<_>>(),
        ["/usr/bin/curl", "/usr/sbin/sshd", "/usr/bin/curl", "/usr/bin/curl", "/usr/sbin/sshd", NULL, NULL]
    );
}

/// In another network namespace the process's own end is known, though its addresses are not.
#[test]
fn names_are_those_that_were_asked_for() {
    let mut decoder = decoder();
    let columns = ["user_name", "src_host_name", "dst_host_name", "src_port_name", "dst_port_name", "container_id"];
    decoder.lines = Some(lines(&columns, false));
    records().iter().for_each(|record| decoder.feed(record));
    assert_eq!(
        written(&decoder),
        [
            ["user-1000", "192.0.2.1-false", "192.0.2.2-false", NULL, "https", "abc"],
            [
                "user-0",
                "2121:2121:2121:2121:2121:2121:2121:2121-false",
                "2020:2020:2020:2020:2020:2020:2020:2020-false",
                "https",
                NULL,
                "abc"
            ],
            ["user-1000", "192.0.2.1-true", "192.0.2.2-false", NULL, "https", "abc"],
            ["user-1", "192.0.2.1-false", "192.0.2.2-false", NULL, "https", "abc"],
            ["user-0", "192.0.2.1-true", "192.0.2.2-false", NULL, "domain", "abc"],
            [NULL, "192.0.2.2-false", "192.0.2.1-true", "https", NULL, NULL],
            [NULL, "192.0.2.1-false", "192.0.2.2-false", NULL, NULL, NULL],
        ]
    );
}

#[test]
fn rows_are_numbered_and_counted() {
    let mut decoder = decoder();
    decoder.lines = Some(lines(&["record_id", "record_kind"], true));
    decoder.lines.as_mut().unwrap().begin(10, 5);
    records().iter().for_each(|record| decoder.feed(record));
    assert_eq!(written(&decoder), [["10", "connection"], ["13", "connection"], ["14", "connection"]]);
    let counts = decoder.lines.as_ref().unwrap().counts();
    // The attempt and the close have a number, but no form; what is beyond the limit has neither.
    assert_eq!((counts.written, counts.skipped, counts.taken(), counts.ruled_out), (3, 2, 5, 2));
    assert_eq!(counts.captured, [("connection".to_owned(), 5), ("attempt".into(), 1), ("close".into(), 1)]);
    assert!(decoder.is_full());
    decoder.lines.as_mut().unwrap().begin(15, u64::MAX);
    assert!(decoder.lines.as_ref().unwrap().is_empty());
}

/// Nobody waits for them, and they are many: they come in pieces, as all else.
#[test]
fn existing_connections_wait_for_their_form() {
    let mut decoder = decoder();
    decoder.holds_existing = true;
    decoder.begin_existing();
    let mut existing = connection(kind::EXISTING, 6, Owner::default());
    existing.state = state::ESTABLISHED;
    for cookie in 1..=10_000 {
        existing.cookie = cookie;
        decoder.feed(&sent(&existing));
    }
    decoder.end_existing(true);
    assert_eq!(decoder.rows(), 0);
    decoder.lines = Some(lines(&["record_kind"], false));
    let mut told = 0;
    while told < 10_000 {
        decoder.lines.as_mut().unwrap().begin(1, u64::MAX);
        decoder.release(0, |_, _| false);
        let count = written(&decoder).len();
        assert!(0 < count && count <= 4096);
        told += count;
    }
    assert_eq!(told, 10_000);
}

fn columns(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

/// What `Asked` says to the rows of `records`: flows to port 53 are not logged, those to 443 have a name.
#[test]
fn rules_choose_and_name_rows_in_their_order() {
    let asked = Asked::default();
    let layout = Layout { rules: columns(&["dst_port"]), ..layout(&["record_id", "dst_port", "rule_name"], false) };
    let mut decoder = decoder();
    decoder.lines = Some(begun(layout, &asked));
    records().iter().for_each(|record| decoder.feed(record));
    decoder.lines.as_mut().unwrap().finish();
    let first = [
        ["1", "443", "web"],
        ["2", "40000", NULL],
        ["3", "443", "web"],
        ["4", "443", "web"],
        ["5", "40000", NULL],
        ["6", "443", "web"],
    ];
    assert_eq!(written(&decoder), first);
    assert_eq!(decoder.lines.as_ref().unwrap().counts().ruled_out, 1);
    // Each port was asked once, and is not asked again.
    decoder.lines.as_mut().unwrap().begin(1, 3);
    records().iter().for_each(|record| decoder.feed(record));
    decoder.lines.as_mut().unwrap().finish();
    assert_eq!(written(&decoder), first[..3]);
    let counts = decoder.lines.as_ref().unwrap().counts();
    assert_eq!((counts.taken(), counts.ruled_out), (3, 1));
    assert_eq!(asked.0.lock().unwrap().iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3]);
}

/// Rows that wait are written as those that do not.
#[test]
fn rows_that_wait_are_whole() {
    let schema = decoder().take().unwrap().schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = |row: &Vec<String>| row.clone();
    let mut plain = decoder();
    plain.lines = Some(lines(&names, false));
    records().iter().for_each(|record| plain.feed(record));
    let all = written(&plain);
    let kind = names.iter().position(|name| *name == "record_kind").unwrap();
    let id = names.iter().position(|name| *name == "record_id").unwrap();
    let time = names.iter().position(|name| *name == "event_recorded_time").unwrap();
    let due: Vec<_> = all.iter().filter(|row| row[kind] != "attempt").map(columns).collect();
    let mut decoder = decoder();
    let layout =
        Layout { predicate: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..layout(&names, false) };
    decoder.lines = Some(begun(layout, &Asked::default()));
    records().iter().for_each(|record| decoder.feed(record));
    decoder.lines.as_mut().unwrap().finish();
    let without = |row: &Vec<String>| {
        let mut row = row.clone();
        (row[id], row[time]) = (String::new(), String::new());
        row
    };
    let found = written(&decoder);
    assert_eq!(found.iter().map(without).collect::<Vec<_>>(), due.iter().map(without).collect::<Vec<_>>());
    assert_eq!(found.iter().map(|row| row[id].clone()).collect::<Vec<_>>(), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn names_that_are_not_to_be_looked_up_are_null() {
    let mut decoder = decoder();
    let columns = ["src_host_name", "dst_host_name", "src_port_name", "dst_port_name", "dst_host_name_origin"];
    decoder.lines = Some(begun(Layout { names_hosts: false, ..layout(&columns, false) }, &Asked::default()));
    records().iter().for_each(|record| decoder.feed(record));
    assert!(written(&decoder).iter().flatten().all(|value| value == NULL));
}

#[test]
fn texts_are_cut_to_their_size() {
    let mut decoder = decoder();
    let sizes = [("process_name", 8), ("user_name", 6), ("network_protocol", 2), ("dst_host_name", 100)];
    let sizes = HashMap::from(sizes.map(|(name, size)| (name.to_owned(), size)));
    let names = ["process_name", "user_name", "network_protocol", "dst_host_name"];
    decoder.lines = Some(begun(Layout { sizes, ..layout(&names, false) }, &Asked::default()));
    records().iter().for_each(|record| decoder.feed(record));
    let rows = written(&decoder);
    assert_eq!(rows[0], ["/usr/...", "use...", NULL, "192.0.2.2-false"]);
    assert_eq!(rows[3][1], "user-1");
}

/// However many combinations of values there are, those that are kept have a bound.
#[test]
fn verdicts_are_bounded() {
    let asked = Asked::default();
    let mut decoder = decoder();
    decoder.lines = Some(begun(
        Layout { rules: columns(&["src_port", "dst_port", "src_ip"]), ..layout(&["src_port"], false) },
        &asked,
    ));
    let mut event = connection(kind::CONNECT, 6, owner(4711, 1000));
    let mut rounds = |decoder: &mut Decoder, ports: std::ops::Range<u32>| {
        let mut rows = 0;
        for number in ports {
            event.local[8..12].copy_from_slice(&number.to_ne_bytes());
            decoder.feed(&sent(&event));
            if decoder.is_full() {
                decoder.lines.as_mut().unwrap().finish();
                rows += written(decoder).len();
                decoder.lines.as_mut().unwrap().begin(1, u64::MAX);
            }
        }
        rows
    };
    // Two rounds of so many fit in no table.
    let count = 1 << 16;
    assert_eq!(rounds(&mut decoder, 0..count) + rounds(&mut decoder, 0..count), 2 * count as usize);
    let rows: usize = asked.0.lock().unwrap().iter().map(RecordBatch::num_rows).sum();
    assert!(rows > count as usize);
}
