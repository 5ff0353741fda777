//! The events' columns: `procwire.event` in Rust; a test compares the two.

use arrow_schema::{DataType, Field as ArrowField, TimeUnit};

use crate::table::bytes::coded;

/// How a column's values are read and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8; empty and `-` are null.
    Text,
    /// UTF-8: upper-case hex in braces.
    Guid,
    /// UTF-8: IPv4 dotted, IPv6 as RFC 5952 writes it; fills the matching [`Kind::Address`] too.
    Ip,
    /// 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`: compares as the address does.
    Address,
    /// Microseconds since 1970, UTC.
    Time,
    /// 64 bits, signed.
    Int64,
    /// 32 bits, signed.
    Int32,
    /// 16 bits of port number, stored in 32 (Delta Lake and Spark have no unsigned integers).
    Port,
    /// True or false.
    Bool,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Kind::Text | Kind::Guid | Kind::Ip => DataType::Utf8,
            Kind::Address => DataType::Binary,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Int64 => DataType::Int64,
            Kind::Int32 | Kind::Port => DataType::Int32,
            Kind::Bool => DataType::Boolean,
        }
    }
}

macro_rules! fields {
    ($($(#[$group_doc:meta])* $group:ident {
        $($name:ident $column:literal $kind:ident $sysmon:literal,)+
    })+) => {
        /// A column of an event's table. An [`Event`](crate::table::event::Event) says which ones its table has, in
        /// which order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Field { $($(#[doc = $column] $name),+),+ }

        impl Field {
            /// Every column.
            pub const ALL: &'static [Field] = &[$($(Field::$name),+),+];
            /// The number of columns.
            pub const COUNT: usize = Self::ALL.len();
            $($(#[$group_doc])* pub(crate) const $group: &'static [Field] = &[$(Field::$name),+];)+

            /// The column's name.
            pub const fn column(self) -> &'static str {
                match self { $($(Field::$name => $column),+),+ }
            }

            /// How its values are stored.
            pub const fn kind(self) -> Kind {
                match self { $($(Field::$name => Kind::$kind),+),+ }
            }

            /// Sysmon's name of the field in `EventData`, or its path in `System`; empty for columns of procwire.
            pub const fn sysmon(self) -> &'static str {
                match self { $($(Field::$name => $sysmon),+),+ }
            }

            /// The field that `EventData` calls `name` (exact case).
            #[inline]
            pub fn from_data_name(name: &str) -> Option<Field> {
                match name {
                    "UtcTime" => Some(Field::EventCreationTime),
                    "ProcessGuid" => Some(Field::ProcessGuid),
                    "ProcessId" => Some(Field::ProcessId),
                    "Image" => Some(Field::ProcessName),
                    "User" => Some(Field::UserName),
                    "Protocol" => Some(Field::NetworkProtocol),
                    "Initiated" => Some(Field::NetworkConnectionInitiated),
                    "SourceIsIpv6" => Some(Field::SrcIsIpv6),
                    "SourceIp" => Some(Field::SrcIp),
                    "SourceHostname" => Some(Field::SrcHostName),
                    "SourcePort" => Some(Field::SrcPort),
                    "SourcePortName" => Some(Field::SrcPortName),
                    "DestinationIsIpv6" => Some(Field::DstIsIpv6),
                    "DestinationIp" => Some(Field::DstIp),
                    "DestinationHostname" => Some(Field::DstHostName),
                    "DestinationPort" => Some(Field::DstPort),
                    "DestinationPortName" => Some(Field::DstPortName),
                    "RuleName" => Some(Field::RuleName),
                    _ => Field::FURTHER.iter().copied().find(|field| field.sysmon() == name),
                }
            }
        }
    };
}

impl Field {
    /// Every field of `EventData`, of any event.
    pub fn data() -> impl Iterator<Item = Field> {
        Self::CONNECTION.iter().chain(Self::FURTHER).copied()
    }

    /// Every column of the event itself, without those of where it was read.
    pub fn logged() -> impl Iterator<Item = Field> {
        [Self::CONNECTION, Self::SYSTEM, Self::FURTHER].into_iter().flatten().copied()
    }

    pub(crate) fn arrow(self) -> ArrowField {
        ArrowField::new(self.column(), self.kind().data_type(), true)
    }

    pub(crate) fn coded_arrow(self) -> ArrowField {
        match self.kind().data_type() {
            texts @ (DataType::Utf8 | DataType::Binary) => ArrowField::new(self.column(), coded(texts), true),
            _ => self.arrow(),
        }
    }

    /// The field that an element of `System` holds as its text.
    pub fn from_system_element(name: &str) -> Option<Field> {
        Some(match name {
            "EventID" => Field::EventId,
            "Version" => Field::EventVersion,
            "Level" => Field::EventLevel,
            "Task" => Field::EventTask,
            "Opcode" => Field::EventOpcode,
            "Keywords" => Field::EventKeywords,
            "EventRecordID" => Field::RecordId,
            "Channel" => Field::Channel,
            "Computer" => Field::ComputerName,
            _ => return None,
        })
    }

