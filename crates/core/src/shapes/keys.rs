//! The one table of names: the field that a key of a JSON object, or a column of a CSV, stands for.

use crate::shapes::{audit, defender};
use crate::table::schema::Field;

/// The place of an object in a record, which decides what its keys mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The record, and any object that only wraps it or its `System` block.
    Record,
    /// Winlogbeat 7's `winlog`: like the record, but its `process` is Sysmon's own.
    Winlog,
    /// ECS' `event`, or an event that a collector wrapped.
    EcsEvent,
    /// ECS' `log`.
    Log,
    /// Sysmon's own fields, by name.
    Data,
    /// Sysmon's own fields in Winlogbeat's `event_data`.
    BeatData,
    /// Sysmon's own fields as Wazuh writes them: backslashes doubled.
    WazuhData,
    /// An object of a list of `{Name, text}`.
    DataItem,
    /// `Provider`.
    Provider,
    /// `Execution`, and Winlogbeat 7's `winlog.process`.
    Logger,
    /// Winlogbeat 7's `winlog.process.thread`.
    LoggerThread,
    /// `TimeCreated`.
    TimeCreated,
    /// `Security`, and Winlogbeat's `user`.
    Security,
    /// An object that describes the computer; the number is [`Slot::Host`]'s.
    Host(u8),
    /// An object around one value: `{"#text": 3}`, `{"Value": 3}`.
    Boxed(Field),
    /// An object without any field.
    Nothing,
}

/// The source of the time of writing, the most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeSource {
    /// `TimeCreated/@SystemTime`: UTC by definition, with or without a zone.
    System,
    /// A shipper's `TimeCreated`: local time in some, so only with a zone (EvtxECmd's is always UTC).
    Created,
    /// Sentinel's `TimeGenerated`, NXLog's `EventTime`: only with a zone.
    Generated,
    /// `@timestamp`: the event's in the Beats' own documents, the collector's in all others.
    Stamp,
}

/// How to use a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing.
    Skip,
    /// The field's value.
    Set(Field),
    /// The field's value, unless there is a better one.
    Second(Field),
    /// The field's value if the record is a flat one.
    Flat(Field),
    /// The field's value if the record is a row that procwire wrote.
    Own(Field),
    /// One of Sysmon's own fields.
    Data(Field),
    /// The time when the event was written.
    Time(TimeSource),
    /// An object, or a list of records.
    Enter(Scope),
    /// `EventData`: an object, a list, or a string of JSON or XML.
    EventData(Scope),
    /// Text with `EventData` in JSON or XML.
    Payload,
    /// Values without names, in Sysmon's order.
    Inserts,
    /// Values without names in Sentinel's `<Param>` elements, in Sysmon's order.
    Params,
    /// The message text.
    Message,
    /// The original event: XML, JSON, or a line of syslog.
    Original,
    /// The name in a `{Name, text}`.
    ItemName,
    /// The text in a `{Name, text}`.
    ItemText,
    /// The Beats module that changed the record.
    Module,
    /// The kind of row in a recording by procwire.
    RecordKind,
    /// A field of the security audit's connections, in the column where it is stored.
    Audit(Field),
    /// A value of Defender's network events.
    Defender(defender::Key),
    /// The computer, if no better name says it; the lower the number, the more it is trusted.
    Host(u8),
}

use Slot::{Data, Enter, Inserts, ItemName, ItemText, Message, Module, Original, Params, Payload, Second, Set, Time};

