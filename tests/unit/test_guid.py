"""ProcessGuid: the samples of the facts file, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procwire.errors import UsageError
from procwire.guid import ProcessGuid, decode_guid

SAMPLES = [
    ("{A98268C1-957F-5ACD-0000-0010EB030000}", 0xA98268C1, "2018-04-11T04:56:31+00:00", 0x3EB_1000_0000),
    ("{83989F29-3374-5F6B-0100-000000000301}", 0x83989F29, "2020-09-23T11:37:24+00:00", 259 << 48 | 1),
    ("{32E6D9CE-E73D-628D-D800-000000001200}", 0x32E6D9CE, "2022-05-25T08:22:21+00:00", 18 << 48 | 216),
    ("{A57649D1-A03B-61A6-2F23-8D0000000000}", 0xA57649D1, "2021-11-30T22:05:47+00:00", 0x8D232F),
    ("{2424faa4-a3f4-616c-e1b4-2270fe550000}", 0x2424FAA4, "2021-10-17T22:30:12+00:00", 0x55FE7022B4E1),
]


@pytest.mark.parametrize(("text", "machine_id", "start", "key"), SAMPLES)
def test_samples_decode(text: str, machine_id: int, start: str, key: int) -> None:
    guid = decode_guid(text)
    assert (guid.machine_id, guid.process_start_time.isoformat(), guid.key) == (machine_id, start, key)
    assert str(guid) == text.upper()
    assert decode_guid(text.strip("{}").lower()) == guid


def test_key_of_sysmon_up_to_10_is_a_luid() -> None:
    guid = decode_guid(SAMPLES[0][0])
    assert (guid.luid, guid.boot_id, guid.sequence) == (0x3EB, None, None)


@pytest.mark.parametrize(("sample", "boot_id", "sequence"), [(1, 259, 1), (2, 18, 216)])
def test_key_of_sysmon_from_11_is_boot_and_sequence(sample: int, boot_id: int, sequence: int) -> None:
    guid = decode_guid(SAMPLES[sample][0])
    assert (guid.luid, guid.boot_id, guid.sequence) == (None, boot_id, sequence)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_any_guid_survives_its_text(machine_id: int, start_s: int, key: int) -> None:
    guid = ProcessGuid(machine_id, start_s, key)
    assert decode_guid(str(guid)) == guid


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "A98268C1957F5ACD00000010EB030000", "{A98268C1-957F-5ACD-0000-0010EB03000G}"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a GUID"):
        decode_guid(text)
