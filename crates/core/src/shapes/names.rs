//! What a key means wherever it stands and however it is spelled: `SourceIp`, `source_ip`, `SOURCEIP`,
//! `winlog.event_data.SourceIp`, `Event/EventData/SourceIp` are one name.
//!
//! A path is split into lower-case words (at anything that is neither a letter nor a digit, and where the case changes). Its name is
//! the longest end of it that is in the table; the words before are its prefix, and the fields of one event share it.

use std::collections::HashMap;
use std::sync::LazyLock;

use bumpalo::Bump;
use bumpalo::collections::{String as BumpString, Vec as BumpVec};

use crate::shapes::keys::TimeSource;
use crate::table::schema::Field;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// One of Sysmon's own fields, by its own name.
    Data(Field),
    /// One of Sysmon's own fields, by the name that ECS or another schema has for it.
    Alias(Field),
    /// Hayabusa's `PID`.
    Pid,
    /// ECS' `user.name`, which lacks the domain.
    UserName,
    /// ECS' `user.domain`.
    UserDomain,
    /// ECS' `network.direction`: `egress` or `ingress`.
    Direction,
    /// ECS' `network.type`: `ipv4` or `ipv6`.
    Family,
    /// A field of `System`, by a name that nothing else has.
    System(Field),
    /// A field of `System`, if it stands beside the event's id or directly in a wrapper.
    Beside(Field),
    /// The event's id, if nothing else says it.
    WeakId,
    /// The computer, the most trusted name first.
    Computer(u8),
    /// The time of writing.
    Time(TimeSource),
    /// The collector's time, which is UtcTime in documents of Elastic's Sysmon pipelines.
    Stamp,
    /// What the shipper calls the kind of its records.
    Module,
}

/// A key's path in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    /// The words in one: `winlogeventdatasourceip`.
    flat: &'a str,
    /// Where each word begins.
    starts: &'a [u16],
}

/// Longer paths have no name.
const MAX_PATH: usize = 400;

/// Words that wrap a value without a meaning of their own.
const BOXES: &[&str] = &[
    "#text",
    "_text",
    "$t",
    "_",
    "#",
    "value",
    "Value",
    "text",
    "content",
    "keyword",
    "string",
    "long",
    "int",
    "S",
    "N",
    "stringValue",
    "intValue",
    "boolValue",
    "doubleValue",
    "kvlistValue",
    "arrayValue",
    "#attributes",
    "$",
    "attributes",
    "$numberInt",
    "$numberLong",
    "string_value",
    "int_value",
];

impl<'a> Path<'a> {
    /// The path of no key.
    pub(crate) const ROOT: Path<'static> = Path { flat: "", starts: &[] };

    /// The path of `key` in the object at this path.
    pub(crate) fn join(self, key: &str, arena: &'a Bump) -> Path<'a> {
        let boxed = !self.starts.is_empty() && BOXES.contains(&key);
        // Elasticsearch's documents stand in `_source`, which is none of ECS' `source`.
        if boxed || key == "_source" || self.flat.len() + key.len() > MAX_PATH {
            return self;
        }
        let key = key.strip_prefix("_source.").unwrap_or(key);
        let mut flat = BumpString::from_str_in(self.flat, arena);
        let mut starts = BumpVec::from_iter_in(self.starts.iter().copied(), arena);
        let mut previous = ' ';
        let mut symbols = key.chars().peekable();
        while let Some(symbol) = symbols.next() {
            if symbol.is_alphanumeric() {
                let after_word = !previous.is_alphanumeric();
                let hump = symbol.is_uppercase()
                    && (previous.is_lowercase() || symbols.peek().is_some_and(|next| next.is_lowercase()));
                if after_word || hump {
                    starts.push(flat.len() as u16);
                }
                flat.extend(symbol.to_lowercase());
            }
            previous = symbol;
        }
        Path { flat: flat.into_bump_str(), starts: starts.into_bump_slice() }
    }

    /// The meaning of the longest end that has one, and the words before.
    pub(crate) fn meaning(self) -> Option<(Meaning, &'a str)> {
        let split = |at: usize| {
            let (prefix, name) = self.flat.split_at(at);
            NAMES.get(name).map(|meaning| (*meaning, prefix))
        };
        // Lower case without separators hides where words begin.
        let joined = || self.flat.rfind("eventdata").and_then(|at| split(at + "eventdata".len()));
        self.starts.iter().find_map(|start| split(usize::from(*start))).or_else(joined)
    }

    /// The words in one.
    pub(crate) fn words(self) -> &'a str {
        self.flat
    }
}

