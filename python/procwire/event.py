"""The data dictionary: the single definition of the fields of event 3 and of events 1 and 22.

Event 3 is Network connection; 1 (Process creation) and 22 (DNS query) give it context. Readers, writers, the
`dictionary` command and docs/dictionary.md derive from this module; a test compares the Rust core's schema with it.
Names and descriptions follow OSSEM's dictionary (its file data_dictionaries/windows/sysmon/event-3.md, 2018);
docs/dictionary.md says where and why ours differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from procwire.choices import NAMES
from procwire.errors import UsageError
from procwire.fields import GROUPS, Field, Group, Kind
from procwire.paths import BASE_NAME

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import Names

__all__ = [
    "CONNECTION",
    "DERIVED",
    "DNS_QUERY",
    "DNS_QUERY_FIELDS",
    "DNS_QUERY_SCHEMA",
    "EVENTS",
    "FIELDS",
    "FURTHER_CONNECTIONS",
    "GROUPS",
    "LIVE_FIELDS",
    "LIVE_SCHEMA",
    "LOGGED",
    "NAMES",
    "PROCESS_CREATION",
    "PROCESS_CREATION_FIELDS",
    "PROCESS_CREATION_SCHEMA",
    "SCHEMA",
    "Event",
    "Field",
    "Group",
    "event_named",
    "events_named",
    "field",
    "fields",
]

_TEXT: Kind = "text"
_TIME: Kind = "time"
_INT: Kind = "int"
_LONG: Kind = "long"
_FLAG: Kind = "flag"
_BYTES: Kind = "bytes"


def _event(name: str, sysmon: str, cdm: str, kind: Kind, description: str, sample: str) -> Field:
    return Field(name, sysmon, cdm, kind, "event", description, sample, xml=sysmon)


def _system(name: str, sysmon: str, cdm: str, kind: Kind, xml: str, description: str, sample: str) -> Field:
    return Field(name, sysmon, cdm, kind, "system", description, sample, xml=xml)


def _ours(name: str, camel: str, kind: Kind, group: Group, description: str, sample: str) -> Field:
    return Field(name, camel, camel, kind, group, description, sample)


FIELDS: tuple[Field, ...] = (
    _event("event_creation_time", "UtcTime", "EventCreationTime", _TIME,
           "Time in UTC when the event was created", "2018-04-11T05:29:35.394Z"),
    _event("process_guid", "ProcessGuid", "ProcessGuid", _TEXT,
           "ProcessGuid of the process that made the network connection; upper case, in braces",
           "{A98268C1-957F-5ACD-0000-0010EB030000}"),
    _event("process_id", "ProcessId", "ProcessId", _LONG,
           "Process id used by the system to identify the process that made the network connection", "4"),
    _event("process_name", "Image", "ProcessFilePath", _TEXT,
           "File path of the process that made the network connection", "C:\\Windows\\System32\\svchost.exe"),
    _event("user_name", "User", "UserName", _TEXT,
           "Name of the account that made the network connection, usually domain and user",
           "NT AUTHORITY\\SYSTEM"),
    _event("network_protocol", "Protocol", "NetworkProtocol", _TEXT,
           "Protocol used for the network connection: tcp or udp", "udp"),
    _event("network_connection_initiated", "Initiated", "NetworkInitiated", _FLAG,
           "Whether the process initiated the connection; null where that is not known (udp that a recording met in "
           "the middle): the source is then the local end", "false"),
    _event("src_is_ipv6", "SourceIsIpv6", "SrcIpIsIpv6", _FLAG, "Whether the source address is IPv6", "false"),
    _event("src_ip", "SourceIp", "SrcIpAddr", _TEXT,
           "Source IP address; IPv6 in the form of RFC 5952", "192.168.64.255"),
    _event("src_host_name", "SourceHostname", "SrcDvcHostname", _TEXT,
           "Name of the source host; null where it was not resolved", "DESKTOP-WARDOG"),
    _event("src_port", "SourcePort", "SrcPortNumber", _INT, "Source port number, 0 to 65535", "138"),
    _event("src_port_name", "SourcePortName", "SrcPortName", _TEXT,
           "Name of the source port being used", "netbios-dgm"),
    _event("dst_is_ipv6", "DestinationIsIpv6", "DstIpIsIpv6", _FLAG,
           "Whether the destination address is IPv6", "false"),
    _event("dst_ip", "DestinationIp", "DstIpAddr", _TEXT,
           "Destination IP address; IPv6 in the form of RFC 5952", "192.168.64.135"),
    _event("dst_host_name", "DestinationHostname", "DstDvcHostname", _TEXT,
           "Name of the destination host; null where it was not resolved", "DESKTOP-WARDOG.localdomain"),
    _event("dst_port", "DestinationPort", "DstPortNumber", _INT, "Destination port number, 0 to 65535", "138"),
    _event("dst_port_name", "DestinationPortName", "DstPortName", _TEXT,
           "Name of the destination port", "netbios-dgm"),
    _event("rule_name", "RuleName", "RuleName", _TEXT,
           "Name of the rule of Sysmon's configuration that logged the event; null where it has none",
           "technique_id=T1021,technique_name=Remote Services"),
    _system("event_recorded_time", "TimeCreated", "EventRecordedTime", _TIME, "TimeCreated/@SystemTime",
            "Time in UTC when the event was written to the log", "2018-04-11T05:29:36.333863Z"),
    _system("record_id", "EventRecordID", "EventOriginalUid", _LONG, "EventRecordID",
            "Number of the record in its log", "11750109"),
    _system("computer_name", "Computer", "DvcHostname", _TEXT, "Computer",
            "Name of the machine that logged the event", "DESKTOP-WARDOG"),
    _system("provider_name", "ProviderName", "EventType", _TEXT, "Provider/@Name",
            "Name of the event's provider", "Microsoft-Windows-Sysmon"),
    _system("provider_guid", "ProviderGuid", "ProviderGuid", _TEXT, "Provider/@Guid",
            "GUID of the event's provider", "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"),
    _system("channel", "Channel", "EventSubType", _TEXT, "Channel",
            "Log that the event was written to", "Microsoft-Windows-Sysmon/Operational"),
    _system("event_id", "EventID", "EventId", _INT, "EventID", "Number of the event: always 3", "3"),
    _system("event_version", "Version", "EventVersion", _INT, "Version", "Version of the event's layout", "5"),
    _system("event_level", "Level", "EventSeverity", _INT, "Level", "Severity: 4 is Information", "4"),
    _system("event_task", "Task", "EventCategoryType", _INT, "Task", "Category of the event", "3"),
    _system("event_opcode", "Opcode", "EventOpcode", _INT, "Opcode", "Operation code: 0 is Info", "0"),
    _system("event_keywords", "Keywords", "EventKeywords", _TEXT, "Keywords",
            "Bit field of keywords, hexadecimal", "0x8000000000000000"),
    _system("logger_process_id", "ExecutionProcessID", "LoggerProcessId", _LONG, "Execution/@ProcessID",
            "Process id of Sysmon itself", "2152"),
    _system("logger_thread_id", "ExecutionThreadID", "LoggerThreadId", _LONG, "Execution/@ThreadID",
            "Thread id of Sysmon itself", "3236"),
    _system("logger_user_sid", "SecurityUserID", "UserReporterSid", _TEXT, "Security/@UserID",
            "Account under which Sysmon itself runs: its SID, on Linux its uid", "S-1-5-18"),
    _ours("source_file", "SourceFile", _TEXT, "provenance",
          "Input that the event was read from; members of archives as archive!member", "Sysmon.evtx"),
    _ours("source_offset", "SourceOffset", _LONG, "provenance",
          "Offset of the record's first byte in the unpacked input (in its UTF-8 form if it is UTF-16)", "4608"),
    _ours("source_line", "SourceLine", _LONG, "provenance",
          "Line that the record starts on, from 1; null for EVTX", "17"),
    _ours("recovered", "Recovered", _FLAG, "provenance",
          "Whether the record was carved out of slack space or a broken chunk", "false"),
    _ours("src_ip_bytes", "SourceIpBytes", _BYTES, "address",
          "Source address as 16 bytes, IPv4 as ::ffff:a.b.c.d: ranges compare as bytes",
          "00000000000000000000FFFFC0A840FF"),
    _ours("dst_ip_bytes", "DestinationIpBytes", _BYTES, "address",
          "Destination address as 16 bytes, IPv4 as ::ffff:a.b.c.d", "00000000000000000000FFFFC0A84087"),
)  # fmt: skip
"""Every column of a log's rows, in the table's order."""

LIVE_FIELDS: tuple[Field, ...] = (
    _ours("record_kind", "RecordKind", _TEXT, "live",
          "Kind of row: connection, attempt (one that failed), close (the end of one), existing (open when the "
          "recording began), loss, alert (a Sigma rule that a connection matches)", "connection"),
    _ours("outcome", "Outcome", _TEXT, "live",
          "Outcome of a TCP connection: established, refused, timed-out, unreachable, reset, abandoned (by the "
          "process, before an answer), failed (any other: see error_number); for a close how it ended: closed-here, "
          "closed-by-peer, reset-here, reset-by-peer, timed-out, failed; null for udp", "established"),
    _ours("error_number", "ErrorNumber", _INT, "live", "The kernel's errno for a failure; null without one", "111"),
    _ours("connection_id", "ConnectionId", _LONG, "live",
          "The kernel's socket cookie, unique since boot: joins a connection with its close", "4097"),
    _ours("attribution", "Attribution", _TEXT, "live",
          "How the process was found: caller (it connected, accepted, sent, received or closed, seen doing so), "
          "listener (it owns the listening socket; who accepted was not seen), owner (it made or last used the "
          "socket; who received was not seen), poll (seen holding the socket at an interval: best effort), proc "
          "(seen, but its description was lost: it is as /proc has it when the event is read), undescribed (seen, "
          "and gone before it could be described: only its id, start and user are known), unseen (not known: its SYN "
          "was not seen); for a loss why events lack their process, null where the events themselves are lost",
          "caller"),
    _ours("user_id", "UserId", _LONG, "live",
          "Real uid of the process: of a setuid program, who started it; see effective_user_id", "1000"),
    _ours("process_command_line", "CommandLine", _TEXT, "live",
          "Command line of the process; its first 1,024 bytes", "curl https://example.com"),
    _ours("process_parent_guid", "ParentProcessGuid", _TEXT, "live", "ProcessGuid of the parent",
          "{FFB12C03-957F-5ACD-0100-0010EB0300F2}"),
    _ours("process_parent_id", "ParentProcessId", _LONG, "live", "Process id of the parent", "812"),
    _ours("process_parent_name", "ParentImage", _TEXT, "live", "File path of the parent", "/usr/bin/bash"),
    _ours("network_namespace_id", "NetworkNamespaceId", _LONG, "live",
          "Inode of the socket's network namespace, as in /proc/PID/ns/net", "4026531840"),
    _ours("cgroup_path", "CgroupPath", _TEXT, "live",
          "The process's control group (version 2), from its root", "/system.slice/sshd.service"),
    _ours("container_id", "ContainerId", _TEXT, "live",
          "Id of the container, read off cgroup_path; null outside of one", "4c0f9e6a5d3b"),
    _ours("src_host_name_origin", "SourceHostnameOrigin", _TEXT, "live",
          "Where src_host_name comes from: dns (the answer to a query by the process itself), reverse (a reverse "
          "look-up), local (this machine's own name)", "local"),
    _ours("dst_host_name_origin", "DestinationHostnameOrigin", _TEXT, "live",
          "Where dst_host_name comes from: dns, reverse or local", "dns"),
    _ours("duration_us", "DurationUs", _LONG, "live",
          "For a close: microseconds since the connection was established", "1500000"),
    _ours("sent_bytes", "SentBytes", _LONG, "live", "For a close: bytes sent by this end and acknowledged", "517"),
    _ours("received_bytes", "ReceivedBytes", _LONG, "live", "For a close: bytes received by this end", "4096"),
    _ours("sent_packets", "SentPackets", _LONG, "live", "For a close: segments sent by this end", "9"),
    _ours("received_packets", "ReceivedPackets", _LONG, "live", "For a close: segments received by this end", "8"),
    _ours("effective_user_id", "EffectiveUserId", _LONG, "live",
          "Effective uid of the process, which its permissions come from: of a setuid program, the owner of its file",
          "0"),
    _ours("process_image_device", "ImageDevice", _LONG, "live",
          "Device of the process's executable file, as st_dev of stat has it", "64769"),
    _ours("process_image_inode", "ImageInode", _LONG, "live",
          "Inode of the process's executable file: with its device it names the file, whatever process_name says",
          "1837251"),
    _ours("process_mount_namespace_id", "MountNamespaceId", _LONG, "live",
          "Inode of the process's mount namespace, as in /proc/PID/ns/mnt: process_name is a path in it",
          "4026531841"),
    _ours("process_image_state", "ImageState", _TEXT, "live",
          "What is unusual about the executable file: deleted (no path leads to it any more), memfd (it was never on "
          "a disk), replaced (the process has its link to the executable point at another file; what it executed is "
          "shown); null for an ordinary file", "deleted"),
    _ours("process_name_truncated", "ImageTruncated", _FLAG, "live",
          "Whether process_name lacks its front, because the path is too long; null where that is not known", "false"),
    _ours("process_ancestry", "ProcessAncestry", _TEXT, "live",
          "Ancestors of the process, the parent first: a JSON array of texts, each a process id and a path",
          '["812 /usr/bin/bash", "1 /usr/lib/systemd/systemd"]'),
    _ours("host_name_server", "HostnameServer", _TEXT, "live",
          "Address of the DNS server whose answer named the peer; null where no answer did", "192.168.1.1"),
    _ours("nat_src_ip", "NatSourceIp", _TEXT, "live",
          "Source address after translation by NAT; null where nothing was translated", "203.0.113.7"),
    _ours("nat_src_port", "NatSourcePort", _INT, "live", "Source port after translation (NAT)", "41495"),
    _ours("nat_dst_ip", "NatDestinationIp", _TEXT, "live",
          "Destination address after translation (NAT)", "172.17.0.2"),
    _ours("nat_dst_port", "NatDestinationPort", _INT, "live", "Destination port after translation (NAT)", "8080"),
    _ours("interface_index", "InterfaceIndex", _INT, "live",
          "Index of the network interface that a link-local address belongs to; null for other addresses", "2"),
    _ours("events_lost", "EventsLost", _LONG, "live",
          "For a loss: how many events were lost since the last such row; with an attribution, how many lack their "
          "process", "12"),
    _ours("logged", "Logged", _FLAG, "rules",
          "Whether the Sysmon configuration logs the event, where those that it does not log are kept; else null",
          "true"),
)  # fmt: skip
"""Columns that only a recording has, after those of `FIELDS`."""

_GUID_START_S = "('0x' || substr(process_guid, 16, 4) || substr(process_guid, 11, 4))::BIGINT"

# Initiated alone does not decide it (facts from real logs): inbound TCP has the local end as its source in logs up to
# late 2019 and as its destination from then on; inbound UDP always has it as its source. On Linux the source
# is the end that sent first; if a recording does not know it (null, for udp), the source is the local end.
_LOCAL_SIDE = """CASE
    WHEN network_connection_initiated THEN 'src'
    WHEN network_connection_initiated IS NULL AND provider_name = 'Linux-Sysmon' AND network_protocol = 'udp' THEN 'src'
    WHEN network_connection_initiated IS NULL THEN NULL
    WHEN provider_name = 'Linux-Sysmon' THEN 'dst'
    WHEN network_protocol = 'udp' THEN 'src'
    WHEN lower(split_part(src_host_name, '.', 1)) = lower(split_part(computer_name, '.', 1)) THEN 'src'
    WHEN lower(split_part(dst_host_name, '.', 1)) = lower(split_part(computer_name, '.', 1)) THEN 'dst'
    WHEN event_creation_time >= TIMESTAMPTZ '2019-12-01 00:00:00+00' THEN 'dst'
