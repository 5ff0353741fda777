"""Hunts: queries that are useful in every network, each an SQL file with a description.

The SQL is DuckDB's, limited to what other engines have, too; it reads the view `connections` (`procwire.query.views`)
and uses the functions on addresses such as `is_private` (`procwire.query.functions`).
"""

from __future__ import annotations

from procwire.hunts.header import Column, Parameter
from procwire.hunts.hunt import Hunt, find, load
from procwire.hunts.prepare import PreparedHunt, in_columns, prepare, with_base_names

__all__ = ["Column", "Hunt", "Parameter", "PreparedHunt", "find", "in_columns", "load", "prepare", "with_base_names"]
