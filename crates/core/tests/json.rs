//! JSON in the shape of every shipper, intact and damaged.

#[path = "json_truth.rs"]
mod truth;

use std::collections::BTreeMap;
use std::path::Path;

use procwire_core::event;
use procwire_core::format::{BROKEN_RECORD, FormatName, UNKNOWN_FORMAT};
use procwire_core::ledger::Ledger;
use procwire_core::schema::Field;
use procwire_core::stream::{Options, Stream};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use truth::{assert_identity, read};

/// Sysmon's fields and the `System` block of one event, as Sysmon writes them.
#[derive(Clone, Debug)]
struct Event {
    data: Vec<(Field, String)>,
}

const DATA: [(Field, &str); 18] = [
    (Field::RuleName, "technique_id=T1021"),
    (Field::EventCreationTime, "2023-11-17 06:02:03.735"),
    (Field::ProcessGuid, "{8CAD0A01-015C-6557-1700-000000000E00}"),
    (Field::ProcessId, "1272"),
    (Field::ProcessName, r"C:\Windows\System32\svchost.exe"),
    (Field::UserName, r"NT AUTHORITY\NETWORK SERVICE"),
    (Field::NetworkProtocol, "tcp"),
    (Field::NetworkConnectionInitiated, "true"),
    (Field::SrcIsIpv6, "false"),
    (Field::SrcIp, "10.0.0.4"),
    (Field::SrcHostName, "host1.example"),
    (Field::SrcPort, "49756"),
    (Field::SrcPortName, ""),
    (Field::DstIsIpv6, "false"),
    (Field::DstIp, "20.83.130.102"),
    (Field::DstHostName, ""),
    (Field::DstPort, "443"),
    (Field::DstPortName, "https"),
];

impl Default for Event {
    fn default() -> Self {
        Event { data: DATA.iter().map(|(field, text)| (*field, (*text).to_owned())).collect() }
    }
}

impl Event {
    /// The fields as an object of strings.
    fn strings(&self) -> Map<String, Value> {
        self.data.iter().map(|(field, text)| (field.sysmon().to_owned(), json!(text))).collect()
    }

    /// The fields that are not empty, as an object of strings.
    fn filled(&self) -> Map<String, Value> {
        self.strings().into_iter().filter(|(_, text)| *text != json!("")).collect()
    }

    /// The fields with numbers and booleans as such, and bare GUIDs, as EVTX decoders write them.
    fn typed(&self) -> Map<String, Value> {
        let mut map = self.strings();
        for (name, value) in &mut map {
            let text = value.as_str().unwrap().to_owned();
            *value = match name.as_str() {
                "ProcessId" | "SourcePort" | "DestinationPort" => json!(text.parse::<i64>().unwrap()),
                "Initiated" | "SourceIsIpv6" | "DestinationIsIpv6" => json!(text == "true"),
                "ProcessGuid" => json!(text.trim_matches(['{', '}'])),
                _ => continue,
            };
        }
        map
    }

    fn message(&self, line_end: &str) -> String {
        let lines = self.data.iter().map(|(field, text)| format!("{line_end}{}: {text}", field.sysmon()));
        format!("Network connection detected:{}", lines.collect::<String>())
    }

    fn xml(&self) -> String {
        let data: String =
            self.data.iter().map(|(field, text)| format!("<Data Name=\"{}\">{text}</Data>", field.sysmon())).collect();
        format!("<EventData>{data}</EventData>")
    }

    fn xml_event(&self) -> String {
        format!(
            "<Event><System><Provider Name=\"{PROVIDER}\" Guid=\"{GUID}\"/><EventID>3</EventID><Version>5</Version>\
             <Level>4</Level><Task>3</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>\
             <TimeCreated SystemTime=\"{TIME}\"/><EventRecordID>4711</EventRecordID>\
             <Execution ProcessID=\"2152\" ThreadID=\"3236\"/><Channel>{CHANNEL}</Channel>\
             <Computer>HOST1</Computer><Security UserID=\"S-1-5-18\"/></System>{}</Event>",
            self.xml()
        )
    }
}

const PROVIDER: &str = "Microsoft-Windows-Sysmon";
const GUID: &str = "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}";
const CHANNEL: &str = "Microsoft-Windows-Sysmon/Operational";
const TIME: &str = "2023-11-17T06:02:04.819132Z";
const TIME_US: &str = "1700200924819132";
const TASK: &str = "Network connection detected (rule: NetworkConnect)";

const SYSTEM: [(Field, &str); 15] = [
    (Field::EventRecordedTime, TIME_US),
    (Field::RecordId, "4711"),
    (Field::ComputerName, "HOST1"),
    (Field::ProviderName, PROVIDER),
    (Field::ProviderGuid, GUID),
    (Field::Channel, CHANNEL),
    (Field::EventId, "3"),
    (Field::EventVersion, "5"),
    (Field::EventLevel, "4"),
    (Field::EventTask, "3"),
    (Field::EventOpcode, "0"),
    (Field::EventKeywords, "0x8000000000000000"),
    (Field::LoggerProcessId, "2152"),
    (Field::LoggerThreadId, "3236"),
    (Field::LoggerUserSid, "S-1-5-18"),
];

fn with(mut object: Value, more: Map<String, Value>) -> Value {
    object.as_object_mut().unwrap().extend(more);
    object
}

type Render = fn(&Event) -> Value;

/// Every shape, and the `System` fields that it does not carry.
const SHAPES: &[(&str, Render, &[Field])] = &[
    ("winlogbeat 6", winlogbeat_6, &[Field::EventKeywords]),
    ("winlogbeat 7", winlogbeat_7, &[Field::EventKeywords]),
    ("winlogbeat 8 behind its Sysmon module", winlogbeat_module, &[Field::EventKeywords, Field::EventRecordedTime]),
    (
        "Elasticsearch export",
        |event| json!({"_index": "logs", "_source": winlogbeat_7(event)}),
        &[Field::EventKeywords],
    ),
    ("NXLog", nxlog, &[Field::EventRecordedTime, Field::EventLevel]),
    ("NXLog that dropped fields", nxlog_dropped, &[Field::EventRecordedTime, Field::EventLevel]),
    ("Security-Datasets, newer", security_datasets, FLAT_MISSING),
    ("Sentinel WindowsEvent", sentinel_windows_event, &[Field::ProviderGuid, Field::LoggerUserSid]),
    ("evtx_dump", evtx_dump, &[]),
    ("golang-evtx", golang_evtx, &[]),
    ("Velociraptor", velociraptor, &[]),
    (
        "EvtxECmd, JSON payload",
        |event| evtxecmd(event, json!({"EventData": {"Data": named(event, "@Name", "#text")}}).to_string()),
        EVTXECMD_MISSING,
    ),
    ("Wazuh alert", |event| wazuh(event, "eventdata"), &[Field::LoggerUserSid]),
    (
        "old Wazuh alert in Elasticsearch",
        |event| json!({"_source": wazuh(event, "eventData")}),
        &[Field::LoggerUserSid],
    ),
    ("Fluent Bit", fluent_bit, &[Field::EventOpcode]),
    ("Vector", vector, &[]),
    (
        "xp-rules",
        |event| json!({"Event": {"System": system(), "EventData": {"Data": named(event, "Name", "text")}}}),
        &[],
    ),
    ("PowerShell", powershell, &[]),
    ("message only", |event| json!({"message": event.message("\r\n"), "host": {"name": "HOST1"}}), MESSAGE_MISSING),
    ("Kibana fields", kibana_fields, &[Field::EventKeywords, Field::EventRecordedTime]),
];

