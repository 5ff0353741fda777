"""Spare the garbage collector what a command imports: a tenth of a short command's time otherwise."""

from __future__ import annotations

import gc

__all__ = ["begin", "imported"]

# Objects between two collections while modules are imported: more than they are.
_MANY = 50_000
_before: tuple[int, int, int] | None = None


def begin() -> None:
    """Collect rarely until `imported` is called. For a process that runs one command."""
    global _before
    _before = gc.get_threshold()
    gc.set_threshold(_MANY)


def imported() -> None:
    """Exempt what there is from collection, the one at the end included; nothing happens without `begin`."""
    global _before
    if _before is not None:
        gc.freeze()
        gc.set_threshold(*_before)
        _before = None