END"""


def _derived(name: str, camel: str, kind: Kind, description: str, sample: str, sql: str) -> Field:
    return Field(name, camel, camel, kind, "derived", description, sample, sql=sql)


DERIVED: tuple[Field, ...] = (
    _derived("process_base_name", "ProcessName", _TEXT, "Last part of process_name's path", "svchost.exe",
             f"nullif(regexp_extract(process_name, '{BASE_NAME}'), '')"),
    _derived("user_domain", "UserDomain", _TEXT, "Domain part of user_name", "NT AUTHORITY",
             r"nullif(regexp_extract(user_name, '^(.*)\\', 1), '')"),
    _derived("user_account", "UserAccount", _TEXT, "Account part of user_name", "SYSTEM",
             r"nullif(regexp_extract(user_name, '[^\\]*$'), '')"),
    _derived("process_start_time", "ProcessStartTime", _TIME,
             "Start of the process, decoded from process_guid, to the second", "2018-04-11T04:56:31Z",
             f"CASE WHEN {_GUID_START_S} > 0 THEN to_timestamp({_GUID_START_S}) END"),
    _derived("local_side", "LocalSide", _TEXT,
             "Which end is this machine's: src or dst; null if the event does not say", "src", _LOCAL_SIDE),
)  # fmt: skip
"""Columns computed on request."""

_OF_PROCESSES: tuple[Field, ...] = tuple(field for field in DERIVED if field.name != "local_side")
"""The derived columns of events other than connections."""


def _logged(number: int) -> tuple[Field, ...]:
    """Return the columns of `System` and of the record's origin, for an event other than 3."""
    own = {"event_id": f"Number of the event: always {number}", "event_task": "Category of the event"}
    return tuple(
        replace(field, description=own[field.name], sample=str(number)) if field.name in own else field
        for field in FIELDS
        if field.group in ("system", "provenance")
    )