/// Every shape with XML in a string, and the `System` fields that it does not carry.
const SHAPES_WITH_XML: &[(&str, Render, &[Field])] = &[
    ("Sentinel Syslog", sentinel_syslog, &[]),
    ("Sentinel Event", sentinel_event, SENTINEL_EVENT_MISSING),
    (
        "EvtxECmd, XML payload",
        |event| evtxecmd(event, format!("<EventData>\r\n{}</EventData>", event.xml())),
        EVTXECMD_MISSING,
    ),
    ("journal", |event| json!({"MESSAGE": event.xml_event(), "_PID": "12"}), &[]),
    ("Splunk", |event| json!({"preview": false, "result": {"_raw": event.xml_event()}}), &[]),
];

const FLAT_MISSING: &[Field] = &[
    Field::ProviderName,
    Field::RecordId,
    Field::EventVersion,
    Field::EventOpcode,
    Field::LoggerProcessId,
    Field::LoggerThreadId,
    Field::LoggerUserSid,
];
const SENTINEL_EVENT_MISSING: &[Field] = &[
    Field::ProviderGuid,
    Field::RecordId,
    Field::EventVersion,
    Field::EventTask,
    Field::EventOpcode,
    Field::EventKeywords,
    Field::LoggerProcessId,
    Field::LoggerThreadId,
    Field::LoggerUserSid,
];
const EVTXECMD_MISSING: &[Field] =
    &[Field::ProviderGuid, Field::EventVersion, Field::EventTask, Field::EventOpcode, Field::EventKeywords];
const MESSAGE_MISSING: &[Field] = &[
    Field::EventRecordedTime,
    Field::RecordId,
    Field::ProviderName,
    Field::ProviderGuid,
    Field::Channel,
    Field::EventVersion,
    Field::EventLevel,
    Field::EventTask,
    Field::EventOpcode,
    Field::EventKeywords,
    Field::LoggerProcessId,
    Field::LoggerThreadId,
    Field::LoggerUserSid,
];

fn winlogbeat_6(event: &Event) -> Value {
    json!({"@timestamp": TIME, "@metadata": {"beat": "winlogbeat", "version": "6.7.0"}, "level": "Information",
        "computer_name": "HOST1", "event_id": 3, "process_id": 2152, "event_data": event.filled(), "opcode": "Info",
        "version": 5, "provider_guid": GUID.to_lowercase(), "message": event.message("\n"), "record_number": "4711",
        "thread_id": 3236, "user": {"name": "SYSTEM", "domain": "NT AUTHORITY", "identifier": "S-1-5-18"},
        "source_name": PROVIDER, "host": {"name": "WECserver"}, "log_name": CHANNEL, "task": TASK, "type": "wineventlog"})
}

fn winlogbeat_7(event: &Event) -> Value {
    json!({"@timestamp": TIME, "event": {"code": 3, "kind": "event", "provider": PROVIDER, "action": TASK,
            "created": "2023-11-17T06:02:09.000Z"},
        "host": {"name": "collector"}, "log": {"level": "information"}, "message": event.message("\n"),
        "winlog": {"channel": CHANNEL, "computer_name": "HOST1", "event_data": event.filled(), "event_id": "3",
            "opcode": "Info", "process": {"pid": 2152, "thread": {"id": 3236}}, "provider_guid": GUID,
            "provider_name": PROVIDER, "record_id": 4711, "task": TASK, "version": 5, "api": "wineventlog",
            "user": {"domain": "NT AUTHORITY", "identifier": "S-1-5-18", "name": "SYSTEM"}}})
}

/// The module moves the fields to ECS' names; the message text still has them all.
fn winlogbeat_module(event: &Event) -> Value {
    let mut value = winlogbeat_7(event);
    value["winlog"].as_object_mut().unwrap().remove("event_data");
    value["@timestamp"] = json!("2023-11-17T06:02:03.735Z");
    value["event"]["module"] = json!("sysmon");
    value["process"] = json!({"pid": 1272, "entity_id": "x", "executable": "y"});
    value["source"] = json!({"ip": "10.0.0.4", "port": 49756});
    value
}

fn nxlog(event: &Event) -> Value {
    with(
        json!({"EventTime": "2023-11-17 11:32:04", "Hostname": "HOST1", "Keywords": i64::MIN, "EventType": "INFO",
            "SeverityValue": 2, "Severity": "INFO", "EventID": 3, "SourceName": PROVIDER, "ProviderGuid": GUID,
            "Version": 5, "Task": 3, "OpcodeValue": 0, "RecordNumber": 4711, "ExecutionProcessID": 2152,
            "ThreadID": 3236, "Channel": CHANNEL, "Domain": "NT AUTHORITY", "AccountName": "SYSTEM",
            "UserID": "S-1-5-18", "AccountType": "User", "Message": event.message("\r\n"), "Category": TASK,
            "Opcode": "Info", "EventReceivedTime": "2023-11-17 11:32:05", "host": "wec.internal", "port": 61041,
            "@timestamp": "2023-11-17T06:02:30.000Z", "@version": "1", "tags": ["x"]}),
        event.filled(),
    )
}

fn nxlog_dropped(event: &Event) -> Value {
    let mut value = nxlog(event);
    let object = value.as_object_mut().unwrap();
    for name in ["ProcessId", "SourceHostname", "DestinationPortName"] {
        object.remove(name);
    }
    let pid = object.remove("ExecutionProcessID").unwrap();
    object.insert("ProcessID".into(), pid);
    value
}

