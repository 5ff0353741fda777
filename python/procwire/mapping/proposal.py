"""Propose a mapping for a log of unknown format: from the names of its keys, and what their values look like."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from procwire.mapping.sample import first_records

__all__ = ["Proposal", "propose"]

_SAMPLED = 1_000
# Of the values that a key has, so many must look like the field's.
_MOST_OF = 0.8
_MOST_KINDS = 20


@dataclass(frozen=True, slots=True)
class Proposal:
    """Hold a proposed mapping, for a person to check."""

    toml: str
    """The mapping as the text of a file."""
    fields: dict[str, str]
    """Sysmon's names of fields, and the keys that seem to hold them."""
    texts: tuple[str, ...]
    """The keys that seem to hold the event as text."""
    unused: dict[str, str]
    """The other keys, with a value of each."""

    @property
    def missing(self) -> list[str]:
        """Return the fields that a connection should have and for which there is no key: none if texts hold them."""
        if self.texts and not self.fields:
            return []
        peer = "RemoteIp" if "RemoteIp" in self.fields else "DestinationIp"
        return [field for field in ("UtcTime", "Image", peer) if field not in self.fields]


def propose(paths: Sequence[str | os.PathLike[str]]) -> Proposal:
    """Propose a mapping from the first records of a log.

    Raises InputError if no log has records: objects of JSON, or rows of a CSV with a header.
    """
    records = first_records(paths, _SAMPLED)
    values: dict[str, list[str]] = {}
    for record in records:
        for key, value in record.items():
            if value not in ("", "-"):
                values.setdefault(key, []).append(value)
    texts = [key for key, found in values.items() if _mostly(found, _carries_event)]
    chosen = _chosen({key: found for key, found in values.items() if key not in texts})
    meanings = _meanings(values[chosen["Initiated"]]) if "Initiated" in chosen else {}
    used = {*texts, *chosen.values()}
    kinds = _kinds(values, used)
    used |= kinds.keys()
    unused = {key: found[0] for key, found in values.items() if key not in used}
    return Proposal(_toml(texts, chosen, kinds, meanings), chosen, tuple(texts), unused)


def _mostly(values: Sequence[str], looks: Callable[[str], bool]) -> bool:
    return bool(values) and sum(map(looks, values)) >= _MOST_OF * len(values)


def _carries_event(value: str) -> bool:
    return "<Event" in value or "Network connection detected" in value or '"EventID"' in value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value.split("%")[0])
    except ValueError:
        return False
    return True


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value[:9]) < 1 << 16


def _is_number(value: str) -> bool:
    return re.fullmatch(r"\d{1,10}|0x[0-9a-fA-F]{1,8}", value) is not None


