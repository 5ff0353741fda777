"""`procwire.read` and `procwire.scan`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pytest

import procwire
from command_line import invoke
from procwire.event import FIELDS
from procwire.sysmon import ConfigFilter, parse


def test_read_gives_the_whole_table(example_log: Path) -> None:
    table = procwire.read(example_log)
    assert table.schema == procwire.SCHEMA
    assert table.num_rows == 153
    assert table.schema.names == [field.name for field in FIELDS]


def test_paths_may_be_one_or_many_texts_or_paths(example_log: Path) -> None:
    for paths in (str(example_log), example_log, [example_log], (str(example_log),), iter([example_log])):
        assert procwire.read(paths, columns=["dst_port"]).num_rows == 153
    assert procwire.read([example_log, str(example_log)]).num_rows == 306


def test_scan_streams_and_fills_the_ledger(example_log: Path) -> None:
    ledger = procwire.Ledger()
    rows = procwire.scan(example_log, ledger=ledger)
    assert isinstance(rows.to_reader(), pa.RecordBatchReader)
    assert rows.schema == procwire.SCHEMA
    assert ledger.events == 0
    assert sum(batch.num_rows for batch in rows) == 153
    assert (ledger.events, ledger.records, ledger.bytes) == (153, 1730, example_log.stat().st_size)


def test_scan_that_is_left_early_lets_go(example_log: Path) -> None:
    """A limit, or a reader that is dropped, ends the read; what was seen is in the ledger."""
    ledger = procwire.Ledger()
    assert procwire.read(example_log, limit=1, ledger=ledger).num_rows == 1
    assert 0 < ledger.events <= 153
    reader = procwire.scan([example_log] * 100).to_reader()
    assert reader.read_next_batch().num_rows > 0
    reader.close()
    assert next(iter(procwire.scan([example_log] * 100))).num_rows > 0


def test_scan_can_be_read_more_than_once(example_log: Path, tmp_path: Path) -> None:
    """Each time from the beginning; the ledger is that of the last read, also after one that ended early."""
    ledger = procwire.Ledger()
    rows = procwire.scan(example_log, where="dst_port = 443", ledger=ledger)
    first = rows.read_all()
    assert first.num_rows == 29
    next(iter(rows))
    assert rows.read_all() == first == pa.table(rows)
    assert (len(ledger.files), ledger.events, rows.ledger is ledger) == (1, 153, True)
    log = tmp_path / "grown.evtx"
    log.write_bytes(example_log.read_bytes()[:1_000_000])
    rows = procwire.scan(log)
    assert rows.read_all().num_rows == 131
    log.write_bytes(example_log.read_bytes())
    assert rows.read_all().num_rows == 153


def test_rules_that_decided_before_do_not_spoil_the_ledger(example_log: Path) -> None:
    rules = ConfigFilter(parse(b'<Sysmon schemaversion="4.90"/>'))
    for _ in range(2):
        ledger = procwire.Ledger()
        procwire.read(example_log, config=rules, ledger=ledger)
        assert ledger.unlogged == 153


def test_scan_of_nothing_is_an_error_that_says_why(tmp_path: Path) -> None:
    """A mistyped path at once, a file that is not a log once it is read: neither is an empty result."""
    with pytest.raises(procwire.InputError, match=r"missing: No such file or directory"):
        procwire.scan(tmp_path / "missing")
    (tmp_path / "empty").touch()
    for _ in range(2):
        with pytest.raises(procwire.InputError, match=r"empty: found an empty file, expected a log"):
            list(procwire.scan(tmp_path / "empty"))


def test_standard_input_is_scanned_once(example_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with example_log.open() as log:
        monkeypatch.setattr("sys.stdin", log)
        rows = procwire.scan("-")
        assert rows.read_all().num_rows == 153
    with pytest.raises(procwire.UsageError, match="second reading of standard input"):
        list(rows)


def test_arguments_are_judged_before_anything_is_read(tmp_path: Path) -> None:
    """Even before the error for a file that does not exist."""
    missing = tmp_path / "missing"
    for arguments in ({"where": "no_such_column"}, {"columns": ["no"]}, {"sort": ["no"]}, {"limit": -1}):
        with pytest.raises(procwire.UsageError):
            procwire.scan(missing, **arguments)


def test_read_of_nothing_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(procwire.InputError, match=r"missing: No such file or directory"):
        procwire.read(tmp_path / "missing")
    with pytest.raises(procwire.InputError, match=r"empty: found an empty file, expected a log"):
        procwire.read(tmp_path / "empty")


def test_read_of_something_is_none(example_log: Path, tmp_path: Path) -> None:
    ledger = procwire.Ledger()
    table = procwire.read([tmp_path / "missing", example_log], ledger=ledger)
    assert table.num_rows == 153
    assert [file.name for file in ledger.unread] == [str(tmp_path / "missing")]


def test_format_overrides_what_is_recognised(example_log: Path) -> None:
    ledger = procwire.Ledger()
    assert procwire.read(example_log, format="json", ledger=ledger).num_rows == 0
    assert ledger.files[0].format == "json"


def test_a_format_that_is_none_is_refused(example_log: Path) -> None:
    with pytest.raises((procwire.UsageError, ValueError), match="expected one of evtx, xml, json, csv, text"):
        procwire.read(example_log, format="yaml")  # type: ignore[arg-type]


def test_recovered_rows_come_only_on_request(example_log: Path) -> None:
    assert procwire.read(example_log, where="recovered").num_rows == 0
    assert procwire.read(example_log, where="recovered", recover=True).num_rows == 14


def test_names_columns_where_and_sort_work_together(example_log: Path) -> None:
    table = procwire.read(
        example_log,
        names="sysmon",
        columns=["DestinationPort", "ProcessName"],
        where="DestinationPort IN (80, 443)",
        sort=["-DestinationPort", "ProcessName"],
        limit=3,
    )
    assert table.schema.names == ["DestinationPort", "ProcessName"]
    assert table["DestinationPort"].to_pylist() == [443, 443, 443]


def test_duckdb_reads_a_scan(example_log: Path) -> None:
    scan = procwire.scan(example_log)  # noqa: F841 - DuckDB finds it by its name
    with duckdb.connect() as connection:
        [found] = connection.sql(
            "SELECT count(*), count(DISTINCT dst_ip_bytes), max(epoch_us(event_creation_time)) FROM scan"
        ).fetchall()
    table = procwire.read(example_log)
    assert found[:2] == (153, len(set(table["dst_ip_bytes"].to_pylist())))
    assert found[2] == max(table["event_creation_time"].cast(pa.int64()).to_pylist())


def test_polars_reads_a_scan(example_log: Path) -> None:
    frame = polars.DataFrame(procwire.scan(example_log))
    assert frame.height == 153
    assert frame["dst_port"].to_list() == procwire.read(example_log)["dst_port"].to_pylist()
    assert str(frame.schema["event_creation_time"]) == "Datetime(time_unit='us', time_zone='UTC')"


def test_pandas_reads_a_scan(example_log: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not among the development tools")
    frame = procwire.scan(example_log).read_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == 153
    assert frame["dst_ip"].tolist() == procwire.read(example_log)["dst_ip"].to_pylist()


def test_damage_reaches_the_ledger(example_log: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.evtx").write_bytes(example_log.read_bytes()[:1_000_000])
    ledger = procwire.Ledger()
    assert procwire.read(tmp_path / "cut.evtx", ledger=ledger).num_rows == 131
    assert (dict(ledger.damage), ledger.damaged, ledger.nothing_read) == ({"truncated chunk": 1}, True, False)


def test_config_is_a_file_a_configuration_or_rules(example_log: Path, tmp_path: Path) -> None:
    """All three log the same; the ledger counts the rest."""
    text = b"""<Sysmon schemaversion="4.90"><EventFiltering><NetworkConnect onmatch="include">
        <DestinationPort name="web">443</DestinationPort></NetworkConnect></EventFiltering></Sysmon>"""
    path = tmp_path / "web.xml"
    path.write_bytes(text)
    for config in (path, str(path), parse(text), ConfigFilter(parse(text))):
        ledger = procwire.Ledger()
        table = procwire.read(example_log, config=config, ledger=ledger)
        assert set(table["dst_port"].to_pylist()) == {443}
        assert set(table["rule_name"].to_pylist()) == {"web"}
        assert ledger.events - ledger.unlogged == table.num_rows > 0


def test_keep_adds_the_column_logged(example_log: Path) -> None:
    nothing = parse(b'<Sysmon schemaversion="4.90"/>')
    table = procwire.read(example_log, config=nothing, keep=True)
    assert table.schema.names == [*(field.name for field in FIELDS), "logged"]
    assert table["logged"].to_pylist() == [False] * 153
    assert procwire.read(example_log, config=nothing).num_rows == 0


def test_logs_are_read_into_a_lake_once(example_log: Path, tmp_path: Path) -> None:
    first = procwire.read_into_lake(example_log, tmp_path / "lake", where="dst_port = 443")
    assert (first.added["connections"], first.already) == (29, [])
    assert [log.left_out for log in first.logs] == [153 - 29]
    again = procwire.read_into_lake(example_log, tmp_path / "lake", where="dst_port = 443")
    assert (again.added["connections"], again.already, again.ledger.files) == (0, [str(example_log)], [])
    rest = procwire.read_into_lake([example_log], tmp_path / "lake")
    assert (rest.added["connections"], sum(log.duplicates for log in rest.logs)) == (153 - 29, 29)
    with pytest.raises(procwire.UsageError):
        procwire.read_into_lake(example_log, tmp_path / "other", where="nonsense = 1")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.ndjson"])
def test_export_writes_the_format_of_the_suffix(example_log: Path, tmp_path: Path, name: str) -> None:
    """The same bytes as `procwire read` writes."""
    ledger = procwire.export(example_log, tmp_path / name, where="dst_port = 443")
    assert (ledger.events, ledger.damaged) == (153, False)
    command_line = tmp_path / f"again-{name}"
    assert invoke("read", example_log, "--where", "dst_port = 443", "-o", command_line).exit_code == 0
    assert (tmp_path / name).read_bytes() == command_line.read_bytes()


def test_export_never_replaces_a_file_unasked(example_log: Path, tmp_path: Path) -> None:
    """Nor an input at all; and what cannot be completed leaves nothing."""
    output = tmp_path / "rows.csv"
    output.write_text("mine")
    with pytest.raises(procwire.UsageError, match="already exists"):
        procwire.export(example_log, output)
    assert output.read_text() == "mine"
    assert procwire.export(example_log, output, force=True, limit=1).events > 0
    assert output.read_text().count("\n") == 2
    log = tmp_path / "log.evtx"
    log.write_bytes(example_log.read_bytes())
    with pytest.raises(procwire.UsageError, match="one of the files that are read"):
        procwire.export(log, log, to="csv", force=True)
    with pytest.raises(procwire.UsageError, match=r"found the suffix \.xlsx"):
        procwire.export(log, tmp_path / "rows.xlsx")
    (tmp_path / "no-log.evtx").write_bytes(b"\0" * 5000)
    with pytest.raises(procwire.InputError):
        procwire.export(tmp_path / "no-log.evtx", tmp_path / "none.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.evtx", "no-log.evtx", "rows.csv"]


def test_a_period_selects_events_by_time(example_log: Path) -> None:
    """Times without a zone are UTC."""
    moment = datetime(2017, 10, 23, 7, 0)
    before = procwire.read(example_log, until=moment)
    after = procwire.read(example_log, since=moment)
    assert before.num_rows + after.num_rows == 153
    assert max(before["event_creation_time"].to_pylist()) < moment.replace(tzinfo=UTC)
    assert min(after["event_creation_time"].to_pylist()) >= moment.replace(tzinfo=UTC)