fn security_datasets(event: &Event) -> Value {
    with(
        json!({"ProviderGuid": GUID.to_lowercase(), "Level": "4", "Keywords": "0x8000000000000000",
            "Channel": CHANNEL, "Hostname": "HOST1", "TimeCreated": TIME, "EventID": 3, "Task": "3",
            "Message": event.message("\r\n")}),
        event.strings(),
    )
}

fn sentinel_windows_event(event: &Event) -> Value {
    let mut data = event.strings();
    data.insert("UtcTime".into(), json!("2023-11-17T06:02:03.7350000Z"));
    json!({"TenantId": "t", "TimeGenerated": TIME, "Provider": PROVIDER, "Channel": CHANNEL, "Computer": "HOST1",
        "Task": 3, "EventLevel": 4, "EventLevelName": "Information", "EventData": Value::Object(data).to_string(),
        "EventID": 3, "EventRecordId": "4711", "Keywords": "0x8000000000000000", "Opcode": "0", "Version": 5,
        "SystemProcessId": 2152, "SystemThreadId": 3236, "Type": "WindowsEvent"})
}

fn sentinel_syslog(event: &Event) -> Value {
    json!({"TimeGenerated": "2023-11-17T06:02:20.4Z", "Computer": "COLLECTOR", "EventTime": "2023-11-17T06:02:20Z",
        "Facility": "user", "HostName": "COLLECTOR", "SyslogMessage": event.xml_event(), "ProcessName": "sysmon"})
}

fn sentinel_event(event: &Event) -> Value {
    json!({"TimeGenerated": TIME, "Source": PROVIDER, "EventLog": CHANNEL, "Computer": "HOST1", "EventLevel": 4,
        "EventData": format!("<DataItem type=\"System.XmlData\">{}</DataItem>", event.xml()), "EventID": 3,
        "RenderedDescription": event.message(" ")})
}

fn system() -> Value {
    json!({"Provider": {"Name": PROVIDER, "Guid": GUID}, "EventID": "3", "Version": "5", "Level": "4", "Task": "3",
        "Opcode": "0", "Keywords": "0x8000000000000000", "TimeCreated": {"SystemTime": TIME},
        "EventRecordID": "4711", "Correlation": {}, "Execution": {"ProcessID": "2152", "ThreadID": "3236"},
        "Channel": CHANNEL, "Computer": "HOST1", "Security": {"UserID": "S-1-5-18"}})
}

fn evtx_dump(event: &Event) -> Value {
    json!({"Event": {"#attributes": {"xmlns": "x"}, "System": {
        "Provider": {"#attributes": {"Name": PROVIDER, "Guid": GUID.trim_matches(['{', '}'])}},
        "EventID": {"#text": 3, "#attributes": {"Qualifiers": 0}}, "Version": 5, "Level": 4, "Task": 3, "Opcode": 0,
        "Keywords": "0x8000000000000000", "TimeCreated": {"#attributes": {"SystemTime": TIME}},
        "EventRecordID": 4711, "Correlation": null,
        "Execution": {"#attributes": {"ProcessID": 2152, "ThreadID": 3236}}, "Channel": CHANNEL,
        "Computer": "HOST1", "Security": {"#attributes": {"UserID": "S-1-5-18"}}}, "EventData": event.typed()}})
}

fn golang_evtx(event: &Event) -> Value {
    json!({"Event": {"EventData": event.strings(), "GeneInfo": {"Criticality": 0}, "System": system()}})
}

fn velociraptor(event: &Event) -> Value {
    let mut system = system();
    system["EventID"] = json!({"Value": 3});
    system["TimeCreated"]["SystemTime"] = serde_json::from_str("1700200924.819132").unwrap();
    system["EventRecordID"] = json!(4711);
    json!({"System": system, "EventData": event.typed(), "Message": event.message("\n")})
}

fn evtxecmd(_: &Event, payload: String) -> Value {
    json!({"PayloadData1": "ProcessID: 1272, ProcessGUID: x", "UserName": "NT AUTHORITY\\NETWORK SERVICE",
        "MapDescription": "Network connection", "RecordNumber": 12, "EventRecordId": "4711",
        "TimeCreated": "2023-11-17 06:02:04.8191320", "EventId": 3, "Level": "Info", "Provider": PROVIDER,
        "Channel": CHANNEL, "ProcessId": 2152, "ThreadId": 3236, "Computer": "HOST1", "UserId": "S-1-5-18",
        "ChunkNumber": 0, "Payload": payload})
}

fn named(event: &Event, name: &str, text: &str) -> Value {
    let items = event.data.iter().map(|(field, value)| match value.as_str() {
        "" => json!({name: field.sysmon()}),
        value => json!({name: field.sysmon(), text: value}),
    });
    Value::Array(items.collect())
}

fn wazuh(event: &Event, key: &str) -> Value {
    let data: Map<String, Value> = event
        .filled()
        .into_iter()
        .map(|(name, value)| {
            let text = value.as_str().unwrap().replace('\\', "\\\\");
            (format!("{}{}", name[..1].to_lowercase(), &name[1..]), json!(text))
        })
        .collect();
    json!({"timestamp": "2023-11-17T09:00:00.000+0000", "rule": {"level": 3, "id": "61605"}, "agent": {"name": "a"},
        "data": {"win": {"system": {"providerName": PROVIDER, "providerGuid": GUID, "eventID": "3", "version": "5",
            "level": "4", "task": "3", "opcode": "0", "keywords": "0x8000000000000000", "systemTime": TIME,
            "eventRecordID": "4711", "processID": "2152", "threadID": "3236", "channel": CHANNEL,
            "computer": "HOST1", "severityValue": "INFORMATION",
            "message": format!("\"{}\"", event.message("\r\n"))}, key: data}}})
}

fn fluent_bit(event: &Event) -> Value {
    let inserts: Vec<&str> = event.data.iter().map(|(_, text)| text.as_str()).collect();
    json!({"ProviderName": PROVIDER, "ProviderGuid": GUID, "Qualifiers": "", "EventID": 3, "Version": 5, "Level": 4,
        "Task": 3, "Keywords": "0x8000000000000000", "TimeCreated": "2023-11-17 11:32:04.819132 +0530",
        "EventRecordID": 4711, "ProcessID": 2152, "ThreadID": 3236, "Channel": CHANNEL, "Computer": "HOST1",
        "UserID": "S-1-5-18", "Message": "", "StringInserts": inserts})
}

fn vector(event: &Event) -> Value {
    let inserts: Vec<&str> = event.data.iter().map(|(_, text)| text.as_str()).collect();
    json!({"channel": CHANNEL, "computer": "HOST1", "event_id": 3, "provider_name": PROVIDER, "provider_guid": GUID,
        "record_id": 4711, "level": "Information", "task": 3, "task_name": TASK, "opcode": 0, "version": 5,
        "process_id": 2152, "thread_id": 3236, "user_id": "S-1-5-18", "keywords": "0x8000000000000000",
        "timestamp": TIME, "event_data": event.strings(), "string_inserts": inserts, "host": "collector"})
}

