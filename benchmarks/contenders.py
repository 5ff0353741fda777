"""The contenders: each reads an input to its end, in the way that its own documentation recommends.

`read` is timed and gives the number of events it found (of all records, where it cannot distinguish them);
`rows` is not timed and gives what it read, under procwire's names, to see that all read the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Contender:
    """Hold a reader, and how to call it."""

    name: str
    prepare: Callable[[], object]
    """Imports its packages; this is not timed."""
    read: Callable[[str], int]
    rows: Callable[[str], Iterator[Row]]
    counts_records: bool = False
    """Whether `read` counts the records of all events."""


def _import_procwire() -> None:
    import procwire.api  # noqa: F401


def _procwire(path: str) -> int:
    import procwire

    return sum(batch.num_rows for batch in procwire.scan(path))


def _procwire_rows(path: str) -> Iterator[Row]:
    import procwire

    for batch in procwire.scan(path):
        yield from batch.to_pylist()


def procwire_counts(path: str) -> tuple[int, int]:
    """Return the number of records of all events that procwire saw, and of event 3."""
    import procwire

    ledger = procwire.Ledger()
    for _ in procwire.scan(path, ledger=ledger):
        pass
    return ledger.records, ledger.events


def _import_evtx() -> None:
    import evtx  # noqa: F401


def _evtx_records(path: str) -> Iterator[dict[str, Any]]:
    from evtx import PyEvtxParser

    return cast("Iterator[dict[str, Any]]", PyEvtxParser(path).records_json())


def _evtx_strings(path: str) -> int:
    return sum(1 for _ in _evtx_records(path))


def _evtx_loads(path: str) -> int:
    events = (json.loads(record["data"])["Event"] for record in _evtx_records(path))
    return sum(event["System"]["EventID"] == 3 for event in events)


def _evtx_rows(path: str) -> Iterator[Row]:
    for record in _evtx_records(path):
        event = json.loads(record["data"])["Event"]
        if event["System"]["EventID"] == 3:
            data = event["EventData"]
            yield {**_sysmon_row(data), "process_guid": "{" + data["ProcessGuid"] + "}"}


_NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


def _import_lxml() -> None:
    import lxml.etree  # noqa: F401


def _lxml_events(path: str) -> Iterator[dict[str, str | None]]:
    """Read every field of System and EventData into a dictionary; release memory as lxml's manual shows."""
    from lxml.etree import iterparse

    skipped = len(_NAMESPACE)
    for _, event in iterparse(path, events=("end",), tag=_NAMESPACE + "Event"):
        system, data = event
        fields = {element.tag[skipped:]: element.text for element in system}
        for element in system:
            for name, value in element.attrib.items():
                fields[element.tag[skipped:] + name] = value
        for element in data:
            fields[element.get("Name")] = element.text
        event.clear()
        while event.getprevious() is not None:
            del event.getparent()[0]
        yield fields


def _lxml(path: str) -> int:
    return sum(fields["EventID"] == "3" for fields in _lxml_events(path))


def _lxml_rows(path: str) -> Iterator[Row]:
    return (
        _sysmon_row(fields) | {"record_id": fields["EventRecordID"], "computer_name": fields["Computer"]}
        for fields in _lxml_events(path)
        if fields["EventID"] == "3"
    )