_RULE_NAME: Field = next(field for field in FIELDS if field.name == "rule_name")

PROCESS_CREATION_FIELDS: tuple[Field, ...] = (
    _event("event_creation_time", "UtcTime", "EventCreationTime", _TIME,
           "Time in UTC when the process was created", "2019-06-12T00:48:53.295Z"),
    _event("process_guid", "ProcessGuid", "ProcessGuid", _TEXT,
           "ProcessGuid of the new process: joins it with what it did", "{A98268C1-4BF5-5D00-0000-00102A7B2B00}"),
    _event("process_id", "ProcessId", "ProcessId", _LONG, "Process id of the new process", "6364"),
    _event("process_name", "Image", "ProcessFilePath", _TEXT,
           "File path of the new process", "C:\\Windows\\System32\\wuauclt.exe"),
    _event("file_version", "FileVersion", "FileVersion", _TEXT,
           "Version of the file, according to itself", "10.0.17134.1 (WinBuild.160101.0800)"),
    _event("file_description", "Description", "FileDescription", _TEXT,
           "Description of the file, according to itself", "Windows Update"),
    _event("file_product", "Product", "FileProduct", _TEXT,
           "Product that the file belongs to, according to itself", "Microsoft® Windows® Operating System"),
    _event("file_company", "Company", "FileCompany", _TEXT,
           "Company that made the file, according to itself", "Microsoft Corporation"),
    _event("file_name_original", "OriginalFileName", "FileNameOriginal", _TEXT,
           "Original name of the file, according to itself", "wuauclt.exe"),
    _event("process_command_line", "CommandLine", "ProcessCommandLine", _TEXT,
           "Command line of the new process", "\"C:\\WINDOWS\\system32\\wuauclt.exe\" /RunHandlerComServer"),
    _event("process_current_directory", "CurrentDirectory", "ProcessFileDirectory", _TEXT,
           "Working directory that the new process began in", "C:\\WINDOWS\\system32\\"),
    _event("user_name", "User", "UserName", _TEXT,
           "Name of the account that the new process runs under, usually domain and user", "NT AUTHORITY\\SYSTEM"),
    _event("user_logon_guid", "LogonGuid", "UserLogonGuid", _TEXT,
           "Identifier of the logon session, of this machine only", "{A98268C1-48F4-5D00-0000-0020E7030000}"),
    _event("user_logon_id", "LogonId", "UserLogonId", _TEXT,
           "Number of the logon session, hexadecimal as in Security's events", "0x3e7"),
    _event("user_session_id", "TerminalSessionId", "UserSessionId", _LONG,
           "Number of the terminal session; 0 is that of services", "0"),
    _event("process_integrity_level", "IntegrityLevel", "ProcessIntegrityLevel", _TEXT,
           "Integrity level of the new process", "System"),
    _event("hash", "Hashes", "Hashes", _TEXT,
           "Hashes of the file, by the algorithms that the configuration names",
           "SHA1=E82AC9345FBEFC100FF16D66536877502AB2C017,MD5=C8F7FA1A3A3B23DF12A2BCF4B500DEE1"),
    _event("process_parent_guid", "ParentProcessGuid", "ProcessParentGuid", _TEXT,
           "ProcessGuid of the parent", "{A98268C1-48F5-5D00-0000-00103C410100}"),
    _event("process_parent_id", "ParentProcessId", "ProcessParentId", _LONG, "Process id of the parent", "1040"),
    _event("process_parent_name", "ParentImage", "ProcessParentFilePath", _TEXT,
           "File path of the parent", "C:\\Windows\\System32\\svchost.exe"),
    _event("process_parent_command_line", "ParentCommandLine", "ProcessParentCommandLine", _TEXT,
           "Command line of the parent", "C:\\WINDOWS\\system32\\svchost.exe -k netsvcs -p"),
    _event("process_parent_user_name", "ParentUser", "ActingUserName", _TEXT,
           "Name of the account that the parent runs under; since Sysmon 13.30", "NT AUTHORITY\\SYSTEM"),
    _RULE_NAME,
    *_logged(1),
)  # fmt: skip
"""Every column of event 1, in the table's order."""

