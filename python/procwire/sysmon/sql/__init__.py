"""Compile a configuration to one SQL expression over the event table.

::

    nullif(coalesce(
      CASE WHEN <matches> THEN '' END,                  an exclude element
      CASE WHEN <matches> THEN 'name' ... END,          an include element
      ''                                                the default
    ), '')

Elements stand in the order in which Sysmon asks them; each gives null where it does not match, `''` where it drops the
event, and the rule's name where it logs it. `sysmon.evaluate` is the reference that tests hold this to.
"""

from __future__ import annotations

from procwire.sysmon.sql.compiler import compile_sql

__all__ = ["compile_sql"]