const RECORD: &[(&str, Slot)] = &[
    ("EventID", Set(Field::EventId)),
    ("event_id", Set(Field::EventId)),
    ("EventId", Set(Field::EventId)),
    ("eventID", Set(Field::EventId)),
    ("Id", Second(Field::EventId)),
    ("Provider", Set(Field::ProviderName)),
    ("ProviderName", Set(Field::ProviderName)),
    ("provider_name", Set(Field::ProviderName)),
    ("providerName", Set(Field::ProviderName)),
    ("SourceName", Set(Field::ProviderName)),
    ("source_name", Set(Field::ProviderName)),
    ("EventSourceName", Second(Field::ProviderName)),
    ("Source", Second(Field::ProviderName)),
    ("provider", Set(Field::ProviderName)),
    ("ProviderGuid", Set(Field::ProviderGuid)),
    ("provider_guid", Set(Field::ProviderGuid)),
    ("providerGuid", Set(Field::ProviderGuid)),
    ("ProviderId", Second(Field::ProviderGuid)),
    ("Channel", Set(Field::Channel)),
    ("channel", Set(Field::Channel)),
    ("log_name", Set(Field::Channel)),
    ("LogName", Set(Field::Channel)),
    ("EventLog", Set(Field::Channel)),
    ("Computer", Set(Field::ComputerName)),
    ("computer", Set(Field::ComputerName)),
    ("computer_name", Set(Field::ComputerName)),
    ("Hostname", Set(Field::ComputerName)),
    ("MachineName", Second(Field::ComputerName)),
    ("ComputerName", Slot::Host(0)),
    ("computerName", Slot::Host(0)),
    ("machine_name", Slot::Host(0)),
    ("HostName", Slot::Host(1)),
    ("hostName", Slot::Host(1)),
    ("host_name", Slot::Host(1)),
    ("_HOSTNAME", Slot::Host(1)),
    ("device_name", Slot::Host(1)),
    ("dvc_host", Slot::Host(1)),
    ("dvc_hostname", Slot::Host(1)),
    ("NodeName", Slot::Host(1)),
    ("nodename", Slot::Host(1)),
    ("Host", Slot::Host(2)),
    ("HOST", Slot::Host(2)),
    ("observer", Enter(Scope::Host(3))),
    ("hostname", Slot::Host(1)),
    ("DeviceName", Slot::Host(1)),
    ("dvc", Slot::Host(1)),
    ("hostIdentifier", Slot::Host(1)),
    ("host", Enter(Scope::Host(2))),
    ("agent", Enter(Scope::Host(3))),
    ("beat", Enter(Scope::Host(3))),
    ("agent_name", Slot::Host(3)),
    ("agent_hostname", Slot::Host(3)),
    ("source_host", Slot::Host(3)),
    ("EventRecordID", Set(Field::RecordId)),
    ("EventRecordId", Set(Field::RecordId)),
    ("eventRecordID", Set(Field::RecordId)),
    ("record_id", Set(Field::RecordId)),
    ("record_number", Set(Field::RecordId)),
    // EvtxECmd has both; this one is the record's number in its file.
    ("RecordNumber", Second(Field::RecordId)),
    ("RecordId", Second(Field::RecordId)),
    ("Version", Set(Field::EventVersion)),
    ("version", Set(Field::EventVersion)),
    ("Level", Set(Field::EventLevel)),
    ("level", Set(Field::EventLevel)),
    ("EventLevel", Set(Field::EventLevel)),
    ("Task", Set(Field::EventTask)),
    ("task", Set(Field::EventTask)),
    ("OpcodeValue", Set(Field::EventOpcode)),
    ("Opcode", Second(Field::EventOpcode)),
    ("opcode", Second(Field::EventOpcode)),
    ("Keywords", Set(Field::EventKeywords)),
    ("keywords", Set(Field::EventKeywords)),
    ("Execution", Enter(Scope::Logger)),
    ("execution", Enter(Scope::Logger)),
    ("ProcessID", Set(Field::LoggerProcessId)),
    ("ExecutionProcessID", Set(Field::LoggerProcessId)),
    ("SystemProcessId", Set(Field::LoggerProcessId)),
    ("processID", Set(Field::LoggerProcessId)),
    // The logger's in Winlogbeat 6 and Vector, but the connecting process's in procwire's own rows.
    ("process_id", Second(Field::LoggerProcessId)),
    ("ThreadID", Set(Field::LoggerThreadId)),
    ("ThreadId", Set(Field::LoggerThreadId)),
    ("ExecutionThreadID", Set(Field::LoggerThreadId)),
    ("SystemThreadId", Set(Field::LoggerThreadId)),
    ("thread_id", Set(Field::LoggerThreadId)),
    ("threadID", Set(Field::LoggerThreadId)),
    ("Security", Enter(Scope::Security)),
    ("security", Enter(Scope::Security)),
    ("user", Enter(Scope::Security)),
    ("UserID", Set(Field::LoggerUserSid)),
    // The process's own, a number, in recordings by procwire.
    ("UserId", Second(Field::LoggerUserSid)),
    ("SystemUserId", Set(Field::LoggerUserSid)),
    ("user_id", Second(Field::LoggerUserSid)),
    ("record_kind", Slot::RecordKind),
    ("RecordKind", Slot::RecordKind),
    ("systemTime", Time(TimeSource::System)),
    ("system_time", Time(TimeSource::System)),
    ("TimeCreated", Time(TimeSource::Created)),
    ("TimeGenerated", Time(TimeSource::Generated)),
    ("EventTime", Time(TimeSource::Generated)),
    ("@timestamp", Time(TimeSource::Stamp)),
    ("timestamp", Time(TimeSource::Stamp)),
    ("Timestamp", Time(TimeSource::Stamp)),
    ("event_data", Slot::EventData(Scope::BeatData)),
    ("EventData", Slot::EventData(Scope::Data)),
    ("eventdata", Slot::EventData(Scope::WazuhData)),
    ("eventData", Slot::EventData(Scope::WazuhData)),
    ("Payload", Payload),
    ("StringInserts", Inserts),
    ("string_inserts", Inserts),
    ("Properties", Inserts),
    ("ParameterXml", Params),
    ("message", Message),
    ("Message", Message),
    ("RenderedDescription", Message),
    ("SyslogMessage", Original),
    ("MESSAGE", Original),
    ("_raw", Original),
    ("full_log", Original),
    ("xml", Original),
    ("event", Enter(Scope::EcsEvent)),
    ("log", Enter(Scope::Log)),
    ("winlog", Enter(Scope::Winlog)),
    ("Event", Enter(Scope::Record)),
    ("System", Enter(Scope::Record)),
    ("system", Enter(Scope::Record)),
    ("_source", Enter(Scope::Record)),
    ("fields", Enter(Scope::Record)),
    ("data", Enter(Scope::Record)),
    ("win", Enter(Scope::Record)),
    ("body", Enter(Scope::Record)),
    ("result", Enter(Scope::Record)),
    ("hits", Enter(Scope::Record)),
    ("records", Enter(Scope::Record)),
    ("Records", Enter(Scope::Record)),
    ("value", Enter(Scope::Record)),
    ("events", Enter(Scope::Record)),
    ("Events", Enter(Scope::Record)),
    ("results", Enter(Scope::Record)),
];

