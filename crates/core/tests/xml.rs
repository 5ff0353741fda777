//! XML: real logs against their truth, every shape, every kind of damage.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bumpalo::Bump;
use procwire_core::cells::GARBLED_ADDRESS;
use procwire_core::columns::Batch;
use procwire_core::columns::Row;
use procwire_core::event::{Event, Events};
use procwire_core::format::{BROKEN_RECORD, FormatName, INVALID_UTF8, MAX_RECORD_BYTES, OVERLONG_RECORD, Verdict};
use procwire_core::ledger::Ledger;
use procwire_core::scan::decode;
use procwire_core::schema::{Field, Kind};
use procwire_core::stream::{Options, Stream};
use procwire_core::value::{Value as Cell, parse_ip, parse_time_us};
use procwire_core::xml::read_event;
use proptest::prelude::*;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event as XmlEvent};
use serde_json::Value;

const OPTIONS: Options = Options {
    format: Some(FormatName::Xml),
    recover: false,
    events: Events::CONNECTIONS,
    is_coded: false,
    mapping: None,
};

/// A row as text, cell by cell, without the columns of where it was read.
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

fn rows(batches: &[Batch]) -> Vec<Cells> {
    let row = |(event, batch): &Batch, row| event.fields().iter().map(|field| cell(batch, row, *field)).collect();
    batches.iter().flat_map(|batch| (0..batch.1.num_rows()).map(move |index| row(batch, index))).collect()
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
        let (decoded, part, _) = job.run();
        ledger.merge(part);
        batches.extend(decoded);
    }
    (rows(&batches), ledger)
}

fn get(row: &Cells, field: Field) -> Option<&str> {
    row[field as usize].as_deref()
}

fn all_are_counted(ledger: &Ledger) -> bool {
    let broken = ledger.damage.count(BROKEN_RECORD) + ledger.damage.count(OVERLONG_RECORD);
    ledger.records == ledger.rows() + ledger.other_events + ledger.other_providers + broken
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

/// The table's value for `text` in a log.
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

    // Written by old Sysmon: the reader adds none.
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
        // The event on the eighth line has no end tag.
        ("log4shell.part1.derived.syslog", 32, 1),
        ("issue_43.first20.events.xml", 20, 0),
    ];
    for (name, records, broken) in counts {
        let log = data().join(name);
        let ledger = assert_file_is_true(&log, &log.with_extension("truth.ndjson"));
        assert_eq!((ledger.records, ledger.damage.total()), (records, broken), "{name}");
    }
}

/// Logs that their licence keeps out of the repository: `PROCWIRE_DATA` names their folder.
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

const SAMPLE: &str = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event">
  <System>
    <Provider Name="Microsoft-Windows-Sysmon" Guid="{5770385F-C22A-43E0-BF4C-06F5698FFBD9}" /> 
    <EventID>3</EventID> 
    <Version>5</Version> 
    <Level>4</Level> 
    <Task>3</Task> 
    <Opcode>0</Opcode> 
    <Keywords>0x8000000000000000</Keywords> 
    <TimeCreated SystemTime="2018-04-11T05:29:36.333863500Z" /> 
    <EventRecordID>11750109</EventRecordID> 
    <Correlation /> 
    <Execution ProcessID="2152" ThreadID="3236" /> 
    <Channel>Microsoft-Windows-Sysmon/Operational</Channel> 
    <Computer>DESKTOP-WARDOG</Computer> 
    <Security UserID="S-1-5-18" /> 
  </System>
  <EventData>
    <Data Name="UtcTime">2018-04-11 05:29:35.394</Data> 
    <Data Name="ProcessGuid">{A98268C1-957F-5ACD-0000-0010EB030000}</Data> 
    <Data Name="ProcessId">4</Data> 
    <Data Name="Image">System</Data> 
    <Data Name="User">NT AUTHORITY\SYSTEM</Data> 
    <Data Name="Protocol">udp</Data> 
    <Data Name="Initiated">false</Data> 
    <Data Name="SourceIsIpv6">false</Data> 
    <Data Name="SourceIp">192.168.64.255</Data> 
    <Data Name="SourceHostname" /> 
    <Data Name="SourcePort">138</Data> 
    <Data Name="SourcePortName">netbios-dgm</Data> 
    <Data Name="DestinationIsIpv6">false</Data> 
    <Data Name="DestinationIp">192.168.64.135</Data> 
    <Data Name="DestinationHostname">DESKTOP-WARDOG.localdomain</Data> 
    <Data Name="DestinationPort">138</Data> 
    <Data Name="DestinationPortName">netbios-dgm</Data> 
  </EventData>
