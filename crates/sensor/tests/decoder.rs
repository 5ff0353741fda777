//! Records as the kernel side hands them over, and the rows they become; no kernel is asked.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use procwire_sensor::decoder::Decoder;
use procwire_sensor::processes::Guids;
use procwire_sensor::records::{
    Ancestor, Claim, Connection, Counts, Dns, Image, Nat, Owner, Peer, Process, attribution, kind, state,
};
use zerocopy::{FromZeros, IntoBytes};

const CURL: Owner =
    Owner { start_boot_ns: 12_340_000_000, tgid: 4711, exec_id: 3, uid: 1000, euid: 1000, holder: 1000, pad: 0 };

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(Guids { machine_id: 0xFFB1_2C03, boot_time_ns: 1_767_225_600_000_000_000 });
    decoder.wall_offset_ns = 1_767_225_600_000_000_000;
    decoder
}

/// A description by its texts: names of the executable and the control group, and the command line.
fn description(owner: Owner, texts: [&[u8]; 3]) -> Vec<u8> {
    let mut process = Process::new_zeroed();
    process.record = 1;
    process.owner = owner;
    process.device = 0x801;
    process.inode = 4242;
    process.mount_namespace = 4_026_531_841;
    let ancestors = [(812, 5_000_000_000, 71), (1, 10_000_000, 72)].map(|(tgid, start_boot_ns, image)| Ancestor {
        start_boot_ns,
        image,
        tgid,
        pad: 0,
    });
    process.ancestors = ancestors.len() as u8;
    let [executable_bytes, cgroup_bytes, command_bytes] = texts.map(|text| text.len() as u16);
    let process = Process { executable_bytes, cgroup_bytes, command_bytes, ..process };
    padded([process.as_bytes(), ancestors.as_bytes(), &texts.concat()].concat())
}

/// As the ring buffer does it: a multiple of 8.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), b'?');
    bytes
}

fn image(number: u64, names: &[u8]) -> Vec<u8> {
    let mut image = Image::new_zeroed();
    (image.record, image.image, image.path_bytes) = (6, number, names.len() as u16);
    padded([image.as_bytes(), names].concat())
}

fn process(owner: Owner) -> Vec<u8> {
    description(owner, [b"curl\0bin\0usr\0", b"sshd.service\0system.slice\0", b"curl\0-s\0"])
}

fn ipv4(last: u8) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, last]
}

fn connection(kind: u8, protocol: u8) -> Connection {
    let mut connection = Connection::new_zeroed();
    connection.record = 2;
    connection.kind = kind;
    connection.attribution = attribution::CALLER;
    connection.protocol = protocol;
    connection.initiated = u8::from([kind::CONNECT, kind::SENT, kind::ATTEMPT].contains(&kind));
    connection.owner = CURL;
    connection.cookie = 77;
    connection.netns = 4_026_531_840;
    connection.time_boot_ns = 60_123_456_789;
    connection.local = ipv4(1);
    connection.local_port = 40_000;
    connection.peer = ipv4(2);
    connection.peer_port = 443;
    connection
}