/// Whether objects of this path wrap a record, or its `System` part.
pub(crate) fn is_wrapper(prefix: &str) -> bool {
    const WORDS: &[&str] = &[
        "",
        "event",
        "system",
        "eventsystem",
        "winlog",
        "win",
        "winsystem",
        "datawin",
        "datawinsystem",
        "data",
        "fields",
        "source",
        "record",
        "result",
        "payload",
        "jsonpayload",
        "body",
        "log",
        "labels",
        "stream",
        "resource",
        "document",
        "documentdata",
        "documentdataeventsystem",
        "doc",
        "docsystem",
        "hits",
        "message",
        "content",
        "attributes",
        "meta",
        "winlogbeat",
        "winlogbeatwinlog",
        "sourcewinlog",
        "fieldswinlog",
        "columns",
        "raw",
        "decorations",
    ];
    WORDS.contains(&prefix) || prefix.ends_with("system") || prefix.ends_with("winlog")
}

/// Names of `System`'s fields, and of what stands beside the event.
const SYSTEM: &[(&str, Meaning)] = &[
    ("eventid", Meaning::System(Field::EventId)),
    ("eventcode", Meaning::System(Field::EventId)),
    ("eventidentifier", Meaning::System(Field::EventId)),
    ("eventidcode", Meaning::System(Field::EventId)),
    ("eventnumber", Meaning::System(Field::EventId)),
    ("eid", Meaning::System(Field::EventId)),
    ("signatureid", Meaning::WeakId),
    ("id", Meaning::WeakId),
    ("providername", Meaning::System(Field::ProviderName)),
    ("sourcename", Meaning::System(Field::ProviderName)),
    ("eventprovider", Meaning::System(Field::ProviderName)),
    ("eventsource", Meaning::Beside(Field::ProviderName)),
    ("provider", Meaning::Beside(Field::ProviderName)),
    ("source", Meaning::Beside(Field::ProviderName)),
    ("providerguid", Meaning::System(Field::ProviderGuid)),
    ("provideridentifier", Meaning::System(Field::ProviderGuid)),
    ("channel", Meaning::Beside(Field::Channel)),
    ("logname", Meaning::Beside(Field::Channel)),
    ("eventlog", Meaning::Beside(Field::Channel)),
    ("eventrecordid", Meaning::System(Field::RecordId)),
    ("recordid", Meaning::System(Field::RecordId)),
    ("recordnumber", Meaning::System(Field::RecordId)),
    ("eventrecordnumber", Meaning::System(Field::RecordId)),
    ("eventversion", Meaning::System(Field::EventVersion)),
    ("version", Meaning::Beside(Field::EventVersion)),
    ("eventlevel", Meaning::System(Field::EventLevel)),
    ("level", Meaning::Beside(Field::EventLevel)),
    ("eventtask", Meaning::System(Field::EventTask)),
    ("task", Meaning::Beside(Field::EventTask)),
    ("taskcategory", Meaning::Beside(Field::EventTask)),
    ("eventopcode", Meaning::System(Field::EventOpcode)),
    ("opcode", Meaning::Beside(Field::EventOpcode)),
    ("opcodevalue", Meaning::Beside(Field::EventOpcode)),
    ("eventkeywords", Meaning::System(Field::EventKeywords)),
    ("keywords", Meaning::Beside(Field::EventKeywords)),
    ("executionprocessid", Meaning::System(Field::LoggerProcessId)),
    ("winlogprocesspid", Meaning::System(Field::LoggerProcessId)),
    ("systemprocessid", Meaning::System(Field::LoggerProcessId)),
    ("loggerprocessid", Meaning::System(Field::LoggerProcessId)),
    ("executionthreadid", Meaning::System(Field::LoggerThreadId)),
    ("winlogprocessthreadid", Meaning::System(Field::LoggerThreadId)),
    ("systemthreadid", Meaning::System(Field::LoggerThreadId)),
    ("loggerthreadid", Meaning::System(Field::LoggerThreadId)),
    ("threadid", Meaning::Beside(Field::LoggerThreadId)),
    ("securityuserid", Meaning::System(Field::LoggerUserSid)),
    ("winloguseridentifier", Meaning::System(Field::LoggerUserSid)),
    ("systemuserid", Meaning::System(Field::LoggerUserSid)),
    ("usersid", Meaning::System(Field::LoggerUserSid)),
    ("useridentifier", Meaning::Beside(Field::LoggerUserSid)),
    ("computer", Meaning::Computer(0)),
    ("computername", Meaning::Computer(0)),
    ("machinename", Meaning::Computer(0)),
    ("hosthostname", Meaning::Computer(1)),
    ("hostname", Meaning::Computer(1)),
    ("dvchostname", Meaning::Computer(1)),
    ("dvchost", Meaning::Computer(1)),
    ("dvc", Meaning::Computer(1)),
    ("devicename", Meaning::Computer(1)),
    ("devicehostname", Meaning::Computer(1)),
    ("observerhostname", Meaning::Computer(3)),
    ("workstationname", Meaning::Computer(1)),
    ("systemname", Meaning::Computer(1)),
    ("hostidentifier", Meaning::Computer(1)),
    ("nodename", Meaning::Computer(1)),
    ("logsource", Meaning::Computer(1)),
    ("host", Meaning::Computer(2)),
    ("agenthostname", Meaning::Computer(3)),
    ("agentname", Meaning::Computer(3)),
    ("beathostname", Meaning::Computer(3)),
    ("sourcehost", Meaning::Computer(3)),
    ("systemtime", Meaning::Time(TimeSource::System)),
    ("timecreated", Meaning::Time(TimeSource::Created)),
    ("timecreatedsystemtime", Meaning::Time(TimeSource::System)),
    ("timewritten", Meaning::Time(TimeSource::Generated)),
    ("timegenerated", Meaning::Time(TimeSource::Generated)),
    ("eventtime", Meaning::Time(TimeSource::Generated)),
    ("eventcreated", Meaning::Time(TimeSource::Generated)),
    ("datetimetimestamp", Meaning::Time(TimeSource::Generated)),
    ("timestamp", Meaning::Stamp),
    ("eventmodule", Meaning::Module),
    ("eventdataset", Meaning::Module),
    ("datastreamdataset", Meaning::Module),
];

