//! One event in the encodings in which tools write message texts, pairs and tables: each gives the same row, once for each
//! event, wherever the input is divided.

#[path = "json_truth.rs"]
mod truth;

use procwire_core::columns::{BROKEN_LINES, MISRENDERED_MESSAGE};
use procwire_core::format::{BROKEN_RECORD, FormatName};
use procwire_core::schema::{Field, Kind};
use procwire_core::value::parse_time_us;
use proptest::prelude::*;
use truth::{assert_identity, read, read_in_pieces};

const NAMES: [&str; 18] = [
    "RuleName",
    "UtcTime",
    "ProcessGuid",
    "ProcessId",
    "Image",
    "User",
    "Protocol",
    "Initiated",
    "SourceIsIpv6",
    "SourceIp",
    "SourceHostname",
    "SourcePort",
    "SourcePortName",
    "DestinationIsIpv6",
    "DestinationIp",
    "DestinationHostname",
    "DestinationPort",
    "DestinationPortName",
];

type Values = [String; 18];

fn values() -> Values {
    [
        "technique_id=T1571,technique_name=Non-Standard Port",
        "2024-05-14 09:13:27.481",
        "{A1B2C3D4-5E6F-6643-9A01-000000001A00}",
        "6712",
        r"C:\Users\mara\new\App  Data\upd.exe",
        r"CORP\mara",
        "tcp",
        "true",
        "false",
        "10.20.30.41",
        "WS-17.corp.example",
        "50122",
        "-",
        "false",
        "203.0.113.77",
        "c2.bad.example",
        "4444",
        "-",
    ]
    .map(str::to_owned)
}

fn joined(values: &Values, heading: &str, between: &str) -> String {
    let pairs: Vec<_> = NAMES.iter().zip(values).map(|(name, value)| format!("{name}: {value}")).collect();
    format!("Network connection detected:{heading}{}", pairs.join(between))
}

fn pairs(values: &Values, between: &str, quote: impl Fn(&str) -> String) -> String {
    let pairs: Vec<_> = NAMES.iter().zip(values).map(|(name, value)| format!("{name}={}", quote(value))).collect();
    pairs.join(between)
}

fn xml(values: &Values, escape: impl Fn(&str) -> String) -> String {
    let data: String = NAMES
        .iter()
        .zip(values)
        .map(|(name, value)| format!("<Data Name=\"{name}\">{}</Data>", escape(value)))
        .collect();
    format!(
        "<Event><System><Provider Name=\"Microsoft-Windows-Sysmon\"/><EventID>3</EventID><EventRecordID>88123</EventRecordID>\
         <Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>WS-17</Computer></System>\
         <EventData>{data}</EventData></Event>"
    )
}

fn expected(field: Field, value: &str) -> Option<String> {
    match field.kind() {
        _ if value == "-" => None,
        Kind::Time => parse_time_us(value).map(|us| us.to_string()),
        _ => Some(value.to_owned()),
    }
}

/// What of the header an encoding has.
const ALL: &[(Field, &str)] = &[
    (Field::ComputerName, "WS-17"),
    (Field::ProviderName, "Microsoft-Windows-Sysmon"),
    (Field::Channel, "Microsoft-Windows-Sysmon/Operational"),
    (Field::RecordId, "88123"),
    (Field::EventId, "3"),
];
const HOST: &[(Field, &str)] = &[(Field::ComputerName, "WS-17"), (Field::EventId, "3")];
const TAG: &[(Field, &str)] =
    &[(Field::ComputerName, "WS-17"), (Field::ProviderName, "Microsoft-Windows-Sysmon"), (Field::EventId, "3")];
const VIEWER: &[(Field, &str)] =
    &[(Field::ProviderName, "Microsoft-Windows-Sysmon"), (Field::EventId, "3"), (Field::EventLevel, "4")];
const NONE: &[(Field, &str)] = &[];

/// An encoding: its name, what stands before the events, an event, and what it has of the header.
type Encoding = (&'static str, &'static str, String, &'static [(Field, &'static str)]);

