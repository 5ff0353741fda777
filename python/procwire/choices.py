"""The closed vocabularies: every list of words that an option or an argument accepts.

Imports nothing, not even `typing`, so that the command line can list its choices at no cost. The types beside the lists
are for type checkers: import them under `if TYPE_CHECKING`.
Output formats have their own table: `sinks.formats`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Names = Literal["ossem", "sysmon", "ossem-cdm"]
    EventName = Literal["connection", "process-creation", "dns-query"]
    EventTable = Literal["connections", "process_creations", "dns_queries"]
    InputFormat = Literal["evtx", "xml", "json", "csv", "text"]
    Level = Literal["informational", "low", "medium", "high", "critical"]
    EngineName = Literal["duckdb", "spark"]
    SensorName = Literal["auto", "ebpf", "poll"]
    ProtocolChoice = Literal["all", "tcp"]
    FigureOrder = Literal["file", "matched", "decided", "alone"]

__all__ = [
    "ENGINES",
    "EVENT_NAMES",
    "EVENT_TABLES",
    "FIGURE_ORDERS",
    "INPUT_FORMATS",
    "LEVELS",
    "NAMES",
    "PROTOCOLS",
    "SENSORS",
    "EngineName",
    "EventName",
    "EventTable",
    "FigureOrder",
    "InputFormat",
    "Level",
    "Names",
    "ProtocolChoice",
    "SensorName",
]

NAMES: tuple[Names, ...] = ("ossem", "sysmon", "ossem-cdm")
"""Vocabularies of columns: the standard names, Sysmon's own, and OSSEM's of today."""
EVENT_NAMES: tuple[EventName, ...] = ("connection", "process-creation", "dns-query")
"""The names of Sysmon's events 3, 1 and 22, for `--event`."""
EVENT_TABLES: tuple[EventTable, ...] = ("connections", "process_creations", "dns_queries")
"""The tables of their rows, in the same order."""
INPUT_FORMATS: tuple[InputFormat, ...] = ("evtx", "xml", "json", "csv", "text")
"""Formats of logs."""
LEVELS: tuple[Level, ...] = ("informational", "low", "medium", "high", "critical")
"""Levels of Sigma rules, from the lowest."""
ENGINES: tuple[EngineName, ...] = ("duckdb", "spark")
"""Engines that run queries."""
SENSORS: tuple[SensorName, ...] = ("auto", "ebpf", "poll")
"""Sensors with which a recording observes connections."""
PROTOCOLS: tuple[ProtocolChoice, ...] = ("all", "tcp")
"""Protocols that a recording records."""
FIGURE_ORDERS: tuple[FigureOrder, ...] = ("file", "matched", "decided", "alone")
"""Orders of a configuration's rules: as in the file, or by a figure, the highest first."""