fn powershell(event: &Event) -> Value {
    let properties: Vec<Value> = event.typed_values().into_iter().map(|value| json!({"Value": value})).collect();
    json!({"Id": 3, "Version": 5, "Qualifiers": null, "Level": 4, "Task": 3, "Opcode": 0, "Keywords": i64::MIN,
        "RecordId": 4711, "ProviderName": PROVIDER, "ProviderId": GUID.trim_matches(['{', '}']), "LogName": CHANNEL,
        "ProcessId": 2152, "ThreadId": 3236, "MachineName": "HOST1",
        "UserId": {"BinaryLength": 12, "AccountDomainSid": null, "Value": "S-1-5-18"},
        "TimeCreated": "2023-11-17T06:02:04.819132Z", "Properties": properties, "Message": event.message("\n")})
}

impl Event {
    fn typed_values(&self) -> Vec<Value> {
        let mut typed = self.typed();
        self.data.iter().map(|(field, _)| typed.remove(field.sysmon()).unwrap()).collect()
    }
}

fn kibana_fields(event: &Event) -> Value {
    let mut fields = Map::new();
    flatten("", &winlogbeat_7(event), &mut fields);
    json!({"_index": "logs", "fields": fields})
}

fn flatten(path: &str, value: &Value, out: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, out);
            }
        }
        value => {
            out.insert(path.to_owned(), json!([value]));
        }
    }
}

/// What the table should hold, column by column.
fn expected(event: &Event, missing: &[Field]) -> BTreeMap<&'static str, String> {
    let data = event.data.iter().map(|(field, text)| {
        let text = if *field == Field::EventCreationTime { "1700200923735000" } else { text };
        (field.column(), text.to_owned())
    });
    let system = SYSTEM
        .iter()
        .filter(|(field, _)| !missing.contains(field))
        .map(|(field, text)| (field.column(), (*text).to_owned()));
    data.chain(system).filter(|(_, text)| !matches!(text.as_str(), "" | "-")).collect()
}

/// The row without the columns that procwire adds.
fn found(row: &[Option<String>]) -> BTreeMap<&'static str, String> {
    let ours = Field::SourceFile as usize;
    event::Event::Connection.fields()[..ours]
        .iter()
        .filter_map(|field| Some((field.column(), row[*field as usize].clone()?)))
        .collect()
}

fn check_shapes(shapes: &[(&str, Render, &[Field])]) {
    let event = Event::default();
    for (name, render, missing) in shapes {
        let value = render(&event);
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let (rows, account) = read(text.as_bytes());
            assert_eq!(account.format, Some(FormatName::Json), "{name}");
            assert_eq!(account.ledger.damage.iter().next(), None, "{name}");
            assert_eq!(account.ledger.warnings.iter().next(), None, "{name}");
            assert_eq!(rows.len(), 1, "{name}: {:?}", account.ledger);
            assert_eq!(found(&rows[0]), expected(&event, missing), "{name}");
        }
    }
}

#[test]
fn every_shape_gives_the_same_row() {
    check_shapes(SHAPES);
}

#[test]
fn every_shape_that_holds_xml_gives_the_same_row() {
    check_shapes(SHAPES_WITH_XML);
}

/// Every shape but those whose XML would need escaping, one record a line.
fn lines_of_every_shape() -> String {
    let event = Event::default();
    SHAPES.iter().map(|(_, render, _)| render(&event).to_string() + "\n").collect()
}

#[test]
fn records_are_found_however_they_are_strung_together() {
    let event = Event::default();
    let values: Vec<Value> = SHAPES.iter().map(|(_, render, _)| render(&event)).collect();
    let (expected, _) = read(lines_of_every_shape().as_bytes());
    assert_eq!(expected.len(), SHAPES.len());
    let join = |between: &str| values.iter().map(Value::to_string).collect::<Vec<_>>().join(between);
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let forms = [
        join("\r\n"),
        join("\n\n"),
        join(""),
        join(" \t"),
        format!("[{}]", join(",")),
        format!("[\n{}\n]\n", join(",\n")),
        format!("\u{feff}{}", join("\n")),
        pretty(&json!(values)),
        values.iter().map(pretty).collect::<Vec<_>>().join("\n"),
        json!({"took": 1, "hits": {"total": {"value": 3}, "hits": values}}).to_string(),
        pretty(&json!({"records": values})),
        json!({"value": values}).to_string(),
    ];
    let content = |rows: &[Vec<Option<String>>]| rows.iter().map(|row| found(row)).collect::<Vec<_>>();
    for form in forms {
        let (rows, account) = read(form.as_bytes());
        assert_eq!(content(&rows), content(&expected), "{form:.200}");
        assert_eq!(account.ledger.records, SHAPES.len() as u64);
        assert_eq!(account.ledger.damage.total(), 0);
        for row in &rows {
            let offset: usize = row[Field::SourceOffset as usize].as_ref().unwrap().parse().unwrap();
            let line: usize = row[Field::SourceLine as usize].as_ref().unwrap().parse().unwrap();
            // The byte order mark counts as part of the input.
            let before = &form.as_bytes()[..offset];
            assert_eq!(form.as_bytes()[offset], b'{');
            assert_eq!(line, 1 + before.iter().filter(|byte| **byte == b'\n').count());
        }
        for size in [1, 7, 4096] {
            let (pieces, ledger) = truth::read_in_pieces(form.as_bytes(), &[size]);
            assert_eq!(pieces, rows);
            assert_eq!(ledger, account.ledger);
        }
    }
}

#[test]
fn records_of_other_events_and_providers_are_counted() {
    let other_event = json!({"EventID": 1, "SourceName": PROVIDER, "Image": "x"});
    let unnamed = json!({"EventID": 22, "Channel": CHANNEL});
    let other_provider = json!({"EventID": 3, "SourceName": "Microsoft-Windows-Kernel-General", "UtcTime": "x"});
    let nothing = json!({"a": [1, {"b": "c"}]});
    let event = winlogbeat_7(&Event::default());
    let lines = [other_event, unnamed, other_provider, nothing, event].map(|value| value.to_string());
    let (rows, account) = read(lines.join("\n").as_bytes());
    assert_eq!(rows.len(), 1);
    assert_eq!((account.ledger.records, account.ledger.other_events, account.ledger.other_providers), (5, 2, 2));
    assert_identity(&account.ledger);
}

