"""Materialization: a CTE that is used several times is computed once, as by DuckDB; Spark would compute it per use.

Spark materializes only what it must not compute twice: results that differ each time. So a column of random numbers,
and a condition on it that always holds, are added; no other condition is pushed below them.
"""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

__all__ = ["compute_once"]

_COSTLY = (exp.Group, exp.Window, exp.Distinct, exp.AggFunc, exp.Lambda)


def compute_once(tree: exp.Expr) -> None:
    """Mark CTEs that are used several times and cost more than reading rows, and CTEs that use list lambdas.

    Spark would inline list lambdas at each reference to their column, nesting the copies.
    """
    for table in tree.find_all(exp.CTE):
        # DuckDB's keyword, which Spark does not have.
        table.set("materialized", None)
    clause = tree.args.get("with_")
    if not isinstance(clause, exp.With) or clause.recursive:
        return
    uses = Counter(table.name for table in tree.find_all(exp.Table))
    costly: set[str] = set()
    for table in clause.expressions:
        used = {found.name for found in table.this.find_all(exp.Table)}
        if table.this.find(*_COSTLY) is None and not used & costly:
            continue
        if uses[table.alias] > 1 or table.this.find(exp.Lambda):
            table.set("this", _kept(table.this))
        else:
            costly.add(table.alias)


def _kept(query: exp.Expr) -> exp.Expr:
    once = exp.to_identifier("once")
    numbered = exp.select("*", exp.alias_(exp.Anonymous(this="rand", expressions=[]), once)).from_(
        exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("named")))
    )
    always = exp.GTE(this=exp.column(once), expression=exp.Literal.number(0))
    return (
        exp.select(exp.Star(except_=[once.copy()]))
        .from_(exp.Subquery(this=numbered, alias=exp.TableAlias(this=exp.to_identifier("numbered"))))
        .where(always)
    )
