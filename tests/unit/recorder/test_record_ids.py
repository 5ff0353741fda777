"""Record ids: they go on counting, and none is given twice."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest

from procwire.errors import RecordError
from procwire.recorder.record_ids import RecordIds

GOLDEN = Path(__file__).parents[2] / "data" / "recordings" / "0.1.0-a"


def test_ids_follow_each_other_from_1(tmp_path: Path) -> None:
    ids = RecordIds(tmp_path / "made")
    assert [ids.take(3), ids.take(1), ids.take(25_000), ids.take(1)] == [1, 4, 5, 25_005]


def test_ids_go_on_where_the_last_recording_ended(tmp_path: Path) -> None:
    for expected in (1, 6, 11):
        ids = RecordIds(tmp_path)
        assert ids.take(5) == expected
        ids.close()


def test_recording_without_a_row_takes_no_id(tmp_path: Path) -> None:
    RecordIds(tmp_path).close()
    assert RecordIds(tmp_path).take(1) == 1


def _take_and_die(folder: Path) -> None:
    RecordIds(folder).take(7)
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_recorder_leaves_a_gap_at_most(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_take_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert RecordIds(tmp_path).take(1) > 7


def test_two_recorders_share_no_id(tmp_path: Path) -> None:
    one, other = RecordIds(tmp_path), RecordIds(tmp_path)
    given: list[int] = []
    for size in (1, 9_999, 400, 30_000, 2):
        for ids in (one, other):
            first = ids.take(size)
            given += range(first, first + size)
    one.close()
    other.close()
    ids = RecordIds(tmp_path)
    given += range(first := ids.take(50), first + 50)
    assert len(set(given)) == len(given)


def test_file_of_another_make_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record_id").write_text("seven\n")
    with pytest.raises(RecordError, match=r"record_id: found b'seven', expected a number"):
        RecordIds(tmp_path)


def test_count_of_an_older_procwire_goes_on(tmp_path: Path) -> None:
    """And an older procwire can still count on: it reads a number, then blanks."""
    shutil.copy(GOLDEN / "record_id", tmp_path)
    ids = RecordIds(tmp_path)
    assert ids.take(1) == 42
    ids.close()
    assert (tmp_path / "record_id").read_bytes()[:21].strip().isdigit()
    assert (tmp_path / "record_id").read_bytes() == b"0000000000000000043\n\nversion 1\n"


def test_count_of_a_newer_procwire_is_refused_with_both_versions(tmp_path: Path) -> None:
    (tmp_path / "record_id").write_bytes(b"0000000000000000043\n\nversion 2\n")
    with pytest.raises(RecordError, match=r"record_id: found version 2, expected 1 or older: a newer procwire"):
        RecordIds(tmp_path)
    (tmp_path / "record_id").write_bytes(b"0000000000000000043\n\nnonsense\n")
    with pytest.raises(RecordError, match=r"record_id: found b'nonsense', expected a version"):
        RecordIds(tmp_path)
