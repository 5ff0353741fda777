"""A configuration as one SQL expression over the event table.

::

    nullif(coalesce(
      CASE WHEN <matches> THEN '' END,                  an exclude element
      CASE WHEN <matches> THEN 'name' ... END,          an include element
      ''                                                the default
    ), '')

Elements stand in the order in which Sysmon asks them; each gives null where it does not match, `''` where it drops the
event, and the rule's name where it logs it. `rules.evaluate` is the reference that tests hold this to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from procwire.engine import literal
from procwire.rules.conditions import condition_sql
from procwire.rules.evaluate import NO_NAME
from procwire.rules.forms import COLUMNS, TYPED, text_sql
from procwire.rules.model import Configuration, Element, Filter, Operand, Rule

__all__ = ["compile_sql"]

_DROP = "''"


def compile_sql(configuration: Configuration, *, strict: bool = False) -> str:
    """The expression, over the standard column names: null where the event is not logged, `-` where it is logged
    without a name, else the rule's name.

    strict: with Sysmon's bug of stale names, see `evaluate.decide`.
    """
    if not configuration.network_connect:
        return "CAST(NULL AS VARCHAR)"
    compiler = _Compiler(configuration, strict)
    parts = [part for element in configuration.evaluation_order if (part := compiler.element(element))]
    default = literal(NO_NAME) if configuration.logs_by_default else _DROP
    listed = ",\n".join(_indented(part) for part in [*parts, f"/* nothing matches */ {default}"])
    return f"nullif(coalesce(\n{listed}\n), '')"


@dataclass(frozen=True, slots=True)
class _Name:
    """An SQL expression for a rule's name."""

    sql: str
    certain: bool
    """Whether it is never null."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Filters of one field that follow one another in an AND element, under one name."""

    filters: tuple[Filter, ...]

    @property
    def field(self) -> str:
        return self.filters[0].field