fn unknown(text: &str) -> (usize, u64, String) {
    let (rows, account) = read(text.as_bytes());
    assert_identity(&account.ledger);
    let reason = account.ledger.damage.iter().find(|(kind, ..)| *kind == UNKNOWN_FORMAT);
    let reason = reason.map(|(_, _, examples)| examples[0].detail.clone()).unwrap_or_default();
    (rows.len(), account.ledger.damage.count(UNKNOWN_FORMAT), reason)
}

#[test]
fn an_event_without_a_process_and_a_destination_is_no_row_but_counted_with_its_keys() {
    let moved = json!({"winlog": {"event_id": 3, "provider_name": PROVIDER, "channel": CHANNEL},
        "somewhere": {"else": "10.0.0.4"}, "process": {"name": "x.exe"}});
    let (rows, count, reason) = unknown(&moved.to_string());
    assert_eq!((rows, count), (0, 1));
    assert!(reason.contains("somewhereelse") && reason.contains("winlogeventid"), "{reason}");
    let empty = json!({"EventID": 3, "SourceName": PROVIDER, "Message": "-", "DestinationIp": "-", "Image": "x"});
    assert_eq!(unknown(&empty.to_string()).0, 0);
    let names = vec!["System.Diagnostics.Eventing.Reader.EventProperty"; 18];
    let types = json!({"Id": 3, "ProviderName": PROVIDER, "Properties": names});
    assert_eq!(unknown(&types.to_string()).1, 1);
}

/// What most encodings carry.
fn core(row: &[Option<String>]) -> Vec<Option<String>> {
    let fields = [
        Field::EventCreationTime,
        Field::ProcessGuid,
        Field::ProcessId,
        Field::ProcessName,
        Field::UserName,
        Field::NetworkProtocol,
        Field::NetworkConnectionInitiated,
        Field::SrcIp,
        Field::SrcPort,
        Field::SrcHostName,
        Field::DstIp,
        Field::DstPort,
        Field::RuleName,
    ];
    fields.iter().map(|field| row[*field as usize].clone()).collect()
}

#[test]
fn fields_are_found_under_the_names_of_ecs() {
    let (expected, _) = read(winlogbeat_7(&Event::default()).to_string().as_bytes());
    let ecs = json!({"@timestamp": "2023-11-17T06:02:03.735Z", "ecs": {"version": "8.0.0"}, "host": {"name": "host1"},
        "event": {"code": "3", "module": "sysmon", "provider": PROVIDER, "created": TIME}, "log": {"level": "information"},
        "source": {"ip": "10.0.0.4", "port": 49756, "domain": "host1.example"}, "rule": {"name": "technique_id=T1021"},
        "destination": {"ip": "20.83.130.102", "port": 443}, "network": {"transport": "tcp", "direction": "egress",
            "protocol": "https", "type": "ipv4"}, "user": {"name": "NETWORK SERVICE", "domain": "NT AUTHORITY", "id": "S-1-5-18"},
        "process": {"pid": 1272, "entity_id": "{8CAD0A01-015C-6557-1700-000000000E00}", "name": "svchost.exe",
            "executable": r"C:\Windows\System32\svchost.exe"}});
    for separator in [".", "_", "-", "/"] {
        let mut flat = Map::new();
        flatten("", &ecs, &mut flat);
        let joined: Map<String, Value> =
            flat.into_iter().map(|(key, value)| (key.replace('.', separator), value[0].clone())).collect();
        for value in [ecs.clone(), Value::Object(joined)] {
            let (rows, account) = read(value.to_string().as_bytes());
            assert_eq!((rows.len(), account.ledger.damage.total()), (1, 0), "{value}");
            assert_eq!(core(&rows[0]), core(&expected[0]), "{value}");
            assert_eq!(rows[0][Field::EventRecordedTime as usize].as_deref(), Some(TIME_US));
        }
    }
    let packetbeat = json!({"source": {"ip": "10.0.0.4"}, "destination": {"ip": "10.0.0.5"}, "process": {"pid": 3},
        "event": {"provider": "packetbeat", "code": 3}, "message": "not Sysmon"});
    assert_eq!(read(packetbeat.to_string().as_bytes()).0.len(), 0);
}

#[test]
fn an_event_is_found_under_any_key_and_in_any_document() {
    let event = Event::default();
    let (expected, _) = read(winlogbeat_7(&event).to_string().as_bytes());
    let xml = event.xml_event();
    let json = winlogbeat_7(&event).to_string();
    let pairs = |key: &str, value: &str| -> Vec<Value> {
        event.data.iter().map(|(field, text)| json!({key: field.sysmon(), value: {"stringValue": text}})).collect()
    };
    let columns: Vec<Value> =
        event.data.iter().map(|(field, _)| json!({"name": field.sysmon(), "type": "string"})).collect();
    let cells: Vec<&str> = event.data.iter().map(|(_, text)| text.as_str()).collect();
    let documents = [
        (json!({"anything": {"at": {"all": xml}}}), 1),
        (json!({"anything": json}), 1),
        (json!({"a": json!({"b": json}).to_string()}), 1),
        (json!({"text": event.message("\n"), "host": "HOST1"}), 1),
        (json!({"bytes": xml.bytes().collect::<Vec<u8>>()}), 1),
        (json!({"streams": [{"stream": {"job": "sysmon"}, "values": [["1", xml], ["2", json], ["3", "other"]]}]}), 2),
        (
            json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": xml}}, {"body": {"stringValue": xml}}]}]}]}),
            2,
        ),
        (json!({"body": {"kvlistValue": {"values": pairs("key", "value")}}, "event.code": 3, "provider": PROVIDER}), 1),
        (json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [cells, cells]}]}), 2),
        (json!({"event_0": {"xml_string": xml}, "event_1": {"xml_string": xml}}), 2),
        (json!({"page": {"of": [{"n": 1, "doc": winlogbeat_7(&event)}, {"n": 2, "doc": winlogbeat_7(&event)}]}}), 2),
    ];
    for (document, count) in documents {
        for text in [document.to_string(), format!("[{document},{document}]")] {
            let times = if text.starts_with('[') { 2 } else { 1 };
            let (rows, account) = read(text.as_bytes());
            assert_eq!(account.ledger.damage.iter().next(), None, "{text}");
            assert_eq!(rows.len(), count * times, "{text}");
            for row in rows {
                assert_eq!(core(&row), core(&expected[0]), "{text}");
            }
        }
    }
}

