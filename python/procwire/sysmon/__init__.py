"""Sysmon's configuration files: parse, check, explain and apply them, and compile them to SQL.

>>> from procwire.sysmon import ConfigFilter, compile_sql, parse
>>> configuration = parse(
...     b'''<Sysmon schemaversion="4.90"><EventFiltering>
...         <NetworkConnect onmatch="include"><DestinationPort name="web">443</DestinationPort></NetworkConnect>
...     </EventFiltering></Sysmon>'''
... )
>>> rules = ConfigFilter(configuration)
>>> import procwire
>>> table = procwire.read("examples/sysmon.evtx", config=configuration)
>>> table.num_rows, set(table["rule_name"].to_pylist())
(29, {'web'})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from procwire.sysmon.evaluate import Decision, Step, decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.model import Configuration, Element, Filter, Finding, Place, Rule
from procwire.sysmon.parse import load, parse
from procwire.sysmon.sql import compile_sql

if TYPE_CHECKING:
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = [
    "ConfigFilter",
    "Configuration",
    "Decision",
    "Element",
    "Filter",
    "Finding",
    "Place",
    "Rule",
    "Step",
    "compile_sql",
    "decide",
    "load",
    "parse",
    "sysmon_texts",
]


def __getattr__(name: str) -> Any:
    # Import on first use: `config check` applies no rules to batches.
    if name != "ConfigFilter":
        raise AttributeError(f"module 'procwire.sysmon' has no attribute {name!r}")
    from procwire.sysmon.config_filter import ConfigFilter

    return ConfigFilter