    /// The field that an attribute of an element of `System` holds.
    pub fn from_system_attribute(element: &str, attribute: &str) -> Option<Field> {
        Some(match (element, attribute) {
            ("Provider", "Name") => Field::ProviderName,
            ("Provider", "Guid") => Field::ProviderGuid,
            ("TimeCreated", "SystemTime") => Field::EventRecordedTime,
            ("Execution", "ProcessID") => Field::LoggerProcessId,
            ("Execution", "ThreadID") => Field::LoggerThreadId,
            // Sysmon for Linux writes the second.
            ("Security", "UserID" | "UserId") => Field::LoggerUserSid,
            _ => return None,
        })
    }
}

fields! {
    /// The fields of event 3's `EventData`, `RuleName` last.
    CONNECTION {
        EventCreationTime "event_creation_time" Time "UtcTime",
        ProcessGuid "process_guid" Guid "ProcessGuid",
        ProcessId "process_id" Int64 "ProcessId",
        ProcessName "process_name" Text "Image",
        UserName "user_name" Text "User",
        NetworkProtocol "network_protocol" Text "Protocol",
        NetworkConnectionInitiated "network_connection_initiated" Bool "Initiated",
        SrcIsIpv6 "src_is_ipv6" Bool "SourceIsIpv6",
        SrcIp "src_ip" Ip "SourceIp",
        SrcHostName "src_host_name" Text "SourceHostname",
        SrcPort "src_port" Port "SourcePort",
        SrcPortName "src_port_name" Text "SourcePortName",
        DstIsIpv6 "dst_is_ipv6" Bool "DestinationIsIpv6",
        DstIp "dst_ip" Ip "DestinationIp",
        DstHostName "dst_host_name" Text "DestinationHostname",
        DstPort "dst_port" Port "DestinationPort",
        DstPortName "dst_port_name" Text "DestinationPortName",
        RuleName "rule_name" Text "RuleName",
    }
    /// The fields of `System`.
    SYSTEM {
        EventRecordedTime "event_recorded_time" Time "TimeCreated/@SystemTime",
        RecordId "record_id" Int64 "EventRecordID",
        ComputerName "computer_name" Text "Computer",
        ProviderName "provider_name" Text "Provider/@Name",
        ProviderGuid "provider_guid" Guid "Provider/@Guid",
        Channel "channel" Text "Channel",
        EventId "event_id" Int32 "EventID",
        EventVersion "event_version" Int32 "Version",
        EventLevel "event_level" Int32 "Level",
        EventTask "event_task" Int32 "Task",
        EventOpcode "event_opcode" Int32 "Opcode",
        EventKeywords "event_keywords" Text "Keywords",
        LoggerProcessId "logger_process_id" Int64 "Execution/@ProcessID",
        LoggerThreadId "logger_thread_id" Int64 "Execution/@ThreadID",
        LoggerUserSid "logger_user_sid" Text "Security/@UserID",
    }
    /// Where the event was read.
    PLACE {
        SourceFile "source_file" Text "",
        SourceOffset "source_offset" Int64 "",
        SourceLine "source_line" Int64 "",
        Recovered "recovered" Bool "",
    }
    /// The bytes of event 3's addresses.
    ADDRESSES {
        SrcIpBytes "src_ip_bytes" Address "",
        DstIpBytes "dst_ip_bytes" Address "",
    }
    /// The fields of `EventData` that event 3 does not have.
    FURTHER {
        FileVersion "file_version" Text "FileVersion",
        FileDescription "file_description" Text "Description",
        FileProduct "file_product" Text "Product",
        FileCompany "file_company" Text "Company",
        FileNameOriginal "file_name_original" Text "OriginalFileName",
        ProcessCommandLine "process_command_line" Text "CommandLine",
        ProcessCurrentDirectory "process_current_directory" Text "CurrentDirectory",
        UserLogonGuid "user_logon_guid" Guid "LogonGuid",
        UserLogonId "user_logon_id" Text "LogonId",
        UserSessionId "user_session_id" Int64 "TerminalSessionId",
        ProcessIntegrityLevel "process_integrity_level" Text "IntegrityLevel",
        Hash "hash" Text "Hashes",
        ProcessParentGuid "process_parent_guid" Guid "ParentProcessGuid",
        ProcessParentId "process_parent_id" Int64 "ParentProcessId",
        ProcessParentName "process_parent_name" Text "ParentImage",
        ProcessParentCommandLine "process_parent_command_line" Text "ParentCommandLine",
        ProcessParentUserName "process_parent_user_name" Text "ParentUser",
        DnsQueryName "dns_query_name" Text "QueryName",
        DnsQueryStatus "dns_query_status" Int64 "QueryStatus",
        DnsQueryResults "dns_query_results" Text "QueryResults",
    }
}
