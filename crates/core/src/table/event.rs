//! The events that become rows: their names, fields and providers. An event is data; no reader has code for one of them.

use std::sync::{Arc, LazyLock};

use arrow_schema::{Field as ArrowField, Schema, SchemaRef};

use crate::table::schema::Field;
use Field::{
    DnsQueryName, DnsQueryResults, DnsQueryStatus, EventCreationTime, FileCompany, FileDescription, FileNameOriginal,
    FileProduct, FileVersion, Hash, ProcessCommandLine, ProcessCurrentDirectory, ProcessGuid, ProcessId,
    ProcessIntegrityLevel, ProcessName, ProcessParentCommandLine, ProcessParentGuid, ProcessParentId,
    ProcessParentName, ProcessParentUserName, RuleName, UserLogonGuid, UserLogonId, UserName, UserSessionId,
};

/// Who writes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Sysmon, on Windows or Linux.
    Sysmon,
    /// Windows' security audit.
    Audit,
    /// Microsoft Defender for Endpoint, whose records name no provider.
    Defender,
    /// Any other.
    Other,
}

/// Provider of Sysmon on Windows.
pub const SYSMON: &str = "Microsoft-Windows-Sysmon";
/// Provider of Sysmon for Linux.
pub const SYSMON_LINUX: &str = "Linux-Sysmon";
/// Provider of Windows' security audit.
pub const AUDIT: &str = "Microsoft-Windows-Security-Auditing";

impl Provider {
    /// The provider with this name.
    pub fn of(name: &str) -> Provider {
        if name.eq_ignore_ascii_case(SYSMON) || name.eq_ignore_ascii_case(SYSMON_LINUX) {
            Provider::Sysmon
        } else if name.eq_ignore_ascii_case(AUDIT) {
            Provider::Audit
        } else {
            Provider::Other
        }
    }
}

/// An event that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Event {
    /// Sysmon's event 3.
    Connection,
    /// Sysmon's event 1.
    ProcessCreation,
    /// Sysmon's event 22.
    DnsQuery,
    /// A connection that the Windows Filtering Platform permitted: event 5156 of the security audit.
    AuditConnection,
    /// A connection that it blocked: event 5157.
    AuditBlock,
    /// A connection that Defender saw succeed.
    DefenderConnection,
    /// An attempt that Defender saw fail, or of which it does not say how it ended.
    DefenderAttempt,
}

/// The definition of an event, for all readers.
struct Definition {
    provider: Provider,
    /// 0 if its records have no number.
    id: i64,
    name: &'static str,
    /// The names of its task: in configurations, and in Windows.
    tasks: [&'static str; 2],
    /// `EventData`'s fields, in Sysmon's order except for `RuleName`, which newer versions write first and which
    /// stands last here.
    data: &'static [Field],
    /// Fields that no other event has: they identify a record without an event id. The first suffices if the record has
    /// fields.
    marks: &'static [Field],
    /// The last field that every version has.
    last: Field,
    /// The fields that older versions lack, by the number of fields that they have.
    older: &'static [(usize, &'static [Field])],
}