const DATA: &[(&str, Slot)] =
    &[("Data", Slot::EventData(Scope::Data)), ("data", Slot::EventData(Scope::Data)), ("#text", Inserts)];

const DATA_ITEM: &[(&str, Slot)] = &[
    ("Name", ItemName),
    ("@Name", ItemName),
    ("name", ItemName),
    ("#text", ItemText),
    ("text", ItemText),
    ("Value", ItemText),
    ("value", ItemText),
    ("content", ItemText),
    ("$t", ItemText),
    ("_", ItemText),
    ("#attributes", Enter(Scope::DataItem)),
    ("$", Enter(Scope::DataItem)),
];

const PROVIDER: &[(&str, Slot)] = &[
    ("Name", Set(Field::ProviderName)),
    ("@Name", Set(Field::ProviderName)),
    ("name", Set(Field::ProviderName)),
    ("Guid", Set(Field::ProviderGuid)),
    ("@Guid", Set(Field::ProviderGuid)),
    ("guid", Set(Field::ProviderGuid)),
    ("#attributes", Enter(Scope::Provider)),
    ("$", Enter(Scope::Provider)),
];

const LOGGER: &[(&str, Slot)] = &[
    ("ProcessID", Set(Field::LoggerProcessId)),
    ("@ProcessID", Set(Field::LoggerProcessId)),
    ("process_id", Set(Field::LoggerProcessId)),
    ("pid", Set(Field::LoggerProcessId)),
    ("ThreadID", Set(Field::LoggerThreadId)),
    ("@ThreadID", Set(Field::LoggerThreadId)),
    ("thread_id", Set(Field::LoggerThreadId)),
    ("thread", Enter(Scope::LoggerThread)),
    ("#attributes", Enter(Scope::Logger)),
    ("$", Enter(Scope::Logger)),
];

const LOGGER_THREAD: &[(&str, Slot)] = &[("id", Set(Field::LoggerThreadId))];

const TIME_CREATED: &[(&str, Slot)] = &[
    ("SystemTime", Time(TimeSource::System)),
    ("@SystemTime", Time(TimeSource::System)),
    ("#attributes", Enter(Scope::TimeCreated)),
    ("$", Enter(Scope::TimeCreated)),
];

