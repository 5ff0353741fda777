"""Sysmon's manifest: its conditions, events with their fields, and options.

From the manifest in microsoft/SysmonCommon (manifest.xml, schema 4.90), and for events 27 to 29, which Windows'
Sysmon has beyond it, from Sysmon's schema of 4.82 and its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONDITIONS", "EVENTS", "NETWORK_FIELDS", "OLDEST_SCHEMA", "OPTIONS", "TOKEN_CONDITIONS", "Version"]

Version = tuple[int, int]

OLDEST_SCHEMA: Version = (4, 0)
"""The oldest schema that Sysmon accepts."""

CONDITIONS: Mapping[str, Version] = {
    "is": (2, 0),
    "is not": (2, 0),
    "contains": (2, 0),
    "contains any": (4, 22),
    "is any": (4, 31),
    "contains all": (4, 22),
    "excludes": (2, 0),
    "excludes any": (4, 23),
    "excludes all": (4, 23),
    "begin with": (2, 0),
    "not begin with": (4, 70),
    "end with": (2, 0),
    "not end with": (4, 70),
    "less than": (2, 0),
    "more than": (2, 0),
    "image": (2, 0),
}
"""Maps each condition to the schema that introduced it."""

TOKEN_CONDITIONS = ("contains any", "contains all", "is any", "excludes any", "excludes all")
"""Conditions whose value is a list of tokens separated by `;`."""

_COMMON = "RuleName UtcTime ProcessGuid ProcessId"

EVENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    name: tuple(tuple(layout.split()) for layout in layouts)
    for name, layouts in {
        "ProcessCreate": [
            f"{_COMMON} Image FileVersion Description Product Company OriginalFileName CommandLine CurrentDirectory "
            "User LogonGuid LogonId TerminalSessionId IntegrityLevel Hashes ParentProcessGuid ParentProcessId "
            "ParentImage ParentCommandLine ParentUser"
        ],
        "FileCreateTime": [f"{_COMMON} Image TargetFilename CreationUtcTime PreviousCreationUtcTime User"],
        "NetworkConnect": [
            f"{_COMMON} Image User Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort SourcePortName "
            "DestinationIsIpv6 DestinationIp DestinationHostname DestinationPort DestinationPortName"
        ],
        "ProcessTerminate": [f"{_COMMON} Image User"],
        "DriverLoad": ["RuleName UtcTime ImageLoaded Hashes Signed Signature SignatureStatus"],
        "ImageLoad": [
            f"{_COMMON} Image ImageLoaded FileVersion Description Product Company OriginalFileName Hashes Signed "
            "Signature SignatureStatus User"
        ],
        "CreateRemoteThread": [
            "RuleName UtcTime SourceProcessGuid SourceProcessId SourceImage TargetProcessGuid TargetProcessId "
            "TargetImage NewThreadId StartAddress StartModule StartFunction SourceUser TargetUser"
        ],
        "RawAccessRead": [f"{_COMMON} Image Device User"],
        "ProcessAccess": [
            "RuleName UtcTime SourceProcessGUID SourceProcessId SourceThreadId SourceImage TargetProcessGUID "
            "TargetProcessId TargetImage GrantedAccess CallTrace SourceUser TargetUser"
        ],
        "FileCreate": [f"{_COMMON} Image TargetFilename CreationUtcTime User"],
        "RegistryEvent": [
            "RuleName EventType UtcTime ProcessGuid ProcessId Image TargetObject User",
            "RuleName EventType UtcTime ProcessGuid ProcessId Image TargetObject Details User",
            "RuleName EventType UtcTime ProcessGuid ProcessId Image TargetObject NewName User",
        ],
        "FileCreateStreamHash": [f"{_COMMON} Image TargetFilename CreationUtcTime Hash Contents User"],
        "PipeEvent": ["RuleName EventType UtcTime ProcessGuid ProcessId PipeName Image User"],
        "WmiEvent": [
            "RuleName EventType UtcTime Operation User EventNamespace Name Query",
            "RuleName EventType UtcTime Operation User Name Type Destination",
            "RuleName EventType UtcTime Operation User Consumer Filter",
        ],
        "DnsQuery": [f"{_COMMON} QueryName QueryStatus QueryResults Image User"],
        "FileDelete": [f"{_COMMON} User Image TargetFilename Hashes IsExecutable Archived"],
        "ClipboardChange": [f"{_COMMON} Image Session ClientInfo Hashes Archived User"],
        "ProcessTampering": [f"{_COMMON} Image Type User"],
        "FileDeleteDetected": [f"{_COMMON} User Image TargetFilename Hashes IsExecutable"],
        "FileBlockExecutable": [f"{_COMMON} User Image TargetFilename Hashes"],
        "FileBlockShredding": [f"{_COMMON} User Image TargetFilename Hashes IsExecutable"],
        "FileExecutableDetected": [f"{_COMMON} User Image TargetFilename Hashes"],
        "eBPFEvent": [f"{_COMMON} Image User BpfCommand BpfProgramType BpfProgramId BpfProgramName"],
    }.items()
}
"""Maps an element's name to the fields of each event that it stands for; an element uses those of one event."""

NETWORK_FIELDS: tuple[str, ...] = EVENTS["NetworkConnect"][0]
"""The fields of event 3, in its order."""

OPTIONS: Mapping[str, Version] = {
    "ArchiveDirectory": (2, 0),
    "CaptureClipboard": (2, 0),
    "CheckRevocation": (3, 10),
    "CopyOnDeleteExtensions": (4, 30),
    "CopyOnDeletePE": (4, 30),
    "CopyOnDeleteProcesses": (4, 30),
    "CopyOnDeleteSIDs": (4, 30),
    "DnsLookup": (4, 30),
    "DnsQuery": (4, 21),
    "DriverName": (2, 0),
    "FieldSizes": (4, 81),
    "HashAlgorithms": (2, 0),
    "ImageLoad": (2, 0),
    "NetworkConnect": (2, 0),
    "PipeMonitoring": (3, 30),
    "ProcessAccess": (2, 0),
}
"""Maps each option that a file may set to the schema that introduced it."""