static DEFINITIONS: [Definition; Event::COUNT] = [
    Definition {
        provider: Provider::Sysmon,
        id: 3,
        name: "connection",
        tasks: ["NetworkConnect", "Network connection"],
        data: Field::CONNECTION,
        marks: &[Field::DstIp, Field::SrcIp, Field::DstPort],
        last: Field::DstPortName,
        older: &[(17, &[RuleName])],
    },
    Definition {
        provider: Provider::Sysmon,
        id: 1,
        name: "process-creation",
        tasks: ["ProcessCreate", "Process Create"],
        data: &[
            EventCreationTime,
            ProcessGuid,
            ProcessId,
            ProcessName,
            FileVersion,
            FileDescription,
            FileProduct,
            FileCompany,
            FileNameOriginal,
            ProcessCommandLine,
            ProcessCurrentDirectory,
            UserName,
            UserLogonGuid,
            UserLogonId,
            UserSessionId,
            ProcessIntegrityLevel,
            Hash,
            ProcessParentGuid,
            ProcessParentId,
            ProcessParentName,
            ProcessParentCommandLine,
            ProcessParentUserName,
            RuleName,
        ],
        marks: &[ProcessParentGuid, ProcessParentName, ProcessCommandLine],
        last: ProcessParentCommandLine,
        older: &[
            (22, &[ProcessParentUserName]),
            (21, &[ProcessParentUserName, FileNameOriginal]),
            (20, &[ProcessParentUserName, FileNameOriginal, RuleName]),
            (
                16,
                &[
                    ProcessParentUserName,
                    FileNameOriginal,
                    RuleName,
                    FileVersion,
                    FileDescription,
                    FileProduct,
                    FileCompany,
                ],
            ),
        ],
    },
    Definition {
        provider: Provider::Sysmon,
        id: 22,
        name: "dns-query",
        tasks: ["DnsQuery", "Dns query"],
        data: &[
            EventCreationTime,
            ProcessGuid,
            ProcessId,
            DnsQueryName,
            DnsQueryStatus,
            DnsQueryResults,
            ProcessName,
            UserName,
            RuleName,
        ],
        marks: &[DnsQueryName, DnsQueryStatus, DnsQueryResults],
        last: ProcessName,
        older: &[(8, &[UserName])],
    },
    connection_of(Provider::Audit, 5156, "audit-connection"),
    connection_of(Provider::Audit, 5157, "audit-block"),
    connection_of(Provider::Defender, 0, "defender-connection"),
    connection_of(Provider::Defender, 0, "defender-attempt"),
];

/// A connection that another provider than Sysmon reports: a row of the same table.
const fn connection_of(provider: Provider, id: i64, name: &'static str) -> Definition {
    Definition {
        provider,
        id,
        name,
        tasks: [""; 2],
        data: Field::CONNECTION,
        marks: &[],
        last: Field::DstPortName,
        older: &[],
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 7] = [
        Event::Connection,
        Event::ProcessCreation,
        Event::DnsQuery,
        Event::AuditConnection,
        Event::AuditBlock,
        Event::DefenderConnection,
        Event::DefenderAttempt,
    ];
    /// Sysmon's events, in the order of the tables.
    pub const SYSMON: [Event; 3] = [Event::Connection, Event::ProcessCreation, Event::DnsQuery];
    /// The number of events.
    pub const COUNT: usize = Self::ALL.len();

    fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }

    /// Its number, as its provider counts; 0 if its records have none.
    pub fn id(self) -> i64 {
        self.definition().id
    }

    /// The event with this number in Sysmon; None if it cannot be read.
    #[inline]
    pub fn of_id(id: i64) -> Option<Event> {
        Self::SYSMON.into_iter().find(|event| event.id() == id)
    }

    /// Who writes it.
    pub fn provider(self) -> Provider {
        self.definition().provider
    }

    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// The event that users call `name`; None if there is none.
    pub fn parse(name: &str) -> Option<Event> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// The event whose task has this name in Windows; None if there is none.
    pub fn of_task(task: &str) -> Option<Event> {
        let is = |event: &Event| {
            let [name, heading] = event.definition().tasks;
            task.contains(name) || task.starts_with(heading)
        };
        Self::SYSMON.into_iter().find(is)
    }

    /// `EventData`'s fields, `RuleName` last.
    pub fn data(self) -> &'static [Field] {
        self.definition().data
    }

    /// `EventData`'s fields in Sysmon's order.
    pub fn in_order(self) -> impl DoubleEndedIterator<Item = Field> {
        std::iter::once(RuleName).chain(self.data().iter().copied().filter(|field| *field != RuleName))
    }

    /// The fields of the version that has `count` of them, in Sysmon's order.
    pub fn unnamed(self, count: usize) -> Option<impl Iterator<Item = Field>> {
        let lacking = match count {
            _ if count == self.data().len() => &[],
            _ => self.definition().older.iter().find(|(fields, _)| *fields == count)?.1,
        };
        Some(self.in_order().filter(|field| !lacking.contains(field)))
    }

    /// The numbers of fields of its versions, in words: `17 or 18`.
    pub fn field_counts(self) -> String {
        let older = self.definition().older.iter().rev().map(|(count, _)| count.to_string());
        format!("{} or {}", older.collect::<Vec<_>>().join(", "), self.data().len())
    }

    /// Fields that no other event has.
    pub fn marks(self) -> &'static [Field] {
        self.definition().marks
    }

    /// The last field that every version has.
    pub fn last(self) -> Field {
        self.definition().last
    }

    /// The table's columns, in order; addresses' bytes last.
    pub fn fields(self) -> &'static [Field] {
        static FIELDS: LazyLock<[Vec<Field>; Event::COUNT]> = LazyLock::new(|| {
            Event::ALL.map(|event| {
                let is_connection = !matches!(event, Event::ProcessCreation | Event::DnsQuery);
                let addresses = if is_connection { Field::ADDRESSES } else { &[] };
                [event.data(), Field::SYSTEM, Field::PLACE, addresses].concat()
            })
        });
        &FIELDS[self as usize]
    }

    /// The Arrow schema of the table.
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; Event::COUNT]> =
            LazyLock::new(|| Event::ALL.map(|event| event.schema_of(Field::arrow)));
        Arc::clone(&SCHEMAS[self as usize])
    }

    /// The Arrow schema of the table with texts and bytes as dictionaries.
    pub fn coded_schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; Event::COUNT]> =
            LazyLock::new(|| Event::ALL.map(|event| event.schema_of(Field::coded_arrow)));
        Arc::clone(&SCHEMAS[self as usize])
    }

    fn schema_of(self, column: fn(Field) -> ArrowField) -> SchemaRef {
        Arc::new(Schema::new(self.fields().iter().map(|field| column(*field)).collect::<Vec<_>>()))
    }
}