</Event>"#;

/// The sample's values, in the table's order.
const SAMPLE_VALUES: [&str; 33] = [
    "1523424575394000",
    "{A98268C1-957F-5ACD-0000-0010EB030000}",
    "4",
    "System",
    r"NT AUTHORITY\SYSTEM",
    "udp",
    "false",
    "false",
    "192.168.64.255",
    "",
    "138",
    "netbios-dgm",
    "false",
    "192.168.64.135",
    "DESKTOP-WARDOG.localdomain",
    "138",
    "netbios-dgm",
    "",
    "1523424576333863",
    "11750109",
    "DESKTOP-WARDOG",
    "Microsoft-Windows-Sysmon",
    "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    "Microsoft-Windows-Sysmon/Operational",
    "3",
    "5",
    "4",
    "3",
    "0",
    "0x8000000000000000",
    "2152",
    "3236",
    "S-1-5-18",
];

/// The sample on one line.
fn line() -> String {
    SAMPLE.lines().map(str::trim).collect::<Vec<_>>().concat()
}

fn prefixed(xml: &str, prefix: &str) -> String {
    xml.replace("</", "\0").replace('<', &format!("<{prefix}:")).replace('\0', &format!("</{prefix}:"))
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(to_bytes).collect()
}

#[test]
fn every_shape_gives_the_same_rows() {
    let (line, sample) = (line(), SAMPLE);
    let document = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Events>{line}{line}</Events>");
    let pretty = format!("<?xml version='1.0'?>\n<!-- exported -->\n<Events>\n{sample}\n{sample}\n</Events>\n");
    let long_ends = ["Provider", "TimeCreated", "Execution", "Security"].iter().fold(line.clone(), |xml, name| {
        let (before, after) = xml.split_once(&format!("<{name} ")).unwrap();
        format!("{before}<{name} {}", after.replacen(" />", &format!(">\n</{name}>"), 1))
    });
    let shapes: Vec<(&str, Vec<u8>)> = vec![
        ("document", document.clone().into()),
        ("pretty-printed", pretty.clone().into()),
        ("CRLF", pretty.replace('\n', "\r\n").into()),
        ("bare", format!("{line}{line}").into()),
        ("lines", format!("{line}\n{line}\n").into()),
        ("single quotes", format!("{line}\n{line}").replace('"', "'").into()),
        ("prefix evt", prefixed(&format!("{line}{line}"), "evt").into()),
        ("prefix ns0", prefixed(&pretty.replace("<?xml version='1.0'?>\n<!-- exported -->", ""), "ns0").into()),
        ("syslog", format!("Apr 11 05:29:36 host sysmon: {line}\nApr 11 05:29:36 host sysmon: {line}\n").into()),
        ("syslog 5424", format!("<14>1 2018-04-11T05:29:36Z h sysmon 1 - - {line}\n<14>1 2018 {line}").into()),
        ("UserId", format!("{line}{line}").replace("UserID", "UserId").into()),
        ("evtx_dump", format!("Record 1\n<?xml version=\"1.0\"?>\n{long_ends}\n\nRecord 2\n{long_ends}\n").into()),
        ("UTF-16LE", utf16(&document, u16::to_le_bytes)),
        ("UTF-16BE", utf16(&pretty, u16::to_be_bytes)),
        ("UTF-8 with a mark", format!("\u{feff}{document}").into()),
        ("Qualifiers", format!("{line}{line}").replace("<EventID>", "<EventID Qualifiers='0'>").into()),
        ("spaces in end tags", format!("{line}{line}").replace("</Event>", "</Event\r\n >").into()),
        ("rendered", {
            let rendered = "<RenderingInfo Culture='en-US'><Level>Information</Level><Task>T</Task>\
                            <Channel/><Provider>P</Provider></RenderingInfo></Event>";
            format!("{line}{line}").replace("</Event>", rendered).into()
        }),
        ("comments", format!("{line}{line}").replace("<Data", "<!-- </Event> <Event> --><?pi?>text<Data").into()),
        ("CDATA", format!("{line}{line}").replace(">System<", "><![CDATA[Sys]]><!-- - --><![CDATA[tem]]><").into()),
        ("references", format!("{line}{line}").replace(">System<", ">&#x53;yste&#109;<").into()),
        (
            "unknown data",
            format!("{line}{line}").replace("<EventData>", "<EventData><Data Name='New'>&x;</Data>").into(),
        ),
        ("EventData first", {
            let (system, data) = line.split_once("<EventData>").unwrap();
            let (event, system) = system.split_once("<System>").unwrap();
            let event = format!("{event}<EventData>{}<System>{system}</Event>", data.replace("</Event>", ""));
            format!("{event}{event}").into()
        }),
    ];
    for (name, bytes) in shapes {
        let (rows, ledger) = read(&bytes);
        assert_eq!((ledger.records, ledger.rows()), (2, 2), "{name}: {ledger:?}");
        assert_eq!(ledger.warnings.total() + ledger.damage.total(), 0, "{name}: {ledger:?}");
        for row in rows {
            for ((field, value), expected) in Event::Connection.fields().iter().zip(&row).zip(SAMPLE_VALUES) {
                assert_eq!(value.as_deref().unwrap_or_default(), expected, "{name}: {field:?}");
            }
        }
    }
}