/// Names that other schemas have for Sysmon's fields: ECS, the Splunk add-on (CIM), Microsoft's ASIM, Hayabusa's details.
const ALIASES: &[(&str, Meaning)] = &[
    ("sourceaddress", Meaning::Alias(Field::SrcIp)),
    ("srcip", Meaning::Alias(Field::SrcIp)),
    ("srcipaddr", Meaning::Alias(Field::SrcIp)),
    ("srcport", Meaning::Alias(Field::SrcPort)),
    ("srcportnumber", Meaning::Alias(Field::SrcPort)),
    ("sourcedomain", Meaning::Alias(Field::SrcHostName)),
    ("srchostname", Meaning::Alias(Field::SrcHostName)),
    ("destinationaddress", Meaning::Alias(Field::DstIp)),
    ("destip", Meaning::Alias(Field::DstIp)),
    ("dstip", Meaning::Alias(Field::DstIp)),
    ("dstipaddr", Meaning::Alias(Field::DstIp)),
    ("destport", Meaning::Alias(Field::DstPort)),
    ("dstport", Meaning::Alias(Field::DstPort)),
    ("dstportnumber", Meaning::Alias(Field::DstPort)),
    ("destinationdomain", Meaning::Alias(Field::DstHostName)),
    ("destinationhost", Meaning::Alias(Field::DstHostName)),
    ("desthost", Meaning::Alias(Field::DstHostName)),
    ("dsthostname", Meaning::Alias(Field::DstHostName)),
    ("processpid", Meaning::Alias(Field::ProcessId)),
    ("processexecutable", Meaning::Alias(Field::ProcessName)),
    ("processentityid", Meaning::Alias(Field::ProcessGuid)),
    ("processcommandline", Meaning::Alias(Field::ProcessCommandLine)),
    ("processworkingdirectory", Meaning::Alias(Field::ProcessCurrentDirectory)),
    ("processparententityid", Meaning::Alias(Field::ProcessParentGuid)),
    ("processparentpid", Meaning::Alias(Field::ProcessParentId)),
    ("processparentexecutable", Meaning::Alias(Field::ProcessParentName)),
    ("processparentcommandline", Meaning::Alias(Field::ProcessParentCommandLine)),
    ("dnsquestionname", Meaning::Alias(Field::DnsQueryName)),
    ("srchost", Meaning::Alias(Field::SrcHostName)),
    ("tgtip", Meaning::Alias(Field::DstIp)),
    ("tgtport", Meaning::Alias(Field::DstPort)),
    ("tgthost", Meaning::Alias(Field::DstHostName)),
    ("proc", Meaning::Alias(Field::ProcessName)),
    ("pguid", Meaning::Alias(Field::ProcessGuid)),
    ("pid", Meaning::Pid),
    ("proto", Meaning::Alias(Field::NetworkProtocol)),
    ("networktransport", Meaning::Alias(Field::NetworkProtocol)),
    ("transport", Meaning::Alias(Field::NetworkProtocol)),
    ("username", Meaning::UserName),
    ("userdomain", Meaning::UserDomain),
    ("networkdirection", Meaning::Direction),
    ("networktype", Meaning::Family),
];