fn encodings(values: &Values) -> Vec<Encoding> {
    let snare = "<14>May 14 11:13:28 WS-17 MSWinEventLog\t1\tMicrosoft-Windows-Sysmon/Operational\t9\tTue May 14 11:13:28 2024\
                 \t3\tMicrosoft-Windows-Sysmon\tSYSTEM\tUser\tInformation\tWS-17\tNetwork connection detected (rule: \
                 NetworkConnect)\t\t";
    let space = "<14>May 14 11:13:28 WS-17 MSWinEventLog 1 Microsoft-Windows-Sysmon/Operational 9 Tue May 14 11:13:28 2024 3 \
                 Microsoft-Windows-Sysmon SYSTEM User Information WS-17 Network connection detected (rule: NetworkConnect)  ";
    let wincollect = "<13>May 14 11:13:28 WS-17 AgentDevice=WindowsLog\tAgentLogFile=Microsoft-Windows-Sysmon/Operational\t\
                      PluginVersion=7.3.1.28\tSource=Microsoft-Windows-Sysmon\tComputer=WS-17\tUser=SYSTEM\tDomain=NT AUTHORITY\
                      \tEventID=3\tEventIDCode=3\tRecordNumber=88123\tLevel=Informational\tMessage=";
    let header = "EventID=\"3\" SourceName=\"Microsoft-Windows-Sysmon\" RecordNumber=\"88123\" Hostname=\"WS-17\" \
                  Channel=\"Microsoft-Windows-Sysmon/Operational\"";
    let splunk = "05/14/2024 11:13:28 AM\nLogName=Microsoft-Windows-Sysmon/Operational\nSourceName=Microsoft-Windows-Sysmon\n\
                  EventCode=3\nEventType=4\nType=Information\nComputerName=WS-17\nUser=NOT_TRANSLATED\nSid=S-1-5-18\n\
                  RecordNumber=88123\nKeywords=None\nMessage=";
    let copied = "Log Name:      Microsoft-Windows-Sysmon/Operational\nSource:        Microsoft-Windows-Sysmon\n\
                  Date:          5/14/2024 11:13:28 AM\nEvent ID:      3\nLevel:         Information\nUser:          SYSTEM\n\
                  Computer:      WS-17\nDescription:\n";
    let german = "Protokollname: Microsoft-Windows-Sysmon/Operational\nQuelle:        Microsoft-Windows-Sysmon\n\
                  Datum:         14.05.2024 11:13:28\nEreignis-ID:   3\nEbene:         Informationen\nBenutzer:      SYSTEM\n\
                  Computer:      WS-17\nBeschreibung:\n";
    let tool = "Event[0]:\n  Log Name: Microsoft-Windows-Sysmon/Operational\n  Source: Microsoft-Windows-Sysmon\n  \
                Date: 2024-05-14T11:13:28.503\n  Event ID: 3\n  User: S-1-5-18\n  Computer: WS-17\n  Description: \n";
    let list = format!(
        "Message              : {}\nId                   : 3\nProviderName         : Microsoft-Windows-Sysmon\n\
         LogName              : Microsoft-Windows-Sysmon/Operational\nRecordId             : 88123\n\
         ProcessId            : 3120\nMachineName          : WS-17\n\n",
        joined(values, "\n                       ", "\n                       ")
    );
    let journal: String = joined(values, "\n", "\n")
        .lines()
        .skip(1)
        .map(|line| format!("May 14 11:13:28 WS-17 sysmon[13]: \t{line}\n"))
        .collect();
    let framed = format!(
        "<14>1 2024-05-14T09:13:28.503441+00:00 WS-17 Microsoft-Windows-Sysmon 3120 - - {}",
        joined(values, "\r\n", "\r\n")
    );
    let doubled = |text: &str| text.replace('\\', "\\\\");
    let lines = joined(values, "\n", "\n");
    vec![
        (
            "rsyslog",
            "",
            format!("2024-05-14T00:00:14+00:00 WS-17 Microsoft-Windows-Sysmon[3028]: {}\n", joined(values, "  ", "  ")),
            TAG,
        ),
        ("one blank", "", format!("<14>May 14 11:13:28 WS-17 Sysmon: {}\n", joined(values, " ", " ")), HOST),
        ("tabs", "", format!("May 14 11:13:28 WS-17 Sysmon: {}\n", joined(values, "\t", "\t")), HOST),
        ("bars", "", format!("May 14 11:13:28 WS-17 Sysmon: {} |\n", joined(values, " | ", " | ")), HOST),
        ("semicolons", "", format!("May 14 11:13:28 WS-17 Sysmon: {};\n", joined(values, " ", "; ")), HOST),
        (
            "octal, backslashes",
            "",
            format!("May 14 11:13:28 WS-17 Sysmon: {}\n", joined(values, "\\012", "\\012")),
            HOST,
        ),
        ("escaped lines", "", format!("May 14 11:13:28 WS-17 Sysmon: {}\n", joined(values, "\\r\\n", "\\r\\n")), HOST),
        (
            "escaped all",
            "",
            format!(
                "May 14 11:13:28 WS-17 Sysmon: {}\\n\n",
                joined(&values.clone().map(|value| doubled(&value)), "\\n", "\\n")
            ),
            HOST,
        ),
        (
            "octal",
            "",
            format!("{}{}#01188123\n", snare.replace('\t', "#011"), joined(values, "#015#012", "#015#012")),
            ALL,
        ),
        ("snare", "", format!("{snare}{}\t88123\n", joined(values, "   ", "  ")), ALL),
        ("snare, blanks", "", format!("{space}{} 88123\n", joined(values, "  ", "  ")), ALL),
        ("wincollect", "", format!("{wincollect}{}\n", joined(values, " ", " ")), ALL),
        (
            "structured data",
            "",
            format!(
                "<14>1 2024-05-14T11:13:28.503441+02:00 WS-17 Microsoft-Windows-Sysmon 3120 - [NXLOG@14506 {header} {}] {}\n",
                pairs(values, " ", |text| format!("\"{}\"", doubled(text))),
                joined(values, " ", " ")
            ),
            ALL,
        ),
        (
            "nxlog pairs",
            "",
            format!("{}, {}\n", header.replace(" ", ", "), pairs(values, ", ", |text| format!("\"{text}\""))),
            ALL,
        ),
        (
            "bare pairs",
            "",
            format!(
                "May 14 11:13:28 WS-17 {}\t{}\n",
                header.replace('"', "").replace(' ', "\t"),
                pairs(values, "\t", str::to_owned)
            ),
            ALL,
        ),
        (
            "ossec",
            "",
            format!(
                "2024 May 14 11:13:28 WinEvtLog: Microsoft-Windows-Sysmon/Operational: INFORMATION(3): Microsoft-Windows-Sysmon: SYSTEM: NT AUTHORITY: WS-17: {}\n",
                joined(values, "  ", "  ")
            ),
            TAG,
        ),
        ("bare lines", "", format!("{lines}\n"), NONE),
        ("syslog lines", "", format!("May 14 11:13:28 WS-17 Sysmon: {lines}\n"), HOST),
        ("splunk", "", format!("{splunk}{lines}\n\n"), ALL),
        ("splunk, no blank line", "", format!("{splunk}{lines}\n"), ALL),
        ("copied", "", format!("{copied}{lines}\n\n"), TAG),
        (
            "copied with XML",
            "",
            format!("{copied}{lines}\nEvent Xml:\n{}\n\n", xml(values, str::to_owned).replace("<Data", "\n  <Data")),
            ALL,
        ),
        (
            "copied, german",
            "",
            format!("{german}{}\n", lines.replace("Network connection detected", "Netzwerkverbindung erkannt")),
            TAG,
        ),
        ("wevtutil", "", format!("{tool}{lines}\n\n"), TAG),
        ("list", "\n\n", list, ALL),
        (
            "journal",
            "",
            format!("May 14 11:13:28 WS-17 sysmon[13]: Event SYSMONEVENT_NETWORK_CONNECT\n{journal}"),
            HOST,
        ),
        ("length before", "", format!("{} {framed}", framed.len()), TAG),
        (
            "viewer csv",
            "\u{feff}Level,Date and Time,Source,Event ID,Task Category\r\n",
            format!(
                "Information,5/14/2024 11:13:28 AM,Microsoft-Windows-Sysmon,3,Network connection detected (rule: NetworkConnect),\"{}\"\r\n",
                joined(values, "\r\n", "\r\n")
            ),
            VIEWER,
        ),
        (
            "viewer text",
            "Ebene\tDatum und Uhrzeit\tQuelle\tEreignis-ID\tAufgabenkategorie\r\n",
            format!(
                "Informationen\t14.05.2024 11:13:28\tMicrosoft-Windows-Sysmon\t3\tx\t\"{}\"\r\n",
                joined(values, "\r\n", "\r\n")
            ),
            &VIEWER[..1],
        ),
        (
            "powershell csv",
            "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n\"Message\",\"Id\",\"RecordId\",\"ProviderName\",\"LogName\",\"MachineName\"\r\n",
            format!(
                "\"{}\",\"3\",\"88123\",\"Microsoft-Windows-Sysmon\",\"Microsoft-Windows-Sysmon/Operational\",\"WS-17\"\r\n",
                joined(values, "\r\n", "\r\n")
            ),
            ALL,
        ),
        ("splunk csv", "\"_time\",\"host\",\"_raw\"\n", format!("\"2024-05-14\",\"x\",\"{splunk}{lines}\n\"\n"), ALL),
        (
            "csv of anything",
            "when,what\n",
            format!("2024,\"{}\"\n", xml(values, str::to_owned).replace('"', "\"\"")),
            ALL,
        ),
        ("csv without header", "", format!("\"2024\",\"{}\"\n", xml(values, str::to_owned).replace('"', "\"\"")), ALL),
        (
            "xml, escaped",
            "",
            format!(
                "May 14 11:13:28 WS-17 x: {}\n",
                xml(values, str::to_owned).replace('<', "&lt;").replace('>', "&gt;")
            ),
            ALL,
        ),
        (
            "xml in json",
            "",
            format!(
                "2024 May 14 09:13:29 (WS-17) any->EventChannel {{\"Event\": \"{}\"}}\n",
                doubled(&xml(values, str::to_owned)).replace('"', "\\\"")
            ),
            ALL,
        ),
        ("xml, not escaped", "", format!("May 14 11:13:28 WS-17 sysmon: {}\n", xml(values, str::to_owned)), ALL),
        (
            "clixml",
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">",
            format!(
                "<Obj RefId=\"0\"><TN RefId=\"0\"><T>x</T></TN><Props><I32 N=\"Id\">3</I32><I64 N=\"RecordId\">88123</I64><S N=\"ProviderName\">Microsoft-Windows-Sysmon</S><S N=\"LogName\">Microsoft-Windows-Sysmon/Operational</S><S N=\"MachineName\">WS-17</S><Obj N=\"Bookmark\" RefId=\"1\"><Props><I32 N=\"Id\">1</I32></Props></Obj></Props><MS><S N=\"Message\">{}</S></MS></Obj>",
                joined(values, "_x000D__x000A_", "_x000D__x000A_")
            ),
            ALL,
        ),
        (
            "clixml of texts",
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">",
            format!("<S>{}</S>", xml(values, str::to_owned).replace('<', "&lt;").replace('>', "&gt;")),
            ALL,
        ),
    ]
}

