"""The optional packages, and the extra of procwire that installs each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from procwire.errors import UsageError

__all__ = ["named_extras"]

_EXTRAS = {
    "duckdb": "sql",
    "fsspec": "sql",
    "pytz": "sql",
    "blake3": "lake",
    "deltalake": "lake",
    "re2": "sigma",
    "sigma": "sigma",
    "yaml": "sigma",
    "py4j": "spark",
    "pyspark": "spark",
    "sqlglot": "spark",
}
"""The extra by name of the module, which is not always that of the package."""


@contextmanager
def named_extras() -> Iterator[None]:
    """Name the extra to install if one of its packages is missing.

    Raises UsageError in place of the block's ModuleNotFoundError if an extra installs that module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _EXTRAS:
            raise
        extra = _EXTRAS[module]
        raise UsageError(
            f"this needs the Python package {module}, which is not installed: pip install 'procwire[{extra}]'"
        ) from error