def _sysmon_row(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return Sysmon's fields by procwire's names."""
    from procwire.event import fields

    return {field.name: data.get(field.sysmon) for field in fields("event")}


def _import_duckdb() -> None:
    import duckdb  # noqa: F401
    import pyarrow  # noqa: F401


# As an expert would write it: without sniffing, only the needed keys, order not preserved.
DUCKDB_SQL = """
SELECT
    CAST(data.UtcTime AS TIMESTAMP) AS event_creation_time,
    upper(data.ProcessGuid) AS process_guid,
    CAST(data.ProcessId AS BIGINT) AS process_id,
    data.Image AS process_name,
    data."User" AS user_name,
    data.Protocol AS network_protocol,
    CAST(data.Initiated AS BOOLEAN) AS network_connection_initiated,
    CAST(data.SourceIsIpv6 AS BOOLEAN) AS src_is_ipv6,
    data.SourceIp AS src_ip,
    nullif(data.SourceHostname, '-') AS src_host_name,
    CAST(data.SourcePort AS INTEGER) AS src_port,
    nullif(data.SourcePortName, '-') AS src_port_name,
    CAST(data.DestinationIsIpv6 AS BOOLEAN) AS dst_is_ipv6,
    data.DestinationIp AS dst_ip,
    nullif(data.DestinationHostname, '-') AS dst_host_name,
    CAST(data.DestinationPort AS INTEGER) AS dst_port,
    nullif(data.DestinationPortName, '-') AS dst_port_name,
    nullif(data.RuleName, '-') AS rule_name,
    stamp AS event_recorded_time,
    winlog.record_id AS record_id,
    winlog.computer_name AS computer_name,
    winlog.provider_name AS provider_name,
    upper(winlog.provider_guid) AS provider_guid,
    winlog.channel AS channel,
    CAST(winlog.event_id AS INTEGER) AS event_id,
    winlog.version AS event_version,
    CASE log.level WHEN 'information' THEN 4 WHEN 'warning' THEN 3 WHEN 'error' THEN 2 END AS event_level,
    CASE winlog.opcode WHEN 'Info' THEN 0 END AS event_opcode,
    winlog.process.pid AS logger_process_id,
    winlog.process.thread.id AS logger_thread_id,
    winlog."user".identifier AS logger_user_sid
FROM (
    SELECT winlog, winlog.event_data AS data, log, "@timestamp" AS stamp
    FROM read_json(?, format = 'newline_delimited', columns = {
        '@timestamp': 'TIMESTAMP',
        'log': 'STRUCT(level VARCHAR)',
        'winlog': 'STRUCT(
            channel VARCHAR, computer_name VARCHAR, event_id VARCHAR, opcode VARCHAR,
            process STRUCT(pid BIGINT, thread STRUCT(id BIGINT)),
            provider_guid VARCHAR, provider_name VARCHAR, record_id BIGINT,
            "user" STRUCT(identifier VARCHAR), version INTEGER,
            event_data STRUCT(
                UtcTime VARCHAR, ProcessGuid VARCHAR, ProcessId VARCHAR, Image VARCHAR, "User" VARCHAR,
                Protocol VARCHAR, Initiated VARCHAR, SourceIsIpv6 VARCHAR, SourceIp VARCHAR,
                SourceHostname VARCHAR, SourcePort VARCHAR, SourcePortName VARCHAR,
                DestinationIsIpv6 VARCHAR, DestinationIp VARCHAR, DestinationHostname VARCHAR,
                DestinationPort VARCHAR, DestinationPortName VARCHAR, RuleName VARCHAR
            )
        )'
    })
    WHERE winlog.event_id = '3'
)
"""


def _duckdb_batches(path: str) -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect(config={"preserve_insertion_order": False})
    return iter(connection.sql(DUCKDB_SQL, params=[path]).to_arrow_reader(100_000))


def _duckdb(path: str) -> int:
    return sum(batch.num_rows for batch in _duckdb_batches(path))


def _duckdb_rows(path: str) -> Iterator[Row]:
    for batch in _duckdb_batches(path):
        yield from batch.to_pylist()


def _import_polars() -> None:
    import polars  # noqa: F401


def _polars_query(path: str) -> Any:
    import polars as pl

    from procwire.event import fields

    text, long, number = pl.String, pl.Int64, pl.Int32
    sysmon = [field.sysmon for field in fields("event")]
    winlog_type = pl.Struct({
        "channel": text, "computer_name": text, "event_id": text, "opcode": text,
        "process": pl.Struct({"pid": long, "thread": pl.Struct({"id": long})}),
        "provider_guid": text, "provider_name": text, "record_id": long,
        "user": pl.Struct({"identifier": text}), "version": number,
        "event_data": pl.Struct(dict.fromkeys(sysmon, text)),
    })  # fmt: skip
    lines = pl.scan_ndjson(path, schema={"@timestamp": text, "log": pl.Struct({"level": text}), "winlog": winlog_type})
    winlog = pl.col("winlog").struct

    def data(name: str) -> pl.Expr:
        return winlog.field("event_data").struct.field(name)

    def filled(name: str) -> pl.Expr:
        # Skip `-`, which means no value.
        return pl.when(data(name) != "-").then(data(name))

    return lines.filter(winlog.field("event_id") == "3").select(
        event_creation_time=data("UtcTime").str.to_datetime("%Y-%m-%d %H:%M:%S%.3f", time_unit="us"),
        process_guid=data("ProcessGuid").str.to_uppercase(),
        process_id=data("ProcessId").cast(long),
        process_name=data("Image"),
        user_name=data("User"),
        network_protocol=data("Protocol"),
        network_connection_initiated=data("Initiated") == "true",
        src_is_ipv6=data("SourceIsIpv6") == "true",
        src_ip=data("SourceIp"),
        src_host_name=filled("SourceHostname"),
        src_port=data("SourcePort").cast(number),
        src_port_name=filled("SourcePortName"),
        dst_is_ipv6=data("DestinationIsIpv6") == "true",
        dst_ip=data("DestinationIp"),
        dst_host_name=filled("DestinationHostname"),
        dst_port=data("DestinationPort").cast(number),
        dst_port_name=filled("DestinationPortName"),
        rule_name=filled("RuleName"),
        event_recorded_time=pl.col("@timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="us"),
        record_id=winlog.field("record_id"),
        computer_name=winlog.field("computer_name"),
        provider_name=winlog.field("provider_name"),
        provider_guid=winlog.field("provider_guid").str.to_uppercase(),
        channel=winlog.field("channel"),
        event_id=winlog.field("event_id").cast(number),
        event_version=winlog.field("version"),
        event_level=pl.col("log").struct.field("level").replace_strict(
            {"information": 4, "warning": 3, "error": 2}, default=None, return_dtype=number
        ),
        event_opcode=pl.when(winlog.field("opcode") == "Info").then(pl.lit(0, number)),
        logger_process_id=winlog.field("process").struct.field("pid"),
        logger_thread_id=winlog.field("process").struct.field("thread").struct.field("id"),
        logger_user_sid=winlog.field("user").struct.field("identifier"),
    )  # fmt: skip


def _polars_streaming(path: str) -> int:
    return int(_polars_query(path).collect(engine="streaming").height)


def _polars_in_memory(path: str) -> int:
    return int(_polars_query(path).collect(engine="in-memory").height)


def _polars_rows(path: str) -> Iterator[Row]:
    return iter(_polars_query(path).collect().to_dicts())


PROCWIRE = Contender("procwire", _import_procwire, _procwire, _procwire_rows)
EVTX_STRINGS = Contender("evtx records_json()", _import_evtx, _evtx_strings, _evtx_rows, counts_records=True)
EVTX_LOADS = Contender("evtx records_json() + json.loads", _import_evtx, _evtx_loads, _evtx_rows)
LXML = Contender("lxml.iterparse to dicts", _import_lxml, _lxml, _lxml_rows)
DUCKDB = Contender("DuckDB read_json", _import_duckdb, _duckdb, _duckdb_rows)
POLARS = Contender("Polars scan_ndjson, streaming", _import_polars, _polars_streaming, _polars_rows)
POLARS_IN_MEMORY = Contender("Polars scan_ndjson, in memory", _import_polars, _polars_in_memory, _polars_rows)

ALL: dict[str, Contender] = {
    contender.name: contender
    for contender in (PROCWIRE, EVTX_STRINGS, EVTX_LOADS, LXML, DUCKDB, POLARS, POLARS_IN_MEMORY)
}
