"""List the columns that a table for people shows of each event."""

from __future__ import annotations

from procwire.sinks.connections import CONNECTION_COLUMNS
from procwire.sinks.live import RECORDING_COLUMNS

__all__ = ["AT_A_GLANCE", "CONNECTION_COLUMNS", "RECORDING_COLUMNS"]

AT_A_GLANCE: dict[str, tuple[str, ...]] = {
    "connections": CONNECTION_COLUMNS,
    "process_creations": ("event_creation_time", "process_base_name", "process_id", "user_name", "process_parent_name",
                          "process_command_line"),
    "dns_queries": ("event_creation_time", "process_base_name", "process_id", "dns_query_name", "dns_query_status",
                    "dns_query_results"),
}  # fmt: skip
"""The columns by `procwire.event.Event.table`."""