#[test]
fn what_a_record_says_twice_makes_one_row() {
    let event = Event::default();
    let mut value = winlogbeat_7(&event);
    value["winlog"].as_object_mut().unwrap().remove("event_data");
    value["event"]["original"] = json!(event.xml_event());
    value["message"] = json!("Network connection detected");
    let (rows, account) = read(value.to_string().as_bytes());
    assert_eq!((rows.len(), account.ledger.damage.total()), (1, 0));
    assert_eq!(found(&rows[0]), expected(&event, &[]));
}

#[test]
fn the_headings_of_evtx_dump_are_no_records() {
    let pretty = serde_json::to_string_pretty(&evtx_dump(&Event::default())).unwrap();
    let log = format!("Record 1\n{pretty}\nRecord 2\r\n{pretty}\n");
    let (rows, account) = read(log.as_bytes());
    assert_eq!((rows.len(), account.ledger.records, account.ledger.damage.total()), (2, 2, 0));
    assert_eq!(account.format, Some(FormatName::Json));
    for size in [1, 9, 100] {
        assert_eq!(truth::read_in_pieces(log.as_bytes(), &[size]).0, rows);
    }
}

#[test]
fn a_broken_record_costs_no_other() {
    let good = nxlog(&Event::default()).to_string();
    for (broken, detail) in [
        (r#"{"EventID": 3, "Image": "C:\\x"#, "found '\\n', expected a quotation mark"),
        (r#"{"EventID": 3, "Image" "x"}"#, "found '\"', expected a colon"),
        (r#"{"EventID": 3,, "Image": "x"}"#, "found ',', expected a key"),
        (r#"{"EventID": 3 "Image": "x"}"#, "found '\"', expected a comma or the object's end"),
        (r#"{"EventID": 03}"#, "found '0', expected a number"),
        (r#"{"EventID": nul}"#, "found 'n', expected null"),
        (r#"{"EventID": [3, {"#, "found the end, expected a key"),
        (r#"{"EventID": 3, "System": {"Version": 5"#, "found the end, expected a comma or the object's end"),
        (r#"{"EventID": 3, "SourceName": "\x"}"#, "found '}', expected an escape"),
        ("Nov 24 host sysmon: started", "found 'N', expected an object"),
        ("\"EventID\": 3}", "found '\"', expected an object"),
    ] {
        let log = format!("{good}\n{broken}\n{good}\n{good}\n");
        let (rows, account) = read(log.as_bytes());
        let ledger = &account.ledger;
        assert_eq!((rows.len(), ledger.records, ledger.damage.count(BROKEN_RECORD)), (3, 4, 1), "{broken}");
        let (_, _, examples) = ledger.damage.iter().next().unwrap();
        assert_eq!((examples[0].offset, examples[0].line), (good.len() as u64 + 1, Some(2)), "{broken}");
        assert_eq!(examples[0].detail, detail, "{broken}");
        let pieces = truth::read_in_pieces(log.as_bytes(), &[11, 3]);
        assert_eq!(pieces, (rows, account.ledger), "{broken}");
    }
}

#[test]
fn deep_nesting_is_damage_and_no_crash() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let good = nxlog(&Event::default()).to_string();
    for broken in [deep, objects] {
        let (rows, account) = read(format!("{broken}\n{good}\n").as_bytes());
        assert_eq!((rows.len(), account.ledger.damage.count(BROKEN_RECORD)), (1, 1));
    }
    let fits = format!("{{\"a\":{}1{},\"EventID\":5}}", "[".repeat(127), "]".repeat(127));
    assert_eq!(read(fits.as_bytes()).1.ledger.damage.total(), 0);
}

#[test]
fn a_record_over_the_limit_is_dropped_and_reading_goes_on() {
    let good = nxlog(&Event::default()).to_string();
    let long = format!("{{\"EventID\":3,\"Message\":\"{}\"}}", "x".repeat(17 << 20));
    for between in ["\n", " "] {
        let log = [good.as_str(), &long, &good, &good].join(between);
        let (rows, account) = read(log.as_bytes());
        assert_eq!((rows.len(), account.ledger.records), (3, 4));
        assert_eq!(account.ledger.damage.count("overlong record"), 1);
        let (pieces, ledger) = truth::read_in_pieces(log.as_bytes(), &[1 << 20]);
        assert_eq!(pieces, rows);
        assert_eq!(ledger, account.ledger);
    }
}

#[test]
fn logs_without_lines_are_cut_into_a_few_blocks_no_larger_than_what_was_fed() {
    let record = winlogbeat_7(&Event::default()).to_string();
    let count = (40 << 20) / record.len();
    for (open, between, close) in [("[", ",", "]"), ("", "", "")] {
        let log = format!("{open}{}{record}{close}", format!("{record}{between}").repeat(count - 1));
        let mut stream = Stream::new("log", Options::default());
        let (mut jobs, mut ledger, mut capacity) = (Vec::new(), Ledger::default(), 0);
        let mut pieces = log.as_bytes().chunks(1 << 20).peekable();
        while let Some(piece) = pieces.next() {
            stream.feed(piece.to_vec(), pieces.peek().is_none(), &mut jobs);
            assert!(jobs.len() <= 2, "{} blocks of one piece", jobs.len());
            for job in jobs.drain(..) {
                let (_, part, buffer) = job.run();
                assert!(buffer.capacity() <= 2 * buffer.len());
                capacity += buffer.capacity();
                ledger.merge(part);
            }
        }
        assert_eq!((ledger.rows(), ledger.records), (count as u64, count as u64));
        assert!(capacity <= 2 * log.len());
    }
}

#[test]
fn of_two_equal_keys_the_last_counts() {
    let text = nxlog(&Event::default()).to_string();
    let text = text.replacen('{', r#"{"Image":"first","EventID":1,"#, 1);
    let (rows, _) = read(text.as_bytes());
    assert_eq!(rows[0][Field::ProcessName as usize].as_deref(), Some(r"C:\Windows\System32\svchost.exe"));
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_said_to_be() {
    let good = nxlog(&Event::default()).to_string();
    let mut log = good.clone().into_bytes();
    log.extend_from_slice(b"\n");
    log.extend_from_slice(&good.replace("svchost", "sv\u{1}host").into_bytes());
    let at = log.iter().position(|byte| *byte == 1).unwrap();
    log[at] = 0xff;
    let (rows, account) = read(&log);
    assert_eq!(rows[1][Field::ProcessName as usize].as_deref(), Some("C:\\Windows\\System32\\sv\u{fffd}host.exe"));
    assert_eq!(account.ledger.warnings.count("invalid UTF-8"), 1);
    assert_eq!(account.ledger.damage.total(), 0);
}

/// The one row of `value` after `change`.
fn changed(mut value: Value, change: impl FnOnce(&mut Value)) -> BTreeMap<&'static str, String> {
    change(&mut value);
    let (rows, account) = read(value.to_string().as_bytes());
    assert_eq!((rows.len(), account.ledger.warnings.total()), (1, 0), "{:?}", account.ledger);
    found(&rows[0])
}

#[test]
fn values_that_shippers_bend_are_bent_back() {
    let event = Event::default();
    let row = changed(nxlog(&event), |value| {
        value["Image"] = json!("&lt;unknown process&gt;");
        value["User"] = json!("S-1-5-21-1-2-3-500");
        value["Keywords"] = serde_json::from_str("-9.223372036854775808e18").unwrap();
        value["EventTime"] = json!("2023-11-17T11:32:04.819132+05:30");
    });
    assert_eq!(row["process_name"], "<unknown process>");
    assert_eq!(row["user_name"], "S-1-5-21-1-2-3-500");
    assert_eq!(row["event_keywords"], "0x8000000000000000");
    assert_eq!(row["event_recorded_time"], TIME_US);

    let row = changed(nxlog(&event), |value| {
        let object = value.as_object_mut().unwrap();
        object.remove("Image");
        object.remove("DestinationPort");
        let text =
            object["Message"].as_str().unwrap().replace(r"C:\Windows\System32\svchost.exe", "C:\\R&amp;D: \\x.exe");
        object["Message"] = json!(text.replace("Network connection detected", "Netzwerkverbindung erkannt"));
    });
    assert_eq!(row["process_name"], r"C:\R&D: \x.exe");
    assert_eq!(row["dst_port"], "443");

    let row = changed(fluent_bit(&event), |value| {
        value["StringInserts"].as_array_mut().unwrap().remove(0);
    });
    assert_eq!((row.get("rule_name"), row["dst_port_name"].as_str()), (None, "https"));

    let row = changed(powershell(&event), |value| {
        value["TimeCreated"] = json!("/Date(1700200924819)/");
    });
    assert_eq!(row["event_recorded_time"], "1700200924819000");

    let row = changed(wazuh(&event, "eventdata"), |value| {
        value["data"]["win"]["eventdata"]["image"] = json!(r"C:\single\x.exe");
    });
    assert_eq!(row["process_name"], r"C:\single\x.exe");

    let row = changed(security_datasets(&event), |value| {
        value["TimeCreated"] = json!("2020-10-19 03:30:47.681");
        value["Image"] = json!("\u{1f600} caf\u{e9}.exe");
    });
    assert_eq!(row.get("event_recorded_time"), None);
    assert_eq!(row["process_name"], "\u{1f600} caf\u{e9}.exe");
}

#[test]
fn surrogates_become_characters_and_lone_ones_the_replacement() {
    let text = nxlog(&Event::default()).to_string();
    let text = text.replacen('{', r#"{"\u0049mage":"\ud83d\ude00\ud83d x \ude00\u00e9\/\b","#, 1);
    let text = text.replacen(r#""Image":"C:\\Windows\\System32\\svchost.exe","#, "", 1);
    let (rows, account) = read(text.as_bytes());
    assert_eq!(account.ledger.damage.total(), 0);
    assert_eq!(rows[0][Field::ProcessName as usize].as_deref(), Some("\u{1f600}\u{fffd} x \u{fffd}\u{e9}/\u{8}"));
}

#[test]
fn our_own_rows_read_back_the_same() {
    let (rows, _) = read(lines_of_every_shape().as_bytes());
    let mut log = String::new();
    for row in &rows {
        let mut object = Map::new();
        for field in event::Event::Connection.fields() {
            let text = row[*field as usize].clone();
            let value = match (field.kind(), text) {
                (_, None) => Value::Null,
                (procwire_core::schema::Kind::Time, Some(us)) => {
                    json!(if us == TIME_US { TIME } else { "2023-11-17T06:02:03.735Z" })
                }
                (procwire_core::schema::Kind::Bool, Some(flag)) => json!(flag == "true"),
                (procwire_core::schema::Kind::Int32 | procwire_core::schema::Kind::Int64, Some(number)) => {
                    json!(number.parse::<i64>().unwrap())
                }
                (_, Some(text)) => json!(text),
            };
            object.insert(field.column().into(), value);
        }
        log += &Value::Object(object).to_string();
        log += "\n";
    }
    let (again, account) = read(log.as_bytes());
    assert_eq!(account.ledger.warnings.total(), 0, "{:?}", account.ledger);
    let content = |rows: &[Vec<Option<String>>]| rows.iter().map(|row| found(row)).collect::<Vec<_>>();
    assert_eq!(content(&again), content(&rows));
}

#[test]
fn truncation_loses_only_what_was_cut() {
    let event = Event::default();
    let records = [nxlog(&event), winlogbeat_7(&event), evtx_dump(&event)].map(|value| value.to_string());
    let log = records.join("\n");
    let ends: Vec<usize> = (1..=3).map(|count| records[..count].join("\n").len()).collect();
    for len in 0..log.len() {
        let (rows, account) = read(&log.as_bytes()[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(rows.len(), whole, "{len}");
        assert_identity(&account.ledger);
        assert!(account.ledger.records <= whole as u64 + 1);
    }
}

#[test]
fn real_logs_agree_with_their_truth_in_every_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/json");
    let mut events = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let truth = Path::new(&format!("{}.truth", path.display())).to_owned();
        if !truth.exists() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let (rows, account) = read(&bytes);
        assert_eq!(truth::all_differences(&rows, &truth::truth_lines(&truth)), [""; 0], "{}", path.display());
        assert_eq!(account.ledger.damage.total(), 0);
        assert_eq!(truth::read_in_pieces(&bytes, &[1 << 10]), (rows, account.ledger.clone()));
        events += account.ledger.rows();
    }
    assert_eq!(events, 46);
}

/// Numbers that look random, from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn blanks(&mut self) -> &'static str {
        ["", "", "", " ", "\n", "\r\n\t", "   "][self.roll(7)]
    }

    fn string(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for symbol in text.chars() {
            match symbol {
                '"' | '\\' => out.extend(['\\', symbol]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                _ if self.roll(8) == 0 => {
                    let mut units = [0; 2];
                    symbol.encode_utf16(&mut units).iter().for_each(|unit| out += &format!("\\u{unit:04X}"));
                }
                '/' if self.roll(2) == 0 => out.push_str("\\/"),
                _ => out.push(symbol),
            }
        }
        out + "\""
    }

    fn junk(&mut self, depth: usize) -> String {
        match self.roll(if depth > 3 { 5 } else { 7 }) {
            0 => "null".into(),
            1 => "-12.5E+3".into(),
            2 => "true".into(),
            3 => self.string("a \"quoted\" C:\\path\\ {[,:]}"),
            4 => self.string("\\"),
            5 => format!("[{}{},{}]", self.blanks(), self.junk(depth + 1), self.junk(depth + 1)),
            _ => format!("{{\"EventID\":{},\"{}\":{}}}", self.junk(depth + 1), self.roll(9), self.junk(depth + 1)),
        }
    }

    /// The value in another spelling, with additional keys that have no meaning.
    fn write(&mut self, value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let mut members: Vec<String> = Vec::new();
                for (key, value) in map {
                    let at = self.roll(members.len() + 1);
                    let key = self.string(key);
                    let (a, b) = (self.blanks(), self.blanks());
                    members.insert(at, format!("{key}{a}:{b}{}", self.write(value)));
                }
                for _ in 0..self.roll(3) {
                    let (at, name) = (self.roll(members.len() + 1), self.roll(1000));
                    members.insert(at, format!("\"junk{name}\":{}", self.junk(0)));
                }
                let comma = format!("{},{}", self.blanks(), self.blanks());
                format!("{{{}{}{}}}", self.blanks(), members.join(&comma), self.blanks())
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.write(item)).collect();
                format!("[{}{}]", self.blanks(), items.join(&format!("{},", self.blanks())))
            }
            Value::String(text) => self.string(text),
            other => other.to_string(),
        }
    }
}

/// The slow way to Sysmon's fields: the first text under each name, anywhere in the record.
fn reference(value: &Value, field: Field) -> Option<String> {
    let name = field.sysmon();
    match value {
        Value::Object(map) => {
            let deeper = map.iter().filter(|(key, _)| !key.starts_with("junk"));
            let direct =
                map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name) || key.ends_with(&format!(".{name}")));
            let item = ["Name", "@Name"].iter().any(|key| map.get(*key) == Some(&json!(name)));
            let item = item.then(|| ["text", "#text"].iter().find_map(|key| map.get(*key))).flatten();
            deeper
                .filter(|(_, value)| {
                    value.is_object() || value.is_array() || value.as_str().is_some_and(|text| text.starts_with('{'))
                })
                .find_map(|(_, value)| reference(value, field))
                .or_else(|| item.or(direct.map(|(_, value)| value)).and_then(scalar_text))
        }
        Value::Array(items) => items.iter().find_map(|item| reference(item, field)),
        Value::String(text) => {
            serde_json::from_str(text).ok().filter(Value::is_object).and_then(|value| reference(&value, field))
        }
        _ => None,
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.replace("\\\\", "\\")),
        Value::Array(items) => items.first().and_then(scalar_text),
        Value::Null | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let path =
        r"[A-Za-z][A-Za-z0-9 äß日😀:/{}\[\],\\]{0,20}[a-z\]]".prop_map(|path: String| path.replace("\\\\", "\\"));
    (path, "[a-z]{1,9}", any::<u16>(), any::<u32>(), any::<bool>(), any::<std::net::Ipv6Addr>()).prop_map(
        |(path, host, port, pid, flag, address)| {
            let mut event = Event::default();
            for (field, text) in &mut event.data {
                match field {
                    Field::ProcessName | Field::UserName => *text = path.clone(),
                    Field::SrcHostName | Field::DstHostName => *text = host.clone(),
                    Field::SrcPort | Field::DstPort => *text = port.to_string(),
                    Field::ProcessId => *text = pid.to_string(),
                    Field::NetworkConnectionInitiated => *text = flag.to_string(),
                    Field::SrcIp => *text = address.to_string(),
                    _ => {}
                }
            }
            event
        },
    )
}

/// Names with two meanings in a shape, or with none: the search by name finds nothing, or the wrong value.
const NOT_BY_NAME: [&str; 5] =
    ["winlogbeat 8 behind its Sysmon module", "NXLog that dropped fields", "Fluent Bit", "PowerShell", "message only"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_of_any_shape_and_spelling_give_the_reference_s_row(event in any_event(), seed in 1u64..) {
        let mut dice = Dice(seed);
        for (name, render, missing) in SHAPES {
            let text = dice.write(&render(&event));
            let value: Value = serde_json::from_str(&text).unwrap();
            let (rows, account) = read(text.as_bytes());
            prop_assert_eq!(account.ledger.damage.iter().next(), None, "{} {}", name, text);
            prop_assert_eq!(rows.len(), 1, "{} {}", name, text);
            let row = found(&rows[0]);
            prop_assert_eq!(&row, &expected(&event, missing), "{} {}", name, text);
            if NOT_BY_NAME.contains(name) {
                continue;
            }
            for (field, _) in DATA.iter().filter(|(field, _)| !matches!(field, Field::EventCreationTime | Field::ProcessGuid)) {
                let slow = reference(&value, *field);
                prop_assert_eq!(slow.as_ref(), row.get(field.column()), "{} {:?} {}", name, field, text);
            }
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300), sizes in prop::collection::vec(1usize..40, 1..5)) {
        let mut log = b"{".to_vec();
        log.extend(bytes);
        let (rows, account) = read(&log);
        assert_identity(&account.ledger);
        prop_assert_eq!(truth::read_in_pieces(&log, &sizes), (rows, account.ledger));
    }

    #[test]
    fn no_json_is_too_strange(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "\n{", " ", "    {", "\n     {", "\"a\"", "\"EventID\":3", "{\"a\":1}",
            "{\"a\":1}\n", "{\"a\":[{\"b\":1}\n", "1", "x", "\u{e9}", "{\"EventID\":3,\"SourceName\":\"Microsoft-Windows-Sysmon\"}\n",
        ]), 0..40),
        sizes in prop::collection::vec(1usize..12, 1..5),
    ) {
        let log = format!("{{\"a\":1}}\n{}", parts.concat());
        let (rows, account) = read(log.as_bytes());
        assert_identity(&account.ledger);
        prop_assert_eq!(truth::read_in_pieces(log.as_bytes(), &sizes), (rows, account.ledger));
    }

    #[test]
    fn damage_anywhere_leaves_the_other_records_alone(at in 0usize..1200, byte in any::<u8>(), sizes in prop::collection::vec(1usize..2000, 1..5)) {
        let good = nxlog(&Event::default()).to_string();
        let mut log = format!("{good}\n{good}\n{good}\n").into_bytes();
        log[good.len() + 1 + at % good.len()] = byte;
        let (rows, account) = read(&log);
        prop_assert!(rows.len() >= 2);
        assert_identity(&account.ledger);
        prop_assert_eq!(truth::read_in_pieces(&log, &sizes), (rows, account.ledger));
    }
}
