"""Files that are written: found without following other people's links, made under new names, whole or not there."""

from __future__ import annotations

from procwire.files.identity import is_among
from procwire.files.place import Place, find, trusted_folder
from procwire.files.whole import PART, WholeFile, remove_stale_parts, taken

__all__ = ["PART", "Place", "WholeFile", "find", "is_among", "remove_stale_parts", "taken", "trusted_folder"]