const SECURITY: &[(&str, Slot)] = &[
    ("UserID", Set(Field::LoggerUserSid)),
    ("@UserID", Set(Field::LoggerUserSid)),
    ("UserId", Set(Field::LoggerUserSid)),
    ("user_id", Set(Field::LoggerUserSid)),
    ("identifier", Set(Field::LoggerUserSid)),
    ("#attributes", Enter(Scope::Security)),
    ("$", Enter(Scope::Security)),
];

const WINLOG: &[(&str, Slot)] = &[("process", Enter(Scope::Logger))];

const ECS_EVENT: &[(&str, Slot)] = &[
    ("code", Second(Field::EventId)),
    ("provider", Second(Field::ProviderName)),
    ("module", Module),
    ("dataset", Module),
    ("original", Original),
];

const LOG: &[(&str, Slot)] = &[("level", Second(Field::EventLevel))];

const BOXES: &[&str] = &["#text", "Value", "value", "text", "content", "$t", "_", "id"];

fn search(table: &[(&str, Slot)], key: &str) -> Option<Slot> {
    table.iter().find(|(name, _)| *name == key).map(|(_, slot)| *slot)
}

/// Sysmon's own name of a field; Wazuh writes its first letter in lower case.
fn data_field(key: &str) -> Option<Field> {
    let first = key.as_bytes().first()?;
    Field::data().find(|field| {
        let name = field.sysmon();
        name.len() == key.len() && name.as_bytes()[0] == first.to_ascii_uppercase() && name[1..] == key[1..]
    })
}

/// A column of procwire that is no other shape's key.
fn own_field(key: &str) -> Option<Field> {
    Field::logged().find(|field| field.column() == key)
}

fn record_slot(key: &str) -> Option<Slot> {
    search(RECORD, key)
        .or_else(|| Field::from_data_name(key).map(Slot::Flat))
        .or_else(|| own_field(key).map(Slot::Own))
        .or_else(|| audit::field(key).map(Slot::Audit))
        .or_else(|| defender::KEYS.iter().find(|(name, _)| *name == key).map(|(_, key)| Slot::Defender(*key)))
}

/// The meaning of `key` in `scope`.
pub(crate) fn find(scope: Scope, key: &str) -> Slot {
    let slot = match scope {
        Scope::Record => record_slot(key),
        Scope::Winlog => search(WINLOG, key).or_else(|| record_slot(key)),
        Scope::EcsEvent => search(ECS_EVENT, key).or_else(|| record_slot(key)),
        Scope::Log => search(LOG, key),
        Scope::Data | Scope::BeatData | Scope::WazuhData => {
            data_field(key).map(Data).or_else(|| search(DATA, key)).or_else(|| audit::field(key).map(Slot::Audit))
        }
        Scope::DataItem => search(DATA_ITEM, key).or_else(|| data_field(key).map(Data)),
        Scope::Provider => search(PROVIDER, key),
        Scope::Logger => search(LOGGER, key),
        Scope::LoggerThread => search(LOGGER_THREAD, key),
        Scope::TimeCreated => search(TIME_CREATED, key),
        Scope::Security => search(SECURITY, key),
        Scope::Host(rank) => matches!(key, "name" | "hostname").then_some(Slot::Host(rank)),
        Scope::Boxed(field) if BOXES.contains(&key) => Some(Set(field)),
        Scope::Boxed(field) if key == "#attributes" && field == Field::ProviderName => Some(Enter(Scope::Provider)),
        Scope::Boxed(_) | Scope::Nothing => None,
    };
    slot.or_else(|| find_dotted(scope, key)).unwrap_or(Slot::Skip)
}

/// `winlog.event_data.SourceIp`: a path in one key, as Kibana exports it.
fn find_dotted(scope: Scope, key: &str) -> Option<Slot> {
    let (first, rest) = key.split_once('.')?;
    match find(scope, first) {
        Slot::Skip => None,
        slot => match inner_scope(slot) {
            Scope::Nothing => None,
            inner => Some(find(inner, rest)),
        },
    }
}

/// The scope of an object that stands in the place of `slot`'s value.
pub(crate) fn inner_scope(slot: Slot) -> Scope {
    match slot {
        Enter(scope) | Slot::EventData(scope) => scope,
        Payload => Scope::Record,
        Inserts => Scope::DataItem,
        Set(Field::ProviderName) => Scope::Provider,
        Set(field) | Second(field) => Scope::Boxed(field),
        Time(TimeSource::Created) => Scope::TimeCreated,
        _ => Scope::Nothing,
    }
}