DNS_QUERY_FIELDS: tuple[Field, ...] = (
    _event("event_creation_time", "UtcTime", "EventCreationTime", _TIME,
           "Time in UTC of the query", "2019-06-12T00:57:55.254Z"),
    _event("process_guid", "ProcessGuid", "ProcessGuid", _TEXT,
           "ProcessGuid of the process that made the query", "{A98268C1-4DDF-5D00-0000-00102D794100}"),
    _event("process_id", "ProcessId", "ProcessId", _LONG, "Process id of the process that made the query", "416"),
    _event("dns_query_name", "QueryName", "DstHostName", _TEXT, "Name that was queried", "chrome.google.com"),
    _event("dns_query_status", "QueryStatus", "DnsResponseCode", _LONG,
           "Result of the query, a Windows error code: 0 for success, 9003 for no such name", "0"),
    _event("dns_query_results", "QueryResults", "DnsResponseName", _TEXT,
           "The answer: addresses (IPv4 as ::ffff:a.b.c.d), and other records with their types, each with a semicolon",
           "type:  5 www3.l.google.com;::ffff:172.217.7.206;"),
    _event("process_name", "Image", "ProcessFilePath", _TEXT, "File path of the process that made the query",
           "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe"),
    _event("user_name", "User", "UserName", _TEXT,
           "Name of the account that made the query, usually domain and user; since Sysmon 13.30",
           "DESKTOP-WARDOG\\wardog"),
    _RULE_NAME,
    *_logged(22),
)  # fmt: skip
"""Every column of event 22, in the table's order."""


