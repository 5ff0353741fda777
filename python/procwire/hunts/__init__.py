"""Hunts: questions worth asking of every network, each a file of SQL that says what it finds.

The SQL is DuckDB's, in what other engines have too; it reads the view `connections` and asks addresses with
`is_private` and its like (`procwire.query.views`).
"""

from __future__ import annotations

from procwire.hunts.header import Column, Parameter
from procwire.hunts.hunt import Hunt, find, load
from procwire.hunts.prepare import PreparedHunt, in_columns, prepare, with_base_names

__all__ = ["Column", "Hunt", "Parameter", "PreparedHunt", "find", "in_columns", "load", "prepare", "with_base_names"]
