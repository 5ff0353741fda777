//! JSON in the shape of every shipper, whole and damaged.

#[path = "json_truth.rs"]
mod truth;

use std::collections::BTreeMap;

use procwire_core::format::{BROKEN_RECORD, FormatName};
use procwire_core::schema::Field;
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

    /// The same without those that are empty.
    fn filled(&self) -> Map<String, Value> {
        self.strings().into_iter().filter(|(_, text)| *text != json!("")).collect()
    }

    fn text(&self, field: Field) -> &str {
        self.data.iter().find(|(known, _)| *known == field).map_or("", |(_, text)| text)
    }

    /// Numbers and booleans as such, GUIDs bare: EVTX decoders write them so.
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
    ("message only", |event| json!({"message": event.message("\r\n"), "host": {"name": "collector"}}), ALL_SYSTEM),
    ("Kibana fields", kibana_fields, &[Field::EventKeywords, Field::EventRecordedTime]),
];

/// The same for the shapes that hold XML in a string.
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
const ALL_SYSTEM: &[Field] = &[
    Field::EventRecordedTime,
    Field::RecordId,
    Field::ComputerName,
    Field::ProviderName,
    Field::ProviderGuid,
    Field::Channel,
    Field::EventId,
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

/// The row without what is ours.
fn found(row: &[Option<String>]) -> BTreeMap<&'static str, String> {
    let ours = Field::SourceFile as usize;
    Field::ALL[..ours].iter().filter_map(|field| Some((field.column(), row[*field as usize].clone()?))).collect()
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
