"""Errors of the table format, of object stores and of the system, as procwire tells them."""

from __future__ import annotations

import pytest

from procwire.errors import LakeError
from procwire.lake.table import lake_errors

REFUSED = """Generic S3 error
          \x1b[31m↳\x1b[0m Error performing list request
           \x1b[31m↳\x1b[0m tcp connect error
            \x1b[31m↳\x1b[0m Connection refused (os error 111)"""
NO_BUCKET = """Generic S3 error
          \x1b[31m↳\x1b[0m 404 Not Found
           \x1b[31m↳\x1b[0m <?xml version="1.0" encoding="utf-8"?>
<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>"""


@pytest.mark.parametrize(
    ("drawn", "reported"),
    [(REFUSED, "Connection refused (os error 111)"), (NO_BUCKET, "The specified bucket does not exist"),
     ("", "no reason given")],
)  # fmt: skip
def test_what_a_store_draws_is_reported_in_a_line(drawn: str, reported: str) -> None:
    """As deltalake 1.6 raises it: of many lines, coloured, the cause last."""
    with pytest.raises(LakeError) as caught, lake_errors("s3://bucket/lake"):
        raise OSError(drawn)
    assert str(caught.value) == f"s3://bucket/lake: {reported}"


def test_errors_of_the_system_stay_what_they_are() -> None:
    """Their file and reason are reported by the verbs."""
    with pytest.raises(PermissionError), lake_errors("/lake"):
        raise PermissionError(13, "Permission denied", "/lake/x")