/// A record as the kernel side sends it: that of a close has counts behind it.
fn sent(connection: &Connection) -> Vec<u8> {
    let mut bytes = connection.as_bytes().to_vec();
    if connection.kind == kind::CLOSE {
        bytes.extend_from_slice(Counts::new_zeroed().as_bytes());
    }
    bytes
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn text(batch: &RecordBatch, name: &str) -> String {
    texts(batch, name)[0].clone().unwrap_or_else(|| panic!("{name} is null"))
}

fn long(batch: &RecordBatch, name: &str) -> i64 {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(0)
}

/// Where flows are seen before netfilter, what that makes of one is reported behind it.
#[test]
fn a_flow_has_its_translation_though_that_comes_later() {
    let mut flow = connection(kind::SENT, 17);
    flow.state = state::ESTABLISHED;
    let mut nat = Nat::new_zeroed();
    nat.record = 5;
    (nat.cookie, nat.peer.address, nat.peer.port) = (flow.cookie, flow.peer, flow.peer_port);
    (nat.translated_local, nat.local_port) = (ipv4(9), 50_000);
    (nat.translated_peer, nat.peer_port) = (flow.peer, flow.peer_port);
    let mut decoder = decoder();
    for record in [process(CURL), sent(&flow), nat.as_bytes().to_vec()] {
        decoder.feed(&record);
    }
    assert_eq!(decoder.rows(), 0);
    decoder.release(u64::MAX, |_, _| false);
    let batch = decoder.take().expect("a batch");
    assert_eq!(text(&batch, "nat_src_ip"), "192.0.2.9");
    assert_eq!(text(&batch, "dst_ip"), "192.0.2.2");
}

#[test]
fn a_connection_is_its_process_s() {
    let mut decoder = decoder();
    decoder.feed(&image(71, b"bash\0bin\0usr\0"));
    decoder.feed(&image(72, b"init\0sbin\0"));
    decoder.feed(&process(CURL));
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!(batch.num_rows(), 1);
    let time = batch.column_by_name("event_creation_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(time.value(0), 1_767_225_660_123_456);
    assert_eq!(text(&batch, "process_guid"), "{FFB12C03-B90C-6955-D204-00009C4900F2}");
    assert_eq!(text(&batch, "process_name"), "/usr/bin/curl");
    assert_eq!(text(&batch, "process_command_line"), "curl -s");
    assert_eq!(text(&batch, "process_parent_name"), "/usr/bin/bash");
    assert_eq!(text(&batch, "cgroup_path"), "/system.slice/sshd.service");
    assert_eq!((text(&batch, "src_ip"), text(&batch, "dst_ip")), ("192.0.2.1".into(), "192.0.2.2".into()));
    assert_eq!(batch.column_by_name("dst_port").unwrap().as_primitive::<Int32Type>().value(0), 443);
    assert_eq!((long(&batch, "process_id"), long(&batch, "user_id"), long(&batch, "connection_id")), (4711, 1000, 77));
    assert_eq!((text(&batch, "outcome"), text(&batch, "attribution")), ("established".into(), "caller".into()));
    assert_eq!(decoder.unattributed().map(|(_, count)| count), [0, 0]);
    assert_eq!(text(&batch, "process_ancestry"), r#"["812 /usr/bin/bash", "1 /sbin/init"]"#);
    assert_eq!((long(&batch, "process_image_device"), long(&batch, "process_image_inode")), (0x801, 4242));
    assert_eq!(long(&batch, "process_mount_namespace_id"), 4_026_531_841);
    assert_eq!(texts(&batch, "process_image_state"), [None]);
    assert!(!batch.column_by_name("process_name_truncated").unwrap().as_boolean().value(0));
}

/// Of a setuid program both are there; and a change of either makes no other process of it.
#[test]
fn the_real_and_the_effective_user_are_those_of_the_event() {
    let mut decoder = decoder();
    decoder.feed(&process(CURL));
    let mut later = connection(kind::CONNECT, 6);
    (later.owner.uid, later.owner.euid) = (65_534, 0);
    decoder.feed(later.as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!((long(&batch, "user_id"), long(&batch, "effective_user_id")), (65_534, 0));
    assert_eq!(text(&batch, "process_name"), "/usr/bin/curl");
}

/// The source is who spoke first: of an accepted connection the peer.
#[test]
fn an_accepted_connection_has_its_peer_as_source() {
    let mut decoder = decoder();
    decoder.feed(connection(kind::ACCEPT, 6).as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!((text(&batch, "src_ip"), text(&batch, "dst_ip")), ("192.0.2.2".into(), "192.0.2.1".into()));
    assert!(!batch.column_by_name("network_connection_initiated").unwrap().as_boolean().value(0));
}

/// Its description was lost and it is gone: what the record itself says of it is there, the rest is null, and that is
/// said and counted.
#[test]
fn a_row_without_its_process_says_why() {
    let mut decoder = decoder();
    decoder.feed(&image(71, b"bash\0bin\0usr\0"));
    decoder.feed(&image(72, b"init\0sbin\0"));
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    let mut nobodys = connection(kind::CONNECT, 6);
    (nobodys.owner, nobodys.attribution) = (Owner::default(), 0);
    decoder.feed(nobodys.as_bytes());
    // What has come is asked for once, and then there.
    assert_eq!(decoder.take_wanted(), [CURL.tgid]);
    decoder.feed(&process(CURL));
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    assert!(decoder.take_wanted().is_empty());
    let batch = decoder.take().unwrap();
    let attributions = ["undescribed", "unseen", "caller"].map(|text| Some(text.to_owned()));
    assert_eq!(texts(&batch, "attribution"), attributions);
    assert_eq!(texts(&batch, "process_name"), [None, None, Some("/usr/bin/curl".into())]);
    let guids = texts(&batch, "process_guid");
    assert_eq!((long(&batch, "process_id"), long(&batch, "user_id")), (4711, 1000));
    assert_eq!((&guids[0], &guids[1]), (&guids[2], &None));
    assert_eq!(decoder.unattributed(), [("undescribed", 1), ("unseen", 1)]);
}

/// Its SYN was sent before the recording began, and nobody was there to see whose it was.
#[test]
fn a_handshake_that_was_under_way_is_no_loss() {
    let mut decoder = decoder();
    decoder.begin_existing();
    let mut nobodys = connection(kind::CONNECT, 6);
    (nobodys.owner, nobodys.attribution) = (Owner::default(), 0);
    decoder.feed(nobodys.as_bytes());
    decoder.end_existing(false);
    assert_eq!(text(&decoder.take().unwrap(), "attribution"), "unseen");
    assert_eq!(decoder.unattributed().map(|(_, count)| count), [0, 0]);
}

/// A record that says it holds more than it does is counted, and described by nothing.
#[test]
fn a_description_cut_short_is_none() {
    let mut decoder = decoder();
    let whole = process(CURL);
    for length in 0..whole.len() - 8 {
        decoder.feed(&whole[..length]);
    }
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    assert_eq!(decoder.unknown, whole.len() as u64 - 8);
    assert_eq!(texts(&decoder.take().unwrap(), "process_name"), [None]);
}

/// After exec the same process is described again, under the same GUID.
#[test]
fn exec_changes_the_image_and_not_the_guid() {
    let mut decoder = decoder();
    let after = Owner { exec_id: 4, ..CURL };
    decoder.feed(&process(CURL));
    decoder.feed(&description(after, [b"nc\0bin\0", b"", b""]));
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    let mut later = connection(kind::CONNECT, 6);
    later.owner = after;
    decoder.feed(later.as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!(texts(&batch, "process_name"), [Some("/usr/bin/curl".into()), Some("/bin/nc".into())]);
    let guids = texts(&batch, "process_guid");
    assert_eq!(guids[0], guids[1]);
}

#[test]
fn a_received_flow_is_held_for_who_reads_it() {
    let mut decoder = decoder();
    let mut flow = connection(kind::RECEIVED, 17);
    flow.attribution = attribution::PENDING;
    decoder.feed(flow.as_bytes());
    assert_eq!(decoder.rows(), 0);
    let mut claim = Claim::new_zeroed();
    claim.record = 3;
    claim.kind = kind::RECEIVED;
    claim.cookie = flow.cookie;
    claim.owner = Owner { tgid: 99, ..CURL };
    decoder.feed(&process(claim.owner));
    decoder.feed(&process(CURL));
    decoder.feed(claim.as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!((long(&batch, "process_id"), text(&batch, "attribution")), (99, "caller".into()));

    decoder.feed(flow.as_bytes());
    decoder.release(flow.time_boot_ns + 500_000_000, |_, _| false);
    assert_eq!(decoder.rows(), 0);
    decoder.release(flow.time_boot_ns + 1_000_000_000, |_, _| false);
    assert_eq!(text(&decoder.take().unwrap(), "attribution"), "owner");
}

/// What nobody was seen reading, and has been read, was read by the only one who could.
#[test]
fn flows_read_unseen_are_the_only_holders() {
    let mut decoder = decoder();
    decoder.feed(&process(CURL));
    let mut flow = connection(kind::RECEIVED, 17);
    flow.attribution = attribution::PENDING;
    decoder.feed(flow.as_bytes());
    decoder.release(u64::MAX, |cookie, peer| cookie == flow.cookie && peer.port == flow.peer_port);
    assert_eq!(text(&decoder.take().unwrap(), "attribution"), "caller");
}

/// Whether an open connection had been accepted is known once all listeners are.
#[test]
fn existing_connections_have_a_direction() {
    let mut decoder = decoder();
    let mut accepted = connection(kind::EXISTING, 6);
    accepted.state = state::ESTABLISHED;
    accepted.local_port = 22;
    let mut connected = connection(kind::EXISTING, 6);
    connected.state = state::CLOSE_WAIT;
    connected.cookie = 78;
    let mut listener = connection(kind::EXISTING, 6);
    listener.state = state::LISTEN;
    listener.local_port = 22;
    decoder.begin_existing();
    for record in [accepted, connected, listener] {
        decoder.feed(record.as_bytes());
    }
    decoder.end_existing(true);
    let batch = decoder.take().unwrap();
    let initiated = batch.column_by_name("network_connection_initiated").unwrap().as_boolean().clone();
    assert_eq!(initiated.iter().collect::<Vec<_>>(), [Some(false), Some(true)]);
    assert_eq!(texts(&batch, "record_kind"), [Some("existing".into()), Some("existing".into())]);

    // The kernel side takes each of them for one that this end had made.
    let mut end = connection(kind::CLOSE, 6);
    end.initiated = 1;
    end.local_port = 22;
    decoder.feed(&sent(&end));
    let batch = decoder.take().unwrap();
    assert!(!batch.column_by_name("network_connection_initiated").unwrap().as_boolean().value(0));
    assert!(batch.column_by_name("duration_us").unwrap().is_null(0));
}

#[test]
fn outcomes_have_names() {
    let mut decoder = decoder();
    for error in [111, 110, 113, 101, 104, 0, 99] {
        let mut attempt = connection(kind::ATTEMPT, 6);
        attempt.error = error;
        decoder.feed(attempt.as_bytes());
    }
    for (left, error) in [
        (state::LAST_ACK, 0),
        (state::FIN_WAIT2, 0),
        (state::ESTABLISHED, 0),
        (state::ESTABLISHED, 104),
        (state::ESTABLISHED, 110),
    ] {
        let mut close = connection(kind::CLOSE, 6);
        (close.state, close.error) = (left, error);
        decoder.feed(&sent(&close));
    }
    let outcomes: Vec<_> = texts(&decoder.take().unwrap(), "outcome").into_iter().flatten().collect();
    let expected = "refused timed-out unreachable unreachable reset abandoned failed \
                    closed-by-peer closed-here reset-here reset-by-peer timed-out";
    assert_eq!(outcomes.join(" "), expected);
}

const SERVER: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 53];

/// The question for example.com's IPv4 address.
fn dns_question(id: u8) -> Vec<u8> {
    [&[0x12, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &b"\x07example\x03com\0\0\x01\0\x01"[..]].concat()
}

/// The answer: 192.0.2.2.
fn dns_answer(id: u8) -> Vec<u8> {
    let mut message = dns_question(id);
    (message[2], message[3], message[7]) = (0x81, 0x80, 1);
    [&message, &b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\xC0\0\x02\x02"[..]].concat()
}

/// A record of a message, and how it differs from one of curl's socket and server.
fn dns(sent: bool, payload: &[u8], change: impl FnOnce(&mut Dns)) -> Vec<u8> {
    let mut dns = Dns::new_zeroed();
    dns.record = 4;
    dns.sent = sent.into();
    (dns.tgid, dns.start_boot_ns, dns.holder) = (CURL.tgid, CURL.start_boot_ns, CURL.holder);
    (dns.cookie, dns.peer, dns.peer_port) = (5, SERVER, 53);
    dns.time_boot_ns = 60_000_000_000;
    dns.payload_bytes = payload.len() as u16;
    change(&mut dns);
    [dns.as_bytes(), payload].concat()
}

/// The name that curl's next connection has.
fn name_after(records: &[Vec<u8>]) -> Option<String> {
    let mut decoder = decoder();
    for record in records {
        // Longer than it says, as in the ring buffer.
        decoder.feed(&[&record[..], &[0xFF; 16]].concat());
    }
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    assert_eq!(decoder.unknown, 0);
    texts(&decoder.take().unwrap(), "dst_host_name")[0].clone()
}

/// A name comes from an answer that the process itself received, not from another's.
#[test]
fn names_are_those_that_the_process_was_told() {
    let mut decoder = decoder();
    decoder.feed(&dns(true, &dns_question(1), |_| ()));
    decoder.feed(&dns(false, &dns_answer(1), |_| ()));
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    let mut others = connection(kind::CONNECT, 6);
    others.owner.tgid = 5;
    decoder.feed(others.as_bytes());
    let batch = decoder.take().unwrap();
    assert_eq!(texts(&batch, "dst_host_name"), [Some("example.com".into()), None]);
    assert_eq!(texts(&batch, "dst_host_name_origin"), [Some("dns".into()), None]);
    assert_eq!(texts(&batch, "host_name_server"), [Some("192.0.2.53".into()), None]);
}

#[test]
fn an_answer_to_no_question_names_nothing_and_is_counted() {
    let question = dns(true, &dns_question(1), |_| ());
    let answer = dns(false, &dns_answer(1), |_| ());
    assert_eq!(name_after(&[question.clone(), answer.clone()]).as_deref(), Some("example.com"));
    assert_eq!(name_after(&[question.clone(), dns(false, &dns_answer(2), |_| ())]), None);
    assert_eq!(name_after(std::slice::from_ref(&answer)), None);
    assert_eq!(name_after(&[answer.clone(), question.clone()]), None);
    let others: [fn(&mut Dns); 4] = [
        |dns| dns.cookie = 6,
        |dns| dns.peer[15] = 54,
        |dns| dns.peer_port = 54,
        |dns| dns.time_boot_ns = 90_000_000_000,
    ];
    for change in others {
        assert_eq!(name_after(&[question.clone(), dns(false, &dns_answer(1), change)]), None);
    }
    let mut decoder = decoder();
    decoder.feed(&answer);
    assert!(decoder.warnings().any(|warning| warning == ("DNS answers to no question", 1)));
}

/// What a server sends names nothing for itself, nor does a question that comes in open anything.
#[test]
fn a_server_names_nothing_by_its_own_answers() {
    let asked = dns(false, &dns_question(1), |_| ());
    let said = dns(true, &dns_answer(1), |_| ());
    let answer = dns(false, &dns_answer(1), |_| ());
    assert_eq!(name_after(&[asked, said, answer]), None);
}

#[test]
fn by_tcp_both_sides_are_put_together() {
    let framed = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes(), &message[..]].concat();
    let pieces = |sent: bool, message: Vec<u8>| {
        let stream = framed(message);
        let piece = |at: usize, bytes: &[u8]| {
            dns(sent, bytes, |dns| (dns.over_tcp, dns.sequence) = (1, (at as u32).wrapping_sub(20)))
        };
        stream.chunks(9).enumerate().map(|(number, bytes)| piece(number * 9, bytes)).collect::<Vec<_>>()
    };
    let (question, answer) = (pieces(true, dns_question(1)), pieces(false, dns_answer(1)));
    let all = [question.clone(), answer.clone()].concat();
    assert_eq!(name_after(&all).as_deref(), Some("example.com"));
    assert_eq!(name_after(&answer), None);
    assert_eq!(name_after(&[question, pieces(false, dns_answer(2))].concat()), None);
}

#[test]
fn a_dns_record_cut_short_is_none() {
    let mut decoder = decoder();
    let whole = dns(true, &dns_question(1), |_| ());
    for length in 0..whole.len() {
        decoder.feed(&whole[..length]);
    }
    assert_eq!(decoder.unknown, whole.len() as u64);
}

#[test]
fn what_is_no_record_is_counted() {
    let mut decoder = decoder();
    decoder.feed(&[]);
    decoder.feed(&[9; 64]);
    assert_eq!((decoder.unknown, decoder.rows()), (2, 0));
}

/// A connection that was reset while it was being accepted: the accept and the end are the acceptor's.
#[test]
fn a_claim_of_an_accept_has_its_end_too() {
    let mut decoder = decoder();
    let mut accept = connection(kind::ACCEPT, 6);
    accept.attribution = attribution::PENDING;
    decoder.feed(accept.as_bytes());
    decoder.feed(&sent(&connection(kind::CLOSE, 6)));
    assert_eq!(decoder.rows(), 0);
    let mut claim = Claim::new_zeroed();
    claim.record = 3;
    claim.kind = kind::ACCEPT;
    claim.cookie = accept.cookie;
    claim.owner = Owner { tgid: 99, ..CURL };
    decoder.feed(claim.as_bytes());
    let batch = decoder.take().unwrap();
    let pids = batch.column_by_name("process_id").unwrap().as_primitive::<Int64Type>().clone();
    assert_eq!(pids.values(), &[99, 99]);
    assert_eq!(texts(&batch, "record_kind"), [Some("connection".into()), Some("close".into())]);
    // With nothing held, an end goes at once.
    decoder.feed(&sent(&connection(kind::CLOSE, 6)));
    assert_eq!(decoder.rows(), 1);
}

/// The clock of boot never steps; an event gets the wall time of when it is read, so a step of the clock, or a
/// suspension, moves the events after it and no others.
#[test]
fn a_step_of_the_clock_moves_what_comes_after() {
    let mut decoder = decoder();
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    decoder.wall_offset_ns += 3_600_000_000_000;
    decoder.feed(connection(kind::CONNECT, 6).as_bytes());
    let batch = decoder.take().unwrap();
    let times = batch.column_by_name("event_creation_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(0), 1_767_225_660_123_456);
    assert_eq!(times.value(1) - times.value(0), 3_600_000_000);
    // ProcessGuids hold the start by the boot's wall time as the first recorder found it: no step changes them.
    let guids = texts(&batch, "process_guid");
    assert_eq!(guids[0], guids[1]);
}

/// A record of a translation: the far end of the socket is 10.0.0.9:80 on the wire.
fn translation(user: u32, cookie: u64) -> Vec<u8> {
    let mut nat = Nat::new_zeroed();
    (nat.record, nat.protocol, nat.holder, nat.cookie) = (5, 6, user, cookie);
    nat.peer = Peer { address: ipv4(2), port: 443, pad: [0; 6] };
    (nat.translated_local, nat.local_port) = (ipv4(1), 40_000);
    (nat.translated_peer, nat.peer_port) = (ipv4(9), 80);
    nat.as_bytes().to_vec()
}

fn translated_to(decoder: &mut Decoder, kind: u8) -> Option<String> {
    decoder.feed(&sent(&Connection { initiated: 1, ..connection(kind, 6) }));
    texts(&decoder.take().unwrap(), "nat_dst_ip").pop().flatten()
}

#[test]
fn a_connection_and_its_end_have_its_translation() {
    let mut decoder = decoder();
    decoder.feed(&translation(1000, 77));
    assert_eq!(translated_to(&mut decoder, kind::CONNECT).as_deref(), Some("192.0.2.9"));
    assert_eq!(translated_to(&mut decoder, kind::CLOSE).as_deref(), Some("192.0.2.9"));
    // Nothing is kept of what has ended.
    assert_eq!(translated_to(&mut decoder, kind::CLOSE), None);
}

/// Whoever makes many translated connections, which never are established, takes no translation from others.
#[test]
fn one_user_s_translations_push_out_their_own() {
    let mut decoder = decoder();
    decoder.feed(&translation(0, 77));
    for cookie in 100..50_000 {
        decoder.feed(&translation(1000, cookie));
    }
    let warnings: Vec<_> = decoder.warnings().filter(|(_, count)| *count > 0).collect();
    assert_eq!(warnings, [("translated addresses forgotten: table full", 49_900 + 1 - 16_384)]);
    assert_eq!(translated_to(&mut decoder, kind::CONNECT).as_deref(), Some("192.0.2.9"));
}