fn assert_event(name: &str, row: &[Option<String>], values: &Values, header: &[(Field, &str)]) {
    for (field, value) in NAMES.iter().zip(values) {
        let field = Field::from_data_name(field).unwrap();
        assert_eq!(row[field as usize], expected(field, value), "{name}: {}", field.column());
    }
    for (field, value) in header {
        assert_eq!(row[*field as usize].as_deref(), Some(*value), "{name}: {}", field.column());
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn each_encoding_gives_the_event() {
    let values = values();
    for (name, before, event, header) in encodings(&values) {
        let log = format!("{before}{event}{event}");
        let (rows, account) = read(log.as_bytes());
        let ledger = &account.ledger;
        assert_eq!((rows.len(), ledger.records, ledger.damage.total()), (2, 2, 0), "{name}: {ledger:?}");
        assert_identity(ledger);
        rows.iter().for_each(|row| assert_event(name, row, &values, header));
        assert_eq!(read_in_pieces(log.as_bytes(), &[1]), (rows.clone(), account.ledger.clone()), "{name}");
        if name == "length before" {
            continue;
        }
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let text = log.trim_start_matches('\u{feff}');
            let (wide, _) = read(&utf16(text, to_bytes));
            assert_eq!(wide.len(), 2, "{name} in UTF-16");
            wide.iter().for_each(|row| assert_event(name, row, &values, header));
        }
    }
}

#[test]
fn utf16_without_a_mark_is_recognised_in_any_script() {
    let header = "\u{423}\u{440}\u{43e}\u{432}\u{435}\u{43d}\u{44c},\u{414}\u{430}\u{442}\u{430} \u{438} \u{432}\u{440}\u{435}\u{43c}\u{44f},\u{418}\u{441}\u{442}\u{43e}\u{447}\u{43d}\u{438}\u{43a},\u{41a}\u{43e}\u{434}\r\n";
    let row = format!("x,14.05.2024 11:13:28,Microsoft-Windows-Sysmon,3,\"{}\"\r\n", joined(&values(), "\r\n", "\r\n"));
    let (rows, account) = read(&utf16(&format!("{header}{row}"), u16::to_le_bytes));
    assert_eq!((rows.len(), account.format), (1, Some(FormatName::Csv)));
    assert_event("russian", &rows[0], &values(), &VIEWER[..1]);
}

#[test]
fn a_rules_name_and_a_path_may_hold_names_of_fields() {
    let mut values = values();
    values[0] = "Alert: User: suspicious  Image: x".to_owned();
    values[4] = "/tmp/a  User: b".to_owned();
    for between in ["  ", "\n", "\t", " | "] {
        let (rows, _) = read(format!("May 14 11:13:28 WS-17 x: {}\n", joined(&values, between, between)).as_bytes());
        assert_event(between, &rows[0], &values, HOST);
    }
}

#[test]
fn fields_in_another_order_are_read_line_by_line() {
    let mut lines: Vec<_> = NAMES.iter().zip(values()).map(|(name, value)| format!("{name}: {value}")).collect();
    lines.sort();
    let header = "\"Record ID\",\"Computer\",\"Event Data\"\n";
    let (rows, account) = read(format!("{header}\"88123\",\"WS-17\",\"{}\"\n", lines.join("\n")).as_bytes());
    assert_eq!((rows.len(), account.format), (1, Some(FormatName::Csv)), "{:?}", account.ledger);
    assert_event("sorted", &rows[0], &values(), &[(Field::ComputerName, "WS-17"), (Field::RecordId, "88123")]);
}

#[test]
fn markup_that_is_not_escaped_is_read_as_it_stands() {
    for path in ["/tmp/a&b", "/tmp/a<b", "/tmp/a & b <c> &d;e".trim_end_matches(";e"), "/tmp/</b>"] {
        let mut values = values();
        values[4] = path.to_owned();
        let log = format!("May 14 x sysmon: {}\n", xml(&values, str::to_owned)).repeat(2);
        let (rows, account) = read(log.as_bytes());
        assert_eq!((rows.len(), account.ledger.damage.total()), (2, 0), "{path}: {:?}", account.ledger);
        assert_event(path, &rows[0], &values, ALL);
    }
}

#[test]
fn nothing_is_taken_from_a_text_of_another_version() {
    let shifted: Vec<_> = NAMES.iter().zip(&values()[1..]).map(|(name, value)| format!("{name}: {value}")).collect();
    let text = format!("Network connection detected:\n{}\nDestinationPortName: %18\n", shifted.join("\n"));
    let good = joined(&values(), "  ", "  ");
    let (rows, account) = read(format!("{good}\nMay 14 x y: {}", text.replace('\n', "  ")).as_bytes());
    assert_eq!((rows.len(), account.ledger.damage.count(BROKEN_RECORD)), (1, 1));
    let object = serde_json::json!({
        "EventID": 3, "SourceName": "Microsoft-Windows-Sysmon", "UtcTime": values()[1], "ProcessGuid": values()[2],
        "SourceIp": values()[9], "DestinationIp": values()[14], "Message": text,
    });
    let (rows, account) = read(object.to_string().as_bytes());
    assert_eq!(account.ledger.warnings.count(MISRENDERED_MESSAGE), 1, "{:?}", account.ledger);
    assert_eq!(rows[0][Field::ProcessName as usize], None);
    assert_eq!(rows[0][Field::DstIp as usize].as_deref(), Some("203.0.113.77"));
}

#[test]
fn a_value_that_powershell_broke_is_null_and_counted() {
    let text = joined(&values(), "\n   ", "\n   ").replace("App  Data", "App\n   Data");
    let (rows, account) = read(format!("Message              : {text}\nId                   : 3\n\n").as_bytes());
    assert_eq!((rows.len(), account.ledger.warnings.count(BROKEN_LINES)), (1, 1));
    assert_eq!(rows[0][Field::ProcessName as usize], None);
    assert_eq!(rows[0][Field::DstPort as usize].as_deref(), Some("4444"));
}

#[test]
fn a_cut_event_loses_itself_only() {
    let values = values();
    for (name, before, event, _) in encodings(&values) {
        // Nothing says where the next event of these begins, or the cut one is read to the next one.
        if matches!(name, "length before" | "csv without header")
            || name.starts_with("clixml")
            || name.contains("csv")
            || name.contains("viewer")
        {
            continue;
        }
        let cut = &event[..event.find("DestinationIp").unwrap() + 5];
        let log = format!("{before}{event}{cut}\n{event}");
        let (rows, account) = read(log.as_bytes());
        assert_eq!(rows.len(), 2, "{name}: {:?}", account.ledger);
        rows.iter().for_each(|row| assert_event(name, row, &values, NONE));
    }
}

#[test]
fn rows_with_other_counts_of_cells_are_read_if_nothing_shifts() {
    let header = "EventID,ProcessGuid,UtcTime,Image,DestinationIp,DestinationPort,DestinationPortName\n";
    let start = "3,{A1B2C3D4-5E6F-6643-9A01-000000001A00},2024-05-14 09:13:27.481,C:\\a.exe,203.0.113.77";
    let (rows, account) = read(format!("{header}{start},4444,,\n{start},4444\n{start}\n{start},1,a,b\n").as_bytes());
    assert_eq!((rows.len(), account.ledger.damage.count(BROKEN_RECORD)), (2, 2));
    let grouped = "EventID,ProcessGuid,UtcTime,Image,DestinationIp,DestinationPort\n";
    let (rows, _) = read(format!("{grouped}{start},\"4,444\"\n").as_bytes());
    assert_eq!(rows[0][Field::DstPort as usize].as_deref(), Some("4444"));
}

#[test]
fn siem_formats_give_what_they_have() {
    let cef = "<14>May 14 11:13:28 WS-17 CEF:0|Microsoft|Sysmon||Microsoft-Windows-Sysmon:3|Network connection detected|Low| \
               externalId=3 rt=1715678008503 cat=Microsoft-Windows-Sysmon/Operational dhost=WS-17 shost=WS-17 src=10.20.30.41 \
               spt=50122 dst=203.0.113.77 dpt=4444 proto=tcp sproc=C:\\\\a b\\\\c\\=d.exe spid=6712 suser=CORP\\\\mara \
               cs1={A1B2C3D4-5E6F-6643-9A01-000000001A00} cs1Label=ProcessGuid deviceProcessName=Sysmon\n";
    let (rows, _) = read(cef.repeat(2).as_bytes());
    let text = |field: Field| rows[1][field as usize].as_deref();
    assert_eq!(text(Field::ProcessName), Some(r"C:\a b\c=d.exe"));
    assert_eq!(text(Field::ProcessGuid), Some("{A1B2C3D4-5E6F-6643-9A01-000000001A00}"));
    assert_eq!(text(Field::ProviderName), Some("Microsoft-Windows-Sysmon"));
    assert_eq!(text(Field::EventRecordedTime), Some("1715678008503000"));
    assert_eq!((text(Field::DstHostName), text(Field::ComputerName)), (None, Some("WS-17")));
    for (version, between) in [("1.0|", "\t"), ("2.0|", "^"), ("2.0|", "\t")] {
        let separator = if between == "^" {
            "x5E|"
        } else if version == "2.0|" {
            "|"
        } else {
            ""
        };
        let leef = format!(
            "<13>May 14 11:13:28 WS-17 LEEF:{version}Microsoft|Windows|4.0.15|3|{separator}{}\n",
            [
                "src=10.20.30.41",
                "srcPort=50122",
                "dst=203.0.113.77",
                "dstPort=4444",
                "proto=tcp",
                r"Image=C:\a b.exe",
                "ProcessGuid={A1B2C3D4-5E6F-6643-9A01-000000001A00}"
            ]
            .join(between)
        );
        let (rows, _) = read(leef.as_bytes());
        assert_eq!(rows[0][Field::ProcessName as usize].as_deref(), Some(r"C:\a b.exe"), "{leef}");
        assert_eq!(rows[0][Field::DstPort as usize].as_deref(), Some("4444"));
    }
    let other = "<13>May 14 11:13:28 WS-17 CEF:0|Vendor|Firewall|1|100|allowed|Low|src=10.0.0.1 dst=10.0.0.2 dpt=3 msg=ProcessGuid Sysmon\n";
    assert!(read(other.as_bytes()).0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    /// Whatever the texts are, each encoding that can hold them gives them, and in pieces the same.
    #[test]
    fn any_values_are_read_in_each_encoding(
        rule in "[A-Za-z][A-Za-z0-9=_ -]{0,20}[a-z]",
        image in r"[A-Z]:(\\[A-Za-z][A-Za-z0-9 ().-]{0,8}[a-z]){1,4}",
        user in r"[A-Z]{2,5}\\[a-z]{1,8}",
        ports in (any::<u16>(), any::<u16>()),
        process in 1u32..100_000,
        address in any::<[u8; 4]>(),
        sizes in prop::collection::vec(1usize..400, 1..5),
    ) {
        let mut values = values();
        values[0] = rule;
        values[3] = process.to_string();
        values[4] = image;
        values[5] = user;
        values[11] = ports.0.to_string();
        values[14] = std::net::Ipv4Addr::from(address).to_string();
        values[16] = ports.1.to_string();
        for (name, before, event, header) in encodings(&values) {
            let log = format!("{before}{event}{event}");
            let (rows, account) = read(log.as_bytes());
            prop_assert_eq!(rows.len(), 2, "{}: {:?}", name, account.ledger);
            rows.iter().for_each(|row| assert_event(name, row, &values, header));
            prop_assert_eq!(read_in_pieces(log.as_bytes(), &sizes), (rows, account.ledger), "{}", name);
        }
    }

    /// Bytes of all these encodings in any order lose nothing uncounted, and in pieces give the same.
    #[test]
    fn any_mixture_is_counted_and_the_same_in_pieces(
        parts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
        sizes in prop::collection::vec(1usize..300, 1..5),
    ) {
        let encodings = encodings(&values());
        let mut log = String::new();
        for (which, from, to) in parts {
            let (_, before, event, _) = &encodings[which.index(encodings.len())];
            let text = format!("{before}{event}");
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            let from = if from % 2 == 0 { 0 } else { from };
            log.push_str(&text.chars().skip(from.min(to)).take(from.max(to)).collect::<String>());
        }
        let (rows, account) = read(log.as_bytes());
        assert_identity(&account.ledger);
        prop_assert_eq!(read_in_pieces(log.as_bytes(), &sizes), (rows, account.ledger));
    }
}