/// A set of events: those that a caller requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events([bool; Event::COUNT]);

impl Events {
    /// Sysmon's event 3 alone.
    pub const CONNECTIONS: Events = Events([true, false, false, false, false, false, false]);
    /// Every event.
    pub const ALL: Events = Events([true; Event::COUNT]);

    /// Whether `event` is among them.
    #[inline]
    pub fn contains(self, event: Event) -> bool {
        self.0[event as usize]
    }

    /// The event with this number in Sysmon, if it is among them.
    #[inline]
    pub fn of_id(self, id: i64) -> Option<Event> {
        Event::of_id(id).filter(|event| self.contains(*event))
    }

    /// The event of `provider` with this number, if it is among them.
    #[inline]
    pub fn of(self, provider: Provider, id: i64) -> Option<Event> {
        match provider {
            Provider::Sysmon => self.of_id(id),
            Provider::Audit => [Event::AuditConnection, Event::AuditBlock]
                .into_iter()
                .find(|event| event.id() == id && self.contains(*event)),
            Provider::Defender | Provider::Other => None,
        }
    }

    /// Whether an event of `provider` is among them.
    pub fn has_any_of(self, provider: Provider) -> bool {
        Event::ALL.into_iter().any(|event| event.provider() == provider && self.contains(event))
    }
}

/// Connections only.
impl Default for Events {
    fn default() -> Self {
        Events::CONNECTIONS
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut asked = [false; Event::COUNT];
        events.into_iter().for_each(|event| asked[event as usize] = true);
        Events(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_as_many_fields_as_they_say() {
        for event in Event::SYSMON {
            let counts = event.definition().older.iter().map(|(count, _)| *count);
            for count in counts.chain([event.data().len()]) {
                assert_eq!(event.unnamed(count).expect("a version").count(), count, "{event:?}");
            }
            assert!(event.unnamed(5).is_none());
        }
    }

    #[test]
    fn events_are_told_apart_by_their_marks() {
        for event in Event::SYSMON {
            for other in Event::SYSMON.into_iter().filter(|other| *other != event) {
                assert!(!event.marks().iter().any(|mark| other.data().contains(mark)), "{event:?}, {other:?}");
            }
            assert!(event.marks().iter().all(|mark| event.data().contains(mark)));
        }
    }
}