/// The meaning of a column of a CSV: that of a record's key, in any case and without the suffixes that Sentinel's
/// portal adds.
pub(crate) fn find_column(name: &str) -> Slot {
    let found = find(Scope::Record, name);
    if found != Slot::Skip {
        return found;
    }
    let data = Field::data().map(|field| (field.sysmon(), Slot::Flat(field)));
    let own = Field::logged().map(|field| (field.column(), Slot::Own(field)));
    let all = RECORD.iter().copied().chain(data).chain(own);
    let mut matching = all.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    matching.next().map_or(Slot::Skip, |(_, slot)| slot)
}

/// Keys of up to this many bytes are cached.
const CACHED_BYTES: usize = 32;

/// A short key, padded with zero bytes: compared, and hashed, without a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ShortKey {
    words: [u64; CACHED_BYTES / 8],
    len: usize,
}

/// The mask of each word of a key, by the key's length.
static MASKS: [[u64; CACHED_BYTES / 8]; CACHED_BYTES + 1] = {
    let mut masks = [[0; CACHED_BYTES / 8]; CACHED_BYTES + 1];
    let mut len = 0;
    while len <= CACHED_BYTES {
        let mut at = 0;
        while at < len {
            masks[len][at / 8] |= 0xff << (at % 8 * 8);
            at += 1;
        }
        len += 1;
    }
    masks
};

impl ShortKey {
    /// The key between `start` and `end`.
    #[inline]
    fn of(bytes: &[u8], start: usize, end: usize) -> Option<Self> {
        let len = end - start;
        let masks = MASKS.get(len)?;
        let bytes = match bytes.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => bytes,
            None => &Self::padded(bytes.get(start..end)?),
        };
        let (words, _) = bytes.as_chunks::<8>();
        Some(ShortKey { words: std::array::from_fn(|at| u64::from_le_bytes(words[at]) & masks[at]), len })
    }

    #[cold]
    fn padded(key: &[u8]) -> [u8; CACHED_BYTES] {
        std::array::from_fn(|at| key.get(at).copied().unwrap_or(0))
    }

    #[inline]
    fn home(&self) -> usize {
        let [a, b, c, d] = self.words;
        let mixed = a ^ b.rotate_left(23) ^ c.rotate_left(46) ^ d.rotate_left(11);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CACHE_BITS)) as usize
    }
}

/// A key and its meaning, in one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Known {
    key: ShortKey,
    scope: Scope,
    slot: Slot,
}

/// [`find`] behind a cache: the records of a log all have the same keys.
pub(crate) struct Keys(Vec<Known>);

const CACHE_BITS: u32 = 9;
/// A key stands at its home or up to this many places behind it.
const CACHE_PLACES: usize = 4;

impl Keys {
    /// Make one with an empty cache.
    pub(crate) fn cached() -> Self {
        // The empty key has no meaning, so an empty entry is correct.
        let nobody = Known { key: ShortKey::default(), scope: Scope::Nothing, slot: Slot::Skip };
        Keys(vec![nobody; (1 << CACHE_BITS) + CACHE_PLACES])
    }

    /// Make one without a cache, for a single record.
    pub(crate) fn uncached() -> Self {
        Keys(Vec::new())
    }

    /// The meaning in `scope` of the key between `start` and `end` of `text`.
    #[inline(always)]
    pub(crate) fn find(&mut self, scope: Scope, text: &str, start: usize, end: usize) -> Slot {
        if scope == Scope::Nothing {
            return Slot::Skip;
        }
        let Some(key) = ShortKey::of(text.as_bytes(), start, end) else { return find(scope, &text[start..end]) };
        match self.0.get(key.home()) {
            Some(known) if known.key == key && known.scope == scope => known.slot,
            _ => self.find_further(scope, &key, &text[start..end]),
        }
    }

    /// The meaning of a key that is not at its home.
    #[inline(never)]
    fn find_further(&mut self, scope: Scope, key: &ShortKey, text: &str) -> Slot {
        let home = key.home();
        let Some(places) = self.0.get_mut(home..home + CACHE_PLACES) else { return find(scope, text) };
        if let Some(known) = places.iter().find(|known| known.key == *key && known.scope == scope) {
            return known.slot;
        }
        let free = places.iter().position(|known| known.scope == Scope::Nothing).unwrap_or(0);
        places[free] = Known { key: *key, scope, slot: find(scope, text) };
        places[free].slot
    }
}