#[test]
fn values_without_names_are_told_by_their_count() {
    let data: Vec<_> = SAMPLE_VALUES[..17].iter().map(|value| format!("<Data>{value}</Data>")).collect();
    let data = data.concat().replace("1523424575394000", "2018-04-11 05:29:35.394");
    let system = line().split_once("<EventData>").unwrap().0.to_owned();
    let event = |data: &str| format!("{system}<EventData>{data}</EventData></Event>");
    for (rule_name, data) in [("", data.clone()), ("r", format!("<Data>r</Data>{data}"))] {
        let (rows, _) = read(event(&data).as_bytes());
        assert_eq!(rows[0][..17].iter().flatten().count(), 16);
        for (value, expected) in rows[0].iter().zip(SAMPLE_VALUES).take(17) {
            assert_eq!(value.as_deref().unwrap_or_default(), expected);
        }
        assert_eq!(get(&rows[0], Field::RuleName).unwrap_or_default(), rule_name);
    }
    let (rows, ledger) = read(event("<Data>1</Data><Data Name='User'>u</Data>").as_bytes());
    assert!(rows.is_empty());
    assert_eq!(only_detail(&ledger), "found 1 Data without a Name beside 1 with one, expected 17 or 18, or none");
}

#[test]
fn references_are_resolved_and_nothing_expands() {
    let with = |user: &str| line().replace(r"NT AUTHORITY\SYSTEM", user);
    for (user, expected) in [
        ("&lt;unknown process&gt;", "<unknown process>"),
        // As in Azure's Syslog table.
        ("&lt unknown process&gt ", "<unknown process>"),
        ("&amp;&quot;&apos;&#233;&#xE9;&#x1F600;", "&\"'\u{e9}\u{e9}\u{1f600}"),
        ("&#xD83D;", "\u{fffd}"),
        ("<![CDATA[a]]>&amp;<![CDATA[&amp;</Event>]]>", "a&&amp;</Event>"),
        ("\u{4f60}\u{597d}", "\u{4f60}\u{597d}"),
    ] {
        let (rows, ledger) = read(format!("{}{}", with(user), line()).as_bytes());
        assert_eq!(ledger.rows(), 2, "{user}: {ledger:?}");
        assert_eq!(get(&rows[0], Field::UserName), Some(expected));
    }
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    for name in ["b", "x", "nbsp", "#", "#x110000000"] {
        let (rows, ledger) = read(format!("{laughs}<Events>{}{}", with(&format!("&{name};")), line()).as_bytes());
        assert_eq!((rows.len(), ledger.records), (1, 2), "{name}");
        let detail = format!("found entity &{name};, expected a predefined one or a character reference");
        assert_eq!(only_detail(&ledger), detail);
    }
}

