"""The verbs of the command line: a module for each declares its options, and is imported when the verb is called."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procwire.cli.parser import Verb

__all__ = ["ALIASES", "GROUPS", "VERBS", "verb_named"]

VERBS: dict[tuple[str, ...], str] = {
    ("read",): "Read network connections from logs of any kind.",
    ("record",): "Record the network connections of this machine, live.",
    ("hunt",): "Hunt for beacons, rare destinations, scans and more.",
    ("detect",): "Run Sigma rules over the lake, or over logs.",
    ("sql",): "Query the lake, or logs, in SQL.",
    ("config", "check"): "Find the mistakes of a configuration.",
    ("config", "explain"): "Show what decides whether a connection is logged.",
    ("config", "test"): "Show what each rule contributes on logs.",
    ("sigma", "check"): "Find out which rules run, and which cannot match.",
    ("sigma", "test"): "Run rules on the examples beside them.",
    ("map", "propose"): "Propose a mapping for a log of unknown format.",
    ("map", "try"): "Show what a mapping makes of a log's first records.",
    ("lake", "info"): "Show what the lake holds, and where it came from.",
    ("lake", "compact"): "Sort each day into few files.",
    ("lake", "verify"): "Check every commit and file of the lake.",
    ("lake", "repair"): "Set damage aside.",
    ("lake", "expire"): "Delete old days.",
    ("lake", "export"): "Write the lake's rows in any format.",
    ("dictionary",): "Print the data dictionary: every column and its meaning.",
    ("guid",): "Decode ProcessGuids.",
}
"""Summaries of the verbs, by their words, in the order of the help."""

GROUPS = {
    "config": "Sysmon's configuration files: what they log of network connections, and why.",
    "sigma": "Sigma rules: which run, which cannot match here, and whether they match their examples.",
    "map": "Mappings for logs of unknown formats: which key holds which field.",
    "lake": "The lake: connections stored for months, by `read --to lake` and `record --to lake`.",
}
"""Summaries of groups of verbs, by their first word."""

ALIASES = {"rules": "sigma"}
"""Former names of groups, which no help shows."""


def verb_named(words: tuple[str, ...]) -> Verb:
    """Import the declaration of a verb of VERBS."""
    module = import_module(f"procwire.cli.verbs.{'_'.join(words)}")
    verb: Verb = module.VERB
    return verb