static NAMES: LazyLock<HashMap<String, Meaning>> = LazyLock::new(|| {
    let data = Field::data().map(|field| (field.sysmon().to_ascii_lowercase(), Meaning::Data(field)));
    let other = SYSTEM.iter().chain(ALIASES).map(|(name, meaning)| ((*name).to_owned(), *meaning));
    data.chain(other).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_same_in_any_case_and_joining() {
        let arena = Bump::new();
        for (keys, prefix) in [
            (vec!["SourceIp"], ""),
            (vec!["SOURCEIP"], ""),
            (vec!["sourceip"], ""),
            (vec!["source_ip"], ""),
            (vec!["source", "ip"], ""),
            (vec!["_SourceIp"], ""),
            (vec!["winlog", "event_data", "SourceIp"], "winlogeventdata"),
            (vec!["winlog-event_data-SourceIp"], "winlogeventdata"),
            (vec!["Event/EventData/SourceIp"], "eventeventdata"),
            (vec!["data.win.eventdata.sourceIp"], "datawineventdata"),
            (vec!["EventData", "SourceIp", "#text"], "eventdata"),
            (vec!["wineventdatasourceip"], "wineventdata"),
        ] {
            let path = keys.iter().fold(Path::ROOT, |path, key| path.join(key, &arena));
            assert_eq!(path.meaning(), Some((Meaning::Data(Field::SrcIp), prefix)), "{keys:?}");
        }
        let path = |key| Path::ROOT.join(key, &arena).meaning();
        assert_eq!(path("ParentImage"), Some((Meaning::Data(Field::ProcessParentName), "")));
        assert_eq!(path("target.user"), Some((Meaning::Data(Field::UserName), "target")));
        assert_eq!(path("sourceiphash"), None);
    }
}