@cache
def _schema(stored: tuple[Field, ...]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(field.name, field.type) for field in stored])


SCHEMA: pa.Schema
"""The Arrow schema of every batch of connections from a log."""
PROCESS_CREATION_SCHEMA: pa.Schema
DNS_QUERY_SCHEMA: pa.Schema

LOGGED: Field = next(field for field in LIVE_FIELDS if field.name == "logged")
"""The column that marks rows, of logs and recordings, where rows that a configuration does not log are kept."""

LIVE_SCHEMA: pa.Schema
"""The Arrow schema of every batch of a recording."""

_SCHEMAS = {
    "SCHEMA": FIELDS,
    "PROCESS_CREATION_SCHEMA": PROCESS_CREATION_FIELDS,
    "DNS_QUERY_SCHEMA": DNS_QUERY_FIELDS,
    "LIVE_SCHEMA": FIELDS + LIVE_FIELDS,
}


def __getattr__(name: str) -> pa.Schema:
    # Create it on first use: a recording of lines works without Arrow, which takes more memory than all the rest.
    if name in _SCHEMAS:
        return _schema(_SCHEMAS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class Event:
    """Describe a Sysmon event that has its own table."""

    id: int
    """Its number, as its provider counts; 0 if its records have none."""
    name: str
    """Its name on the command line."""
    sysmon: str
    """Its name in Sysmon's configurations."""
    table: str
    """Name of the table with its rows."""
    rows: str
    """Plural noun for its rows, for messages."""
    fields: tuple[Field, ...]
    """The columns of a log's rows, in the table's order."""
    derived: tuple[Field, ...]
    """The columns that are computed on request."""

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema of every batch from a log."""
        return _schema(self.fields)


CONNECTION = Event(3, "connection", "NetworkConnect", "connections", "network connections", FIELDS,
                   DERIVED)  # fmt: skip
PROCESS_CREATION = Event(1, "process-creation", "ProcessCreate", "process_creations", "process creations",
                         PROCESS_CREATION_FIELDS, _OF_PROCESSES)  # fmt: skip
DNS_QUERY = Event(22, "dns-query", "DnsQuery", "dns_queries", "DNS queries", DNS_QUERY_FIELDS, _OF_PROCESSES)
EVENTS: tuple[Event, ...] = (CONNECTION, PROCESS_CREATION, DNS_QUERY)
"""The events that procwire reads."""


def _of_others(id: int, name: str, rows: str) -> Event:
    """Return a connection that another provider than Sysmon reports: a row of the same table."""
    return Event(id, name, "", CONNECTION.table, rows, FIELDS, DERIVED)


AUDIT_CONNECTION = _of_others(5156, "audit-connection", "audited connections")
AUDIT_BLOCK = _of_others(5157, "audit-block", "audited blocks")
DEFENDER_CONNECTION = _of_others(0, "defender-connection", "Defender connections")
DEFENDER_ATTEMPT = _of_others(0, "defender-attempt", "Defender attempts")
FURTHER_CONNECTIONS: tuple[Event, ...] = (AUDIT_CONNECTION, AUDIT_BLOCK, DEFENDER_CONNECTION, DEFENDER_ATTEMPT)
"""Connections of other providers, which are read only on request: events 5156 (permitted) and 5157 (blocked) of
Windows' security audit, and the rows of Microsoft Defender's DeviceNetworkEvents."""


def event_named(name: str) -> Event:
    """Return an event by its number, its name here, Sysmon's name or its table's. Raises UsageError for others."""
    name = name.strip()
    for event in EVENTS + FURTHER_CONNECTIONS:
        if name and name.lower() in (str(event.id) if event.id else "", event.name, event.sysmon.lower()):
            return event
    for event in EVENTS:
        if name.lower() == event.table:
            return event
    known = ", ".join(
        f"{event.id} ({event.name})" if event.id else event.name for event in EVENTS + FURTHER_CONNECTIONS
    )
    raise UsageError(f"found event {name!r}, expected one of {known}")


def events_named(names: str) -> tuple[Event, ...]:
    """Return events whose names have commas between them: of one table, each once.

    Raises UsageError for a name of no event, and for events of several tables.
    """
    events = tuple(dict.fromkeys(map(event_named, names.split(","))))
    if len({event.table for event in events}) > 1:
        found = ", ".join(event.name for event in events)
        raise UsageError(f"found events {found}, expected events of one table: read each table on its own")
    return events


def fields(*groups: Group) -> tuple[Field, ...]:
    """Return the fields of the given groups, in the table's order; without groups, those of a log's rows."""
    if not groups:
        return FIELDS
    return tuple(field for field in FIELDS + LIVE_FIELDS + DERIVED if field.group in groups)


def field(name: str, names: Names = "ossem", among: Iterable[Field] = FIELDS + LIVE_FIELDS + DERIVED) -> Field:
    """Return the field called `name` in a vocabulary.

    Raises UsageError, which suggests the nearest name, if there is none.
    """
    by_name = {candidate.named(names): candidate for candidate in among}
    if name not in by_name:
        import difflib

        nearest = difflib.get_close_matches(name, by_name, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise UsageError(f"found column {name!r}, expected one of the {names} names{hint}")
    return by_name[name]
