"""Compile a configuration to one SQL expression over the event table.

::

    nullif(coalesce(
      CASE WHEN <matches> THEN '' END,                  an exclude element
      CASE WHEN <matches> THEN 'name' ... END,          an include element
      ''                                                the default
    ), '')

Elements are in Sysmon's order of evaluation; each is null if it does not match, `''` if it drops the event, and the
rule's name if it logs the event. Tests compare this with `sysmon.evaluate`, the reference.
"""

from __future__ import annotations

from procwire.sysmon.sql.compiler import compile_sql

__all__ = ["compile_sql"]
