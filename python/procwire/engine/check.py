"""Checks that SQL from users is one statement that only reads, by inspecting the tree from DuckDB's parser."""

from __future__ import annotations

import atexit
import json
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from procwire.engine.failures import sql_errors
from procwire.engine.functions import PREDICATE_FUNCTIONS, REFUSED_FUNCTIONS, REFUSED_TYPES, TABLE_FUNCTIONS
from procwire.errors import UsageError

if TYPE_CHECKING:
    import duckdb

__all__ = ["MOST_BYTES", "one_predicate", "one_query"]

_ALLOWED = "a query such as SELECT, FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES, or EXPLAIN of one"
MOST_BYTES = 1 << 20
"""The greatest length of a statement, in bytes of UTF-8."""
# Depth of nested brackets. DuckDB takes 8 KB of memory for each, and crashes at a hundred thousand.
_DEEPEST = 1_000
_QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_SPACE = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_OPTION = r"(?:analyze|format\s+\w+)"
_EXPLAIN = re.compile(rf"explain\b\s*(?P<how>analyze\b|\(\s*{_OPTION}(?:\s*,\s*{_OPTION})*\s*\))?", re.IGNORECASE)
_LOCK = threading.Lock()


def one_query(sql: str) -> str:
    """Return a query that is safe to run: one statement, which reads only registered tables.

    It must be a SELECT in any of DuckDB's forms, or EXPLAIN of one, and call only safe functions.

    Raises UsageError for everything else, and for SQL that cannot be parsed.
    """
    _measure(sql)
    prefix, query = _explained(sql)
    kinds = _kinds(query)
    if len(kinds) != 1:
        raise UsageError(f"SQL: found {len(kinds)} statements, expected one query")
    if kinds[0] == "MULTI":
        raise UsageError("SQL: found PIVOT without its values, expected PIVOT ... ON column IN (value, ...)")
    if kinds[0] != "SELECT":
        raise UsageError(f"SQL: found {kinds[0]}, expected {_ALLOWED}")
    _look_through(_tree(query))
    return prefix + query


def one_predicate(sql: str) -> str:
    """Return a predicate that is safe to run: one expression over the columns, without subqueries.

    Raises UsageError for everything else, and for SQL that cannot be parsed.
    """
    _measure(sql)
    # In a list, because text that closes these brackets does not also close parentheses.
    query = f"SELECT [\n{sql}\n]"
    kinds = _kinds(query)
    node = _tree(query) if kinds == ["SELECT"] else {}
    if not _is_one_expression(node):
        raise UsageError(f"SQL: found {sql!r}, expected one expression such as dst_port = 443")
    _look_through(node, is_predicate=True)
    return sql


def _measure(sql: str) -> None:
    """Raise UsageError for SQL that the parser itself does not survive."""
    if "\0" in sql:
        raise UsageError("SQL: found a NUL character, expected text")
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise UsageError("SQL: found bytes that are not UTF-8, expected text") from error
    if size > MOST_BYTES:
        raise UsageError(f"SQL: found {size:,} bytes, expected {MOST_BYTES:,} at most")
    depth = deepest = 0
    for bracket in re.findall(r"[()\[\]{}]", sql):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise UsageError(f"SQL: found {deepest:,} brackets in one another, expected {_DEEPEST:,} at most")


def _explained(sql: str) -> tuple[str, str]:
    """Return EXPLAIN with its options, and the query; without EXPLAIN, an empty text and all of the SQL.

    The caller joins both again to run them: so the query that was checked is the one that is explained.
    """
    start = _SPACE.match(sql)
    match = _EXPLAIN.match(sql, start.end() if start else 0)
    if match is None:
        return "", sql
    return f"EXPLAIN {match['how'] or ''}\n", sql[match.end() :]


def _kinds(sql: str) -> list[str]:
    try:
        with sql_errors(), _LOCK:
            return [statement.type.name for statement in _parser().extract_statements(sql)]
    except (RuntimeError, ValueError) as error:
        # DuckDB's Python API has no name for some kinds of statement, and none of these is a query.
        raise UsageError(f"SQL: found a statement of another kind, expected {_ALLOWED}") from error


def _tree(sql: str) -> dict[str, Any]:
    """Return DuckDB's tree of one SELECT."""
    with sql_errors(), _LOCK:
        [text] = _parser().execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0]
        found = json.loads(text)
    if found["error"]:
        raise UsageError(f"SQL: {found['error_message']}")
    node: dict[str, Any] = found["statements"][0]["node"]
    return node


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    import duckdb

    # Close it while the interpreter still runs: DuckDB prints errors for connections that outlive it.
    atexit.register(_parser.cache_clear)
    return duckdb.connect(config={"threads": "1", "autoload_known_extensions": "false"})


def _is_one_expression(node: dict[str, Any]) -> bool:
    expressions = node.get("select_list", [])
    if len(expressions) != 1 or node["from_table"]["type"] != "EMPTY" or node["modifiers"]:
        return False
    [only] = expressions
    items = only.get("children") or [argument["expression"] for argument in only.get("arguments", [])]
    is_list = only["type"] in ("ARRAY_CONSTRUCTOR", "OPERATOR_ARRAY_CONSTRUCTOR") or (
        only.get("function_name") == "list_value"
    )
    return is_list and len(items) == 1 and not only["alias"]


def _look_through(tree: Any, *, is_predicate: bool = False) -> None:
    for part in _parts(tree):
        kind, group = part.get("type"), part.get("class")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUERY_NODES:
            # DuckDB allows INSERT, COPY and others within WITH.
            raise UsageError(f"SQL: found {kind.split('_')[0]} in a query, expected {_ALLOWED}")
        if kind == "TABLE_FUNCTION" and _function(part["function"]) not in TABLE_FUNCTIONS:
            raise UsageError(f"SQL: found {_function(part['function'])}(...) as a table, expected a table or a view")
        if "function_name" in part:
            _check_function(_function(part), is_predicate=is_predicate)
        if group == "TYPE" and (reason := REFUSED_TYPES.get(str(part.get("type_name")).casefold())):
            raise UsageError(f"SQL: found type {part['type_name']}, expected another: {reason}")
        if is_predicate and group in ("SUBQUERY", "WINDOW", "PARAMETER"):
            raise UsageError(f"SQL: found a {group.lower()} in a predicate, expected an expression over the columns")


def _function(part: dict[str, Any]) -> str:
    return str(part["function_name"]).casefold()


def _check_function(name: str, *, is_predicate: bool) -> None:
    if name in REFUSED_FUNCTIONS:
        raise UsageError(f"SQL: found {name}(...), which {REFUSED_FUNCTIONS[name]}; expected another function")
    if name.startswith("__internal"):
        raise UsageError(f"SQL: found {name}(...), which is internal to DuckDB; expected another function")
    # Operators have names that are not identifiers.
    if is_predicate and name[:1].isidentifier() and name not in PREDICATE_FUNCTIONS:
        raise UsageError(
            f"SQL: found {name}(...) in a predicate, expected a function of text, numbers or times; "
            "`procwire sql` allows more"
        )


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a tree; without recursion, because it may be deep."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part