class _Compiler:
    def __init__(self, configuration: Configuration, strict: bool) -> None:
        self._texts = {name: text_sql(name, dns_lookup=configuration.dns_lookup) for name in COLUMNS}
        self._strict = strict
        self._stale: list[_Name] = []
        """Names that elements asked before may have left behind; the last comes first."""

    def element(self, element: Element) -> str:
        """Null where the element does not match; empty for one that never does."""
        if not element.operands:
            return ""
        branches = list(self._or_branches(element) if element.relation == "or" else self._and_branches(element))
        if self._strict:
            self._stale = [*self._left_behind(element), *self._stale]
        return _case(f"/* {element.onmatch}, line {element.place.line} */", branches)

    # What matches

    def _test(self, filter_: Filter) -> str:
        return condition_sql(filter_.condition, filter_.value, self._texts[filter_.field])

    def _tests(self, filters: Iterable[Filter]) -> list[str]:
        return [self._test(filter_) for filter_ in filters]

    def _matches(self, operand: Operand) -> str:
        """True where the operand matches; else false, or null."""
        if isinstance(operand, Filter):
            return self._test(operand)
        if operand.relation == "and":
            return _joined("AND", self._tests(operand.filters))
        # A field without a text ends a Rule: what stands behind it is not asked any more.
        known: set[str] = set()
        alternatives: list[str] = []
        for filter_ in operand.filters:
            guards = [f"{COLUMNS[name].name} IS NOT NULL" for name in sorted(known - {filter_.field})]
            alternatives.append(_joined("AND", [*guards, self._test(filter_)]))
            known |= {filter_.field} & TYPED
        return _joined("OR", alternatives)

    def _or_branches(self, element: Element) -> Iterator[tuple[str, str]]:
        known: set[str] = set()
        left_behind: list[_Name] = []
        for operand in element.operands:
            if element.onmatch == "exclude":
                then = _DROP
            else:
                then = _either([*self._names(operand), *left_behind, *self._stale])
            yield self._matches(operand), then
            for failure in self._failures(operand, known):
                yield failure, "NULL"
            if self._strict:
                left_behind = [*self._left_by_rule(operand), *left_behind]

    def _failures(self, operand: Operand, known: set[str]) -> Iterator[str]:
        """When an operand that does not match asks for a field without a text, which ends its element.

        known: fields that have one, or the element would have ended before; what is certain now is added.
        """
        before: list[str] = []
        ordered = isinstance(operand, Rule) and operand.relation == "and"
        for filter_ in operand.filters if isinstance(operand, Rule) else (operand,):
            if filter_.field in TYPED - known:
                yield _joined("AND", [*before, f"{COLUMNS[filter_.field].name} IS NULL"])
                if not before:
                    known.add(filter_.field)
            if ordered:
                before.append(self._test(filter_))

    def _and_branches(self, element: Element) -> Iterator[tuple[str, str]]:
        fields: dict[str, list[Filter]] = {}
        rules = []
        for operand in element.operands:
            if isinstance(operand, Rule):
                rules.append(self._matches(operand))
            else:
                fields.setdefault(operand.field, []).append(operand)
        # Within an AND element, filters of one field are alternatives.
        tests = [_joined("OR", self._tests(filters)) for filters in fields.values()]
        then = _DROP if element.onmatch == "exclude" else _either([*self._and_names(element), *self._stale])
        yield _joined("AND", tests + rules), then

    # The name

    def _names(self, operand: Operand) -> list[_Name]:
        """The name that an operand gives when it matches; none where it has none."""
        if isinstance(operand, Filter):
            return _named(operand.name)
        if operand.relation == "and":
            return _named(next((filter_.name for filter_ in reversed(operand.filters) if filter_.name), ""))
        names = {filter_.name for filter_ in operand.filters}
        if len(names) == 1:
            return _named(names.pop())
        branches = [
            (self._test(filter_), literal(filter_.name) if filter_.name else "NULL") for filter_ in operand.filters
        ]
        return [_Name(_case("", branches), certain=False)]

    def _and_names(self, element: Element) -> list[_Name]:
        """The names that an AND element that matches may give: the last filter that has matched and has a name."""
        candidates: list[_Name] = []
        earlier: dict[str, list[str]] = {}
        runs = list(_runs(element))
        alone = [sum(isinstance(other, _Run) and other.field == run.field for other in runs) == 1
                 for run in runs if isinstance(run, _Run)]  # fmt: skip
        alone.reverse()
        for run in runs:
            if isinstance(run, Rule):
                candidates = [*self._names(run), *candidates]
                continue
            sole = alone.pop()
            candidates = [
                *self._run_names(run, [], [] if sole else earlier.get(run.field, []), certain=sole),
                *candidates,
            ]
            earlier.setdefault(run.field, []).extend(self._tests(run.filters))
        return candidates

    def _run_names(self, run: _Run, reached: list[str], earlier: list[str], *, certain: bool) -> list[_Name]:
        """The name of a run that is reached and matches, where no earlier filter of its field has matched already."""
        name = run.filters[0].name
        if not name or certain:
            return _named(name)
        tests = [*reached, _joined("OR", self._tests(run.filters))]
        if earlier:
            tests.append(f"NOT coalesce({_joined('OR', earlier)}, false)")
        return [_Name(_case("", [(_joined("AND", tests), literal(name))]), certain=False)]

    # Names that stay behind where an element, or a Rule, does not match: Sysmon's bug

    def _left_behind(self, element: Element) -> list[_Name]:
        left = self._left_by_and(element) if element.relation == "and" else self._left_by_or(element)
        return [_Name(left, certain=False)] if left else []

    def _left_by_or(self, element: Element) -> str:
        known: set[str] = set()
        left: list[_Name] = []
        branches: list[tuple[str, str]] = []
        for operand in element.operands:
            left = [*self._left_by_rule(operand), *left]
            branches += [(failure, _either(left, "NULL")) for failure in self._failures(operand, known)]
        return _case("", branches, otherwise=_either(left, "NULL")) if left else ""

    def _left_by_rule(self, operand: Operand) -> list[_Name]:
        """The name that an AND Rule leaves behind that matches in part: its last filter before the one that fails."""
        if isinstance(operand, Filter) or operand.relation == "or":
            return []
        tests = self._tests(operand.filters)
        branches = [
            (_joined("AND", tests[: place + 1]), literal(filter_.name))
            for place, filter_ in enumerate(operand.filters)
            if filter_.name
        ]
        return [_Name(_case("", branches[::-1]), certain=False)] if branches else []

    def _left_by_and(self, element: Element) -> str:
        candidates: list[_Name] = []
        reached: list[str] = []
        earlier: dict[str, list[str]] = {}
        runs = list(_runs(element))
        for place, run in enumerate(runs):
            if isinstance(run, Rule):
                matches = self._matches(run)
                for condition, names in (matches, self._names(run)), ("TRUE", self._left_by_rule(run)):
                    for name in names:
                        candidates.insert(
                            0, _Name(_case("", [(_joined("AND", [*reached, condition]), name.sql)]), False)
                        )
                reached.append(matches)
                continue
            candidates = [*self._run_names(run, reached, earlier.get(run.field, []), certain=False), *candidates]
            earlier.setdefault(run.field, []).extend(self._tests(run.filters))
            if any(isinstance(later, _Run) and later.field == run.field for later in runs[place + 1 :]):
                reached = [*reached, *([f"{COLUMNS[run.field].name} IS NOT NULL"] if run.field in TYPED else [])]
            else:
                reached = [*reached, _joined("OR", earlier[run.field])]
        return _either(candidates, "") if candidates else ""


