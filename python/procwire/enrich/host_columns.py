"""Fill the names of hosts in a batch: which addresses to look up, as what, and where the answers go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.enrich.addresses import LOOPBACK, Named, can_be_own
from procwire.enrich.columns import Distinct, column, replaced

__all__ = ["filled"]

Found = Callable[[Sequence[str | None], Callable[[int], object]], list[Named]]


def filled(batch: pa.RecordBatch, namespace: int | None, found: Found) -> pa.RecordBatch:
    """Return the batch with names and their origins; namespace, found: those of `HostNames`."""
    initiated = _initiated_elsewhere(batch, namespace)
    batch = _side(batch, "src", initiated, found)
    return _side(batch, "dst", None if initiated is None else pc.invert(initiated), found)


def _initiated_elsewhere(batch: pa.RecordBatch, namespace: int | None) -> pa.Array | None:
    """Return, for rows of other network namespaces, such as containers', whether the process is the source.

    Null for other rows; None without such rows. Addresses there cannot be listed from here, but which end is the
    process's is known. In the recorder's namespace the addresses themselves are the better evidence: a transparent
    proxy has ends with others' addresses.
    """
    if namespace is None:
        return None
    elsewhere = pc.not_equal(column(batch, "network_namespace_id"), pa.scalar(namespace, pa.int64()))
    if not elsewhere.true_count:
        return None
    no_flag = pa.scalar(None, pa.bool_())
    # For UDP of unknown direction the source is the local end.
    known = pc.coalesce(
        column(batch, "network_connection_initiated"),
        pc.if_else(pc.equal(column(batch, "network_protocol"), "udp"), True, no_flag),
    )
    return pc.if_else(elsewhere, known, no_flag)


def _side(batch: pa.RecordBatch, side: str, own_end: pa.Array | None, found: Found) -> pa.RecordBatch:
    addresses = column(batch, f"{side}_ip")
    given = column(batch, f"{side}_host_name")
    unnamed = (
        addresses
        if given.null_count == len(given)
        else pc.if_else(pc.is_null(given), addresses, pa.scalar(None, pa.string()))
    )
    asked = unnamed
    if own_end is not None:
        own = pc.fill_null(pc.and_(own_end, _can_be_own(unnamed)), False)
        asked = pc.if_else(own, LOOPBACK, unnamed)
    names, origins = _names(asked, column(batch, "user_id"), found)
    if unnamed is not addresses:
        names = pc.coalesce(given, names)
        origins = pc.coalesce(column(batch, f"{side}_host_name_origin"), origins)
    batch = replaced(batch, f"{side}_host_name", names)
    return replaced(batch, f"{side}_host_name_origin", origins)


def _names(addresses: pa.Array, users: pa.Array, found: Found) -> tuple[pa.Array, pa.Array]:
    """Return the names of the addresses, and their origins; they are looked up for the users."""
    distinct = Distinct(addresses)
    named = found(cast("list[str | None]", distinct.values), distinct.first_rows(users))
    names, origins = [name for name, _ in named], [origin for _, origin in named]
    return distinct.spread(names, pa.string()), distinct.spread(origins, pa.string())


def _can_be_own(addresses: pa.Array) -> pa.Array:
    # A received broadcast has this machine's end as its destination, but is no machine's name.
    distinct = Distinct(addresses)
    values = cast("list[str | None]", distinct.values)
    return distinct.spread([value is not None and can_be_own(value) for value in values], pa.bool_())
