"""The view `enriched`: connections with the creation of their process, and the host name that it had queried.

Each row of `connections` is exactly one row of `enriched`: a process creation is valid from its time to the next one
with the same ProcessGuid, an answer to a DNS query from its time to the next one with the same address, so that at most
one of either matches.
"""

from __future__ import annotations

from collections.abc import Sequence

from procwire.engine import quote
from procwire.event import PROCESS_CREATION_FIELDS, Field

__all__ = ["ADDED", "enriched"]

_BEGINNING, _END = "TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 00:00:00+00'"
_NOBODY = "{00000000-0000-0000-0000-000000000000}"
_TIME = "coalesce(event_creation_time, event_recorded_time)"

# Columns of both events: the connection's value is used.
_SHARED = ("event_creation_time", "process_guid", "process_id", "process_name", "user_name", "rule_name")
_CREATED: tuple[Field, ...] = tuple(
    field for field in PROCESS_CREATION_FIELDS if field.group == "event" and field.name not in _SHARED
)

ADDED: tuple[str, ...] = (*(field.name for field in _CREATED), "dns_query_name")
"""The columns that are added; where `connections` has a value for one of them, that value is used."""

# Compared as text, at 1% of the cost of parsing the address: Windows writes IPv6 in the form of RFC 5952, like us.
_ADDRESS = "CASE WHEN answer LIKE '::ffff:%.%' THEN substr(answer, 8) ELSE lower(answer) END"

# The first creation is valid from the beginning of time, because clocks may be adjusted.
_PROCESSES = f"""
SELECT coalesce(computer_name, '') AS of_computer, process_guid AS of_guid,
    {", ".join(field.name for field in _CREATED)},
    CASE WHEN row_number() OVER same > 1 THEN {_TIME} ELSE {_BEGINNING} END AS since_time,
    coalesce(lead({_TIME}) OVER same, {_END}) AS until_time
FROM ({{creations}})
WHERE process_guid <> '{{nobody}}' AND {_TIME} IS NOT NULL
WINDOW same AS (PARTITION BY coalesce(computer_name, ''), process_guid ORDER BY {_TIME}, record_id)"""

_NAMES = f"""
SELECT of_computer, of_guid, address, dns_query_name, since_time,
    coalesce(lead(since_time) OVER same, {_END}) AS until_time
FROM (
    SELECT coalesce(computer_name, '') AS of_computer, process_guid AS of_guid, record_id, dns_query_name,
        {_TIME} AS since_time, {_ADDRESS} AS address
    FROM dns_queries CROSS JOIN unnest(string_split(dns_query_results, ';')) AS answers(answer)
    WHERE answer <> '' AND answer NOT LIKE 'type:%' AND process_guid <> '{_NOBODY}'
)
WHERE since_time IS NOT NULL
WINDOW same AS (PARTITION BY of_computer, of_guid, address ORDER BY since_time, record_id)"""

_SAME = "{it}.of_guid = c.process_guid AND {it}.of_computer = coalesce(c.computer_name, '')"
_THEN = "coalesce(c.event_creation_time, c.event_recorded_time)"


def enriched(columns: Sequence[str], creations: str) -> str:
    """Return the SQL of the view, over `connections` with these columns.

    creations: the SQL of all process creations, however long before the queried rows.
    """
    processes = _PROCESSES.format(creations=creations, nobody=_NOBODY)
    selected = [_column(name) if name in ADDED else f"c.{quote(name)}" for name in columns]
    selected += [f"{_origin(name)}.{name}" for name in ADDED if name not in columns]
    joins = [
        f"LEFT JOIN ({sql}) AS {it} ON {_SAME.format(it=it)}{also}"
        f" AND {_THEN} >= {it}.since_time AND {_THEN} < {it}.until_time"
        for it, sql, also in (("p", processes, ""), ("d", _NAMES, " AND d.address = c.dst_ip"))
    ]
    return f"SELECT {', '.join(selected)} FROM connections AS c {' '.join(joins)}"


def _origin(name: str) -> str:
    return "d" if name == "dns_query_name" else "p"


def _column(name: str) -> str:
    return f"coalesce(c.{name}, {_origin(name)}.{name}) AS {name}"