def _runs(element: Element) -> Iterator[_Run | Rule]:
    run: list[Filter] = []
    for operand in element.operands:
        follows = run and isinstance(operand, Filter) and (operand.field, operand.name) == (run[0].field, run[0].name)
        if run and not follows:
            yield _Run(tuple(run))
            run = []
        if isinstance(operand, Rule):
            yield operand
        else:
            run.append(operand)
    if run:
        yield _Run(tuple(run))


def _named(name: str) -> list[_Name]:
    return [_Name(literal(name), certain=True)] if name else []


def _either(candidates: Sequence[_Name], otherwise: str = "'-'") -> str:
    """The first that is not null."""
    kept = []
    for candidate in candidates:
        kept.append(candidate.sql)
        if candidate.certain:
            break
    else:
        kept += [otherwise] if otherwise else []
    return kept[0] if len(kept) == 1 else f"coalesce({', '.join(kept)})"


def _joined(operator: str, terms: Sequence[str]) -> str:
    """The terms combined, one to a line, in parentheses where they are several."""
    if len(terms) == 1:
        return terms[0]
    return f"({f'{chr(10)}  {operator} '.join(term.replace(chr(10), chr(10) + '  ') for term in terms)})"


def _case(comment: str, branches: Sequence[tuple[str, str]], otherwise: str = "") -> str:
    """`CASE WHEN ... THEN ... END`, with alternatives that have one outcome put together."""
    merged: list[tuple[list[str], str]] = []
    for when, then in branches:
        if merged and merged[-1][1] == then:
            merged[-1][0].append(when)
        else:
            merged.append(([when], then))
    while merged and merged[-1][1] == "NULL" and not otherwise:
        merged.pop()
    if not merged:
        return otherwise or "NULL"
    lines = [f"{comment} CASE".lstrip()]
    for whens, then in merged:
        lines.append(_indented(f"WHEN {_joined('OR', whens)}\nTHEN {then}"))
    return "\n".join([*lines, *([f"  ELSE {otherwise}"] if otherwise else []), "END"])


def _indented(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")