#[test]
fn other_events_and_providers_are_counted_unread() {
    let other_event = line().replace("<EventID>3<", "<EventID>1<").replace("<Data Name", "<<&");
    let other_provider = line().replace("Microsoft-Windows-Sysmon\"", "Microsoft-Windows-Security-Auditing\"");
    let foreign = "<Event name='click'><EventData/></Event>";
    let (rows, ledger) = read(format!("{other_event}{other_provider}{foreign}{}", line()).as_bytes());
    assert_eq!((rows.len(), ledger.records), (1, 4));
    assert_eq!((ledger.other_events, ledger.other_providers), (1, 2));
}

#[test]
fn a_hidden_event_is_none() {
    let (rows, ledger) = read(format!("<Events><!-- {0} -->{0}<!-- {0} --></Events>", line()).as_bytes());
    assert_eq!((rows.len(), ledger.records), (1, 1));
    // A comment without end hides nothing.
    let (rows, ledger) = read(format!("<Events><!-- {0}{0}", line()).as_bytes());
    assert_eq!((rows.len(), ledger.records), (2, 2));
}

#[test]
fn damage_is_told_with_its_place() {
    let line = line();
    for (broken, detail) in [
        (line.replace("</System>", ""), "found </Event>, expected </System>"),
        (line.replace("</EventData>", ""), "found </Event>, expected </EventData>"),
        (line.replace(">3</EventID>", ">three</EventID>"), "found no number in EventID, expected one"),
        (line.replace("<Channel>", "<Channel><b>"), "found <b>, expected text in <Channel>"),
        (line.replace("<Correlation />", "<!ELEMENT>"), "found a declaration, expected elements and text"),
        (line.replace("<Correlation />", "<Correlation"), "expected a tag"),
        (line.replace("</Event>", ""), "found the next event or the end of the input, expected </Event>"),
        (line.replace("\" /><EventID>", "><EventID>"), "expected a tag"),
    ] {
        let (rows, ledger) = read(format!("<Events>\n{line}\n  {broken}\n{line}\n").as_bytes());
        assert!(all_are_counted(&ledger));
        assert_eq!((rows.len(), ledger.records), (2, 3), "{detail}");
        assert!(only_detail(&ledger).contains(detail), "{ledger:?}");
        let (_, _, examples) = ledger.damage.iter().next().unwrap();
        assert_eq!((examples[0].offset, examples[0].line), (9 + line.len() as u64 + 3, Some(3)));
    }
}

#[test]
fn invalid_utf8_is_replaced_and_told() {
    let mut bytes = line().into_bytes();
    let at = bytes.windows(12).position(|window| window == br"NT AUTHORITY").unwrap();
    bytes[at] = 0xff;
    let (rows, ledger) = read(&bytes);
    assert_eq!(get(&rows[0], Field::UserName), Some("\u{fffd}T AUTHORITY\\SYSTEM"));
    assert_eq!(ledger.warnings.count(INVALID_UTF8), 1);
}

