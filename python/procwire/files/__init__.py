"""Safe output files: found without following other users' links, created under new names, complete or absent."""

from __future__ import annotations

from procwire.files.identity import is_among
from procwire.files.output import OutputFile
from procwire.files.place import RECORDING_MODE, Place, check_links, find, make_folder, trusted_folder
from procwire.files.whole import PART, WholeFile, remove_stale_parts, taken

__all__ = [
    "PART",
    "RECORDING_MODE",
    "OutputFile",
    "Place",
    "WholeFile",
    "check_links",
    "find",
    "is_among",
    "make_folder",
    "remove_stale_parts",
    "taken",
    "trusted_folder",
]
