"""Sysmon's configuration files: parse, check, compile to SQL, apply, explain.

>>> from procwire.rules import Rules, compile_sql, parse
>>> configuration = parse(
...     b'''<Sysmon schemaversion="4.90"><EventFiltering>
...         <NetworkConnect onmatch="include"><DestinationPort name="web">443</DestinationPort></NetworkConnect>
...     </EventFiltering></Sysmon>'''
... )
>>> rules = Rules(configuration)
>>> import procwire
>>> table = procwire.read("examples/sysmon.evtx", config=configuration)
>>> table.num_rows, set(table["rule_name"].to_pylist())
(29, {'web'})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from procwire.rules.evaluate import Decision, Step, decide
from procwire.rules.forms import sysmon_texts
from procwire.rules.model import Configuration, Element, Filter, Finding, Place, Rule
from procwire.rules.parse import load, parse
from procwire.rules.sql import compile_sql

if TYPE_CHECKING:
    from procwire.rules.apply import Rules

__all__ = [
    "Configuration",
    "Decision",
    "Element",
    "Filter",
    "Finding",
    "Place",
    "Rule",
    "Rules",
    "Step",
    "compile_sql",
    "decide",
    "load",
    "parse",
    "sysmon_texts",
]


def __getattr__(name: str) -> Any:
    # On first use: `config check` puts no batch to rules.
    if name != "Rules":
        raise AttributeError(f"module 'procwire.rules' has no attribute {name!r}")
    from procwire.rules.apply import Rules

    return Rules