#[test]
fn a_file_cut_anywhere_loses_only_the_event_that_was_cut() {
    let text = format!("<?xml version='1.0'?>\n<Events>\n{}\n{SAMPLE}{}</Events>", line(), line());
    let ends: Vec<_> = text.match_indices("</Event>").map(|(at, tag)| at + tag.len()).collect();
    for len in 0..=text.len() {
        let (rows, ledger) = read(&text.as_bytes()[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(rows.len(), whole, "{len}");
        assert_eq!(ledger.rows(), whole as u64);
        assert!(all_are_counted(&ledger) && ledger.damage.total() <= 1, "{len}: {ledger:?}");
    }
}

#[test]
fn an_overlong_event_is_dropped_and_reading_goes_on() {
    let filler = "<Data Name='x'>0123456789</Data>".repeat(MAX_RECORD_BYTES / 32);
    let overlong = line().replace("</EventData>", &format!("{filler}</EventData>"));
    let text = format!("{0}\n{overlong}\n{0}", line());
    let whole = read(text.as_bytes());
    assert_eq!((whole.0.len(), whole.1.records), (2, 3));
    assert_eq!(whole.1.damage.count(OVERLONG_RECORD), 1);
    assert_eq!(get(&whole.0[1], Field::SourceLine), Some("3"));
    assert_eq!(read_in_pieces(text.as_bytes().chunks(1 << 20)), whole);
}

/// A reader with quadratic time takes long for each of these.
#[test]
fn hostile_repetition_takes_linear_time() {
    let inside = |part: &str| line().replace("<EventData>", &format!("<EventData>{}", part.repeat(50_000)));
    for text in [
        "<Event>".repeat(50_000),
        "<Event ><!--".repeat(50_000),
        "<Event ><![CDATA[<!--".repeat(50_000),
        "<!--".repeat(50_000),
        "</Event>".repeat(50_000),
        "</Event ".repeat(50_000),
        "<a:".repeat(50_000) + "Event>",
        inside("<a>"),
        inside("<!---->"),
        inside("<![CDATA[]]>"),
        inside("<Data>"),
        inside("<Data Name='User'>x<!-- -->y</Data>"),
        line().replace(">System<", &format!(">{}<", "&amp;<!---->".repeat(50_000))),
        line().replace("<Correlation", &format!("<Correlation {}", "a='b' ".repeat(50_000))),
    ] {
        let (_, ledger) = read(text.as_bytes());
        assert!(all_are_counted(&ledger));
        let (_, in_pieces) = read_in_pieces(text.as_bytes().chunks(1 << 20));
        assert_eq!(ledger, in_pieces);
    }
}

/// Text of the parts of XML events, in random order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let line = line().into_bytes();
    let token = prop_oneof![
        3 => Just(line.clone()),
        1 => Just(line.repeat(3)),
        1 => Just(line[..line.len() - 8].to_vec()),
        1 => prop::sample::subsequence(line.clone(), line.len() - 2),
        4 => prop::sample::select(vec![
            "<Event>", "<Event ", "<e:Event\n", "</Event>", "</e:Event >", "</Event", "<!--", "-->", "<![CDATA[", "]]>",
            "<!-- <Event -->", "<![CDATA[</Event>]]>", "<!", "<", ">", "\n", "\r\n", "<Events>", "<EventData>", "<EventID>3</EventID>", "&amp;", "&", "'", "\"",
            "<?x", "?>", "<Data Name='User'>", "<Data>", "</Data>", "<System>", "</System>", ":Event>", "Event",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(all_are_counted(&read(&bytes).1));
    }

    #[test]
    fn pieces_give_the_same_as_the_whole(bytes in soup(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let whole = read(&bytes);
        prop_assert!(all_are_counted(&whole.1));
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let pieces = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        prop_assert_eq!(read_in_pieces(pieces), whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn single_bytes_give_the_same_as_the_whole(bytes in soup()) {
        prop_assert_eq!(read_in_pieces(bytes.chunks(1)), read(&bytes));
    }
}

/// An element's name, and the field of its text.
type Element = (String, Option<Field>);

/// The cells that quick-xml reads from a well-formed event 3.
fn reference(xml: &str) -> Vec<(Field, String)> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut path, mut cells) = (Vec::<Element>::new(), Vec::<(Field, String)>::new());
    loop {
        match reader.read_event().unwrap() {
            XmlEvent::Start(tag) => path.push(reference_tag(&tag, &path, &mut cells)),
            XmlEvent::Empty(tag) => drop(reference_tag(&tag, &path, &mut cells)),
            XmlEvent::End(_) => drop(path.pop()),
            XmlEvent::Text(text) => reference_text(&path, &text, &mut cells),
            XmlEvent::CData(text) => reference_text(&path, &text, &mut cells),
            XmlEvent::GeneralRef(name) => {
                let symbol = name.resolve_char_ref().unwrap().map(String::from);
                let text = symbol.unwrap_or_else(|| resolve_predefined_entity(&name).unwrap().into());
                reference_text(&path, &text, &mut cells);
            }
            XmlEvent::Eof => break,
            _ => {}
        }
    }
    cells.retain(|(_, text)| !text.is_empty());
    cells.sort_by_key(|(field, _)| *field as usize);
    cells
}

fn reference_tag(tag: &BytesStart, path: &[Element], cells: &mut Vec<(Field, String)>) -> Element {
    let name: String = tag.local_name().as_ref().into();
    let parent = path.get(1).map_or("", |(name, _)| &**name);
    let mut field = match (parent, &*name) {
        ("System", "EventID") => Some(Field::EventId),
        ("System", "Computer") => Some(Field::ComputerName),
        _ => None,
    };
    for attribute in tag.attributes() {
        let attribute = attribute.unwrap();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned();
        match (parent, &*name, attribute.key.as_ref()) {
            ("System", "Provider", "Name") => cells.push((Field::ProviderName, value)),
            ("EventData", "Data", "Name") => field = Field::from_data_name(&value),
            _ => {}
        }
    }
    if let Some(field) = field {
        cells.retain(|(other, _)| *other != field);
        cells.push((field, String::new()));
    }
    (name, field)
}

fn reference_text(path: &[Element], text: &str, cells: &mut [(Field, String)]) {
    if let Some((_, Some(field))) = path.last()
        && let Some((_, cell)) = cells.iter_mut().find(|(other, _)| other == field)
    {
        cell.push_str(text);
    }
}

/// Text as an element may contain it.
fn written() -> impl Strategy<Value = String> {
    let plain = "[a-zA-Z0-9 .:/\\\\>'\"{}\u{e9}\u{4f60}-]{0,12}";
    let part = prop_oneof![
        6 => plain,
        1 => prop::sample::select(vec!["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#65;", "&#x1F600;"])
            .prop_map(String::from),
        1 => plain.prop_map(|text| format!("<![CDATA[{text}&lt;</Event>]]>")),
        1 => plain.prop_map(|text| format!("<!--{}<Event>-->", text.replace('-', ""))),
        1 => Just("<?pi <x>?>".to_owned()),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// An event 3 in a random well-formed spelling.
fn lawful() -> impl Strategy<Value = String> {
    let names = vec!["Image", "User", "RuleName", "SourceHostname", "DestinationPortName", "New", "Protocol"];
    let space = prop::sample::select(vec!["", " ", "\r\n  ", "\t<!-- <a> -->\n", "<?x y?>"]);
    let datum = (prop::sample::select(names), written(), any::<bool>(), space);
    let data = prop::collection::vec(datum, 0..9);
    let provider = prop::sample::select(vec!["Microsoft-Windows-Sysmon", "Linux-Sysmon", "Linux&#45;Sysmon"]);
    let quote = prop::sample::select(vec!['"', '\'']);
    (data, provider, written(), quote, any::<bool>(), any::<bool>()).prop_map(
        |(data, provider, computer, q, prefix, late)| {
            let system = format!(
                "<System><Provider Guid={q}a>b{q}  Name = {q}{provider}{q} /><EventID Qualifiers={q}{q}>3</EventID>\
                 <Computer>{computer}</Computer></System>"
            );
            let data = data.iter().map(|(name, text, usual, space)| match usual {
                true => format!("{space}<Data Name={q}{name}{q}>{text}</Data>"),
                false => format!("{space}<Data\n x={q}y{q}  Name ={q}{name}{q} >{text}</Data >{space}<Data Name=''/>"),
            });
            let data = format!("<EventData a={q}/{q}>{}</EventData>", data.collect::<String>());
            let (first, second) = if late { (data, system) } else { (system, data) };
            let not_ours = format!("<UserData><Data Name={q}User{q}>no</Data></UserData>");
            let xml = format!("<Event xmlns={q}urn:x{q}>{first}{not_ours}{second}</Event>");
            if prefix { in_namespace(&xml) } else { xml }
        },
    )
}

/// An event's elements with a prefix.
fn in_namespace(xml: &str) -> String {
    ["Event", "System", "Provider", "EventID", "Computer", "EventData", "UserData", "Data"].iter().fold(
        xml.to_owned(),
        |xml, name| {
            [" ", ">", "\n", "/"].iter().fold(xml, |xml, end| {
                xml.replace(&format!("<{name}{end}"), &format!("<e:{name}{end}"))
                    .replace(&format!("</{name}{end}"), &format!("</e:{name}{end}"))
            })
        },
    )
}

proptest! {
    #[test]
    fn lawful_events_read_as_quick_xml_reads_them(xml in lawful()) {
        let arena = Bump::new();
        let mut row = Row::default();
        prop_assert_eq!(read_event(&xml, &arena, &mut row, Events::default()), Ok(Verdict::Asked(Event::Connection)), "{}", xml);
        let read = Event::Connection.fields().iter().filter_map(|field| match row.get(*field) {
            Cell::Text(text) if !text.is_empty() && *field != Field::ProviderGuid => Some((*field, text.to_owned())),
            _ => None,
        });
        prop_assert_eq!(read.collect::<Vec<_>>(), reference(&xml));
        let (rows, ledger) = self::read(xml.repeat(2).as_bytes());
        prop_assert_eq!((rows.len(), ledger.records), (2, 2));
    }
}

/// An event with one letter or digit replaced by another, which leaves it well-formed.
fn struck(event: &str, at: &prop::sample::Index, by: char) -> String {
    let places: Vec<_> = event.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
    let at = places[at.index(places.len())];
    format!("{}{by}{}", &event[..at], &event[at + 1..])
}

proptest! {
    /// What the reader learns from an event does not change how it reads similar ones: alone, each takes the general
    /// path.
    #[test]
    fn events_in_company_read_as_each_alone(
        events in prop::collection::vec(lawful(), 1..4),
        turns in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[0-9A-Za-z]", any::<bool>()), 1..12),
    ) {
        let mut company = String::new();
        let mut alone = Vec::new();
        for (event, at, by, as_it_is) in &turns {
            let event = &events[event.index(events.len())];
            let event = if *as_it_is { event.clone() } else { struck(event, at, by.chars().next().unwrap()) };
            let (rows, ledger) = read(event.as_bytes());
            if ledger.records == 1 && ledger.damage.total() == 0 {
                company.push_str(&event);
                alone.extend(rows);
            }
        }
        let without_place = |rows: Vec<Cells>| -> Vec<Cells> {
            rows.into_iter().map(|row| row[..Field::SourceOffset as usize].to_vec()).collect()
        };
        let (rows, _) = read(company.as_bytes());
        prop_assert_eq!(without_place(rows), without_place(alone));
    }
}

/// Processor time of this thread: other work on the machine does not count.
fn cpu_ns() -> u64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse().unwrap()
}

/// Measure megabytes per second in one thread; every event is event 3, or one in a hundred.
#[test]
#[ignore = "a measurement, for release builds"]
fn throughput() {
    let log = fs::read(data().join("issue_43.first20.events.xml")).unwrap();
    let end = log.windows(9).rposition(|tag| tag == b"</Events>").unwrap();
    let events = log[log.windows(7).position(|tag| tag == b"<Event ").unwrap()..end].to_vec();
    let others = String::from_utf8(events.clone()).unwrap().replace("<EventID>3<", "<EventID>1<").into_bytes();
    let all = events.repeat(10_000);
    let few = [events, others.repeat(99)].concat().repeat(100);
    for (name, bytes) in [("all", all), ("one in a hundred", few)] {
        for _ in 0..3 {
            let mut stream = Stream::new("test.xml", OPTIONS);
            let mut rows = 0;
            let mut cutting = 0;
            let start = cpu_ns();
            for piece in bytes.chunks(1 << 20) {
                let mut jobs = Vec::new();
                let cut = cpu_ns();
                stream.feed(piece.to_vec(), false, &mut jobs);
                cutting += cpu_ns() - cut;
                rows += jobs.into_iter().flat_map(|job| job.run().0).map(|(_, batch)| batch.num_rows()).sum::<usize>();
            }
            let rate = |ns: u64| 1_000 * bytes.len() as u64 / ns;
            println!("{name}: {} MB/s, cutting {} MB/s, {rows} rows", rate(cpu_ns() - start), rate(cutting));
        }
    }
}