def _is_time(value: str) -> bool:
    return (
        re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|/Date\(\d+|1\d{9}(\.\d+|\d{3}|\d{6}|\d{9})?$", value) is not None
    )


def _is_path(value: str) -> bool:
    return re.search(r"[\\/]|\.exe$", value, re.IGNORECASE) is not None and "://" not in value


def _is_guid(value: str) -> bool:
    return re.fullmatch(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?", value) is not None


def _is_protocol(value: str) -> bool:
    return value.lower() in ("tcp", "udp", "6", "17", "icmp", "1", "tcp4", "tcp6", "udp4", "udp6")


_OUTWARDS = ("outbound", "out", "outgoing", "egress", "true", "1", "initiated", "client", "%%14593")
_INWARDS = ("inbound", "in", "incoming", "ingress", "false", "0", "accepted", "server", "%%14592")


def _is_direction(value: str) -> bool:
    return value.lower() in (*_OUTWARDS, *_INWARDS)


def _is_name(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_*-]+(\.[A-Za-z0-9_-]+)*\.?", value) is not None and not _is_address(value)


def _is_user(value: str) -> bool:
    return len(value) < 256 and not _is_address(value) and not _is_time(value)


_LOCAL = ("local", "laddr", "lport", "lip")
_REMOTE = ("remote", "raddr", "rport", "rip", "peer", "foreign")
_SOURCE = ("src", "source", "client", "orig", "origin", "saddr", "sip", "sport", "from")
_DESTINATION = ("dst", "dest", "destination", "server", "resp", "daddr", "dip", "dport", "target", "to")
_ENDS = (*_LOCAL, *_REMOTE, *_SOURCE, *_DESTINATION)
_OTHERS = ("parent", "ppid", "old", "nat", "xlate", "translated")
_PORT = ("port", "sport", "lport", "dport", "rport", "p")
_NAME = ("host", "hostname", "name", "domain", "fqdn", "dns")


@dataclass(frozen=True, slots=True)
class _Rule:
    """How to recognise a field: words of its key, of which each group must have one, and what its values look like."""

    field: str
    looks: Callable[[str], bool]
    words: tuple[tuple[str, ...], ...]
    never: tuple[str, ...] = _OTHERS


_NO_IMAGE = (*_OTHERS, "cmd", "command", "line", "log")
_RULES = (
    *(
        rule
        for end, words in (("Destination", _DESTINATION), ("Source", _SOURCE), ("Remote", _REMOTE), ("Local", _LOCAL))
        for rule in (
            _Rule(f"{end}Ip", _is_address, (words,)),
            _Rule(f"{end}Port", _is_port, (words, _PORT)),
            _Rule(f"{end}Hostname", _is_name, (words, _NAME)),
        )
    ),
    _Rule("ProcessGuid", _is_guid, (("process", "proc"), ("guid", "uuid", "entity"))),
    _Rule("ProcessId", _is_number, (("pid", "processid"),)),
    _Rule("ProcessId", _is_number, (("process", "proc"), ("id", "pid"))),
    _Rule("Image", _is_path, (("image", "exe", "executable", "application", "path"),), _NO_IMAGE),
    _Rule("Image", _is_path, (("process", "proc", "program", "app", "comm"),), _NO_IMAGE),
    _Rule("UtcTime", _is_time, (("utc", "time", "timestamp", "ts", "date", "datetime", "when", "start", "created"),)),
    _Rule("Protocol", _is_protocol, (("protocol", "proto", "transport", "l4"),)),
    _Rule("Initiated", _is_direction, (("initiated", "direction", "dir", "outbound", "inbound"),)),
    _Rule("User", _is_user, (("user", "username", "account", "uid"),), (*_OTHERS, *_ENDS, "agent", "domain", "sid")),
    _Rule("Computer", _is_name, (("computer", "host", "hostname", "endpoint", "device", "machine", "sensor", "agent"),),
          (*_OTHERS, *_ENDS, "id", "os", "version", "type", "ip")),
    _Rule("EventRecordID", _is_number, (("record", "seq", "sequence"), ("id", "number", "seq", "sequence"))),
)  # fmt: skip


def _words(key: str) -> set[str]:
    """Return the words of a key, in lower case: `process.srcIp_addr` has process, src, ip and addr."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", key)
    words = set(re.split(r"[^a-z0-9]+", spaced.lower()))
    whole = re.sub(r"[^a-z0-9]", "", key.rsplit(".", 1)[-1].lower())
    return (
        words
        | {whole}
        | {end for end in _ENDS if len(end) > 2 and whole.startswith(end)}
        | {word for word in ("port", "host", "name") if whole.endswith(word)}
    )


def _chosen(values: dict[str, list[str]]) -> dict[str, str]:
    """Return the key of each field, where one fits: the one whose name says least besides."""
    words = {key: _words(key) for key in values}
    chosen: dict[str, str] = {}
    for rule in _RULES:
        fitting = [
            key
            for key, found in values.items()
            if key not in chosen.values()
            and all(words[key] & set(group) for group in rule.words)
            and not words[key] & set(rule.never)
            and _mostly(found, rule.looks)
        ]
        if fitting and rule.field not in chosen:
            chosen[rule.field] = min(fitting, key=lambda key: (-len(values[key]), len(words[key]), key))
    # Of the two ways to name the ends, the one that the log has more of.
    pairs = (("Source", "Destination"), ("Local", "Remote"))
    ends = sorted(pairs, key=lambda pair: sum(field.startswith(pair) for field in chosen))
    return {field: key for field, key in chosen.items() if not field.startswith(ends[0])}


def _meanings(values: Iterable[str]) -> dict[str, bool]:
    """Return what the values of a direction stand for, and their opposites, unless they are booleans themselves."""
    found = {value.lower() for value in values} - {"true", "false"}
    pairs = [pair for pair in zip(_OUTWARDS, _INWARDS, strict=True) if found & set(pair)]
    return {word: outwards for pair in pairs for word, outwards in zip(pair, (True, False), strict=True)}


def _kinds(values: dict[str, list[str]], used: set[str]) -> dict[str, list[str]]:
    """Return the key that says which records are connections, with the values that seem to: empty if all are alike."""
    for key, found in values.items():
        counts = Counter(found)
        is_kind = _words(key) & {"type", "kind", "action", "category", "event", "name", "activity"}
        if key in used or not is_kind or not 1 < len(counts) <= _MOST_KINDS:
            continue
        network = [value for value in counts if re.search(r"net|conn|flow|socket", value, re.IGNORECASE)]
        if network and len(network) < len(counts):
            return {key: sorted(network)}
    return {}


def _toml(texts: list[str], fields: dict[str, str], kinds: dict[str, list[str]], meanings: dict[str, bool]) -> str:
    lines = ["# Which key of a record holds which field of a connection. Check it, and remove what is wrong.", ""]
    if texts:
        lines += ["# These keys hold the event as text: XML, JSON, or Sysmon's message.", f"text = {_value(texts)}", ""]
    if kinds:
        lines += ["# Only records with one of these values are connections.", "[records]"]
        lines += [f"{_value(key)} = {_value(found)}" for key, found in kinds.items()] + [""]
    if fields:
        lines += ["[fields]", *(f"{field} = {_value(key)}" for field, key in fields.items()), ""]
    if meanings:
        lines += [
            "[values.Initiated]",
            *(f"{_value(found)} = {_value(meaning)}" for found, meaning in meanings.items()),
            "",
        ]
    return "\n".join(lines)


def _value(value: object) -> str:
    """Return a text, a boolean or a list of texts in TOML, whose texts are written as JSON's."""
    return json.dumps(value, ensure_ascii=False)
