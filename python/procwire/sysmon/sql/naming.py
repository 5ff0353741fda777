"""Express rules' names in SQL: of matching rules, and, to reproduce Sysmon's bug, of partly matching ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from procwire.engine import literal
from procwire.engine.layout import case, joined
from procwire.sysmon.forms import COLUMNS, TYPED
from procwire.sysmon.model import Element, Filter, Operand, Rule
from procwire.sysmon.sql.matching import Matching

__all__ = ["Name", "Naming", "either"]


@dataclass(frozen=True, slots=True)
class Name:
    """Hold an SQL expression for a rule's name."""

    sql: str
    certain: bool
    """Whether it is never null."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Hold consecutive filters of one field and one name in an AND element."""

    filters: tuple[Filter, ...]

    @property
    def field(self) -> str:
        return self.filters[0].field


class Naming:
    """Create lists of candidate names, of which the first that is not null counts, see `either`."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching

    def of(self, operand: Operand) -> list[Name]:
        """Return the name that an operand sets when it matches; an empty list if it has none."""
        if isinstance(operand, Filter):
            return _named(operand.name)
        if operand.relation == "and":
            return _named(next((filter_.name for filter_ in reversed(operand.filters) if filter_.name), ""))
        names = {filter_.name for filter_ in operand.filters}
        if len(names) == 1:
            return _named(names.pop())
        branches = [
            (self._matching.test(filter_), literal(filter_.name) if filter_.name else "NULL")
            for filter_ in operand.filters
        ]
        return [Name(case("", branches), certain=False)]

    def of_all(self, element: Element) -> list[Name]:
        """Return the names that a matching AND element may set: that of the last filter that matched and has one."""
        candidates: list[Name] = []
        earlier: dict[str, list[str]] = {}
        runs = list(_runs(element))
        fields = [run.field for run in runs if isinstance(run, _Run)]
        for run in runs:
            if isinstance(run, Rule):
                candidates = [*self.of(run), *candidates]
                continue
            # If a field has a single run, it has matched.
            sole = fields.count(run.field) == 1
            before = [] if sole else earlier.get(run.field, [])
            candidates = [*self._run_names(run, [], before, certain=sole), *candidates]
            earlier.setdefault(run.field, []).extend(self._matching.tests(run.filters))
        return candidates

    def _run_names(self, run: _Run, reached: list[str], earlier: list[str], *, certain: bool) -> list[Name]:
        """Return the name of a run that is reached and matches, if no earlier filter of its field has matched."""
        name = run.filters[0].name
        if not name or certain:
            return _named(name)
        tests = [*reached, joined("OR", self._matching.tests(run.filters))]
        if earlier:
            tests.append(f"NOT coalesce({joined('OR', earlier)}, false)")
        return [Name(self._matching.written(case("", [(joined("AND", tests), literal(name))])), certain=False)]

    # Names that stay behind where an element, or a Rule, does not match: Sysmon's bug

    def left_behind(self, element: Element) -> list[Name]:
        """Return the name that an element leaves behind that does not match."""
        left = self._left_by_and(element) if element.relation == "and" else self._left_by_or(element)
        return [Name(left, certain=False)] if left else []

    def _left_by_or(self, element: Element) -> str:
        known: set[str] = set()
        left: list[Name] = []
        branches: list[tuple[str, str]] = []
        for operand in element.operands:
            left = [*self.left_by_rule(operand), *left]
            branches += [
                (failure, self._matching.written(either(left, "NULL")))
                for failure in self._matching.failures(operand, known)
            ]
        return case("", branches, otherwise=either(left, "NULL")) if left else ""

    def left_by_rule(self, operand: Operand) -> list[Name]:
        """Return the name that a partly matching AND Rule leaves behind: its last filter before the one that fails."""
        if isinstance(operand, Filter) or operand.relation == "or":
            return []
        tests = self._matching.tests(operand.filters)
        branches = [
            (self._matching.written(joined("AND", tests[: place + 1])), literal(filter_.name))
            for place, filter_ in enumerate(operand.filters)
            if filter_.name
        ]
        return [Name(case("", branches[::-1]), certain=False)] if branches else []

    def _left_by_and(self, element: Element) -> str:
        candidates: list[Name] = []
        reached: list[str] = []
        earlier: dict[str, list[str]] = {}
        runs = list(_runs(element))
        for place, run in enumerate(runs):
            if isinstance(run, Rule):
                matches = self._matching.operand(run)
                for condition, names in (matches, self.of(run)), ("TRUE", self.left_by_rule(run)):
                    for name in names:
                        named = case("", [(joined("AND", [*reached, condition]), name.sql)])
                        candidates.insert(0, Name(self._matching.written(named), certain=False))
                reached.append(matches)
                continue
            candidates = [*self._run_names(run, reached, earlier.get(run.field, []), certain=False), *candidates]
            earlier.setdefault(run.field, []).extend(self._matching.tests(run.filters))
            if any(isinstance(later, _Run) and later.field == run.field for later in runs[place + 1 :]):
                reached = [*reached, *([f"{COLUMNS[run.field].name} IS NOT NULL"] if run.field in TYPED else [])]
            else:
                reached = [*reached, joined("OR", earlier[run.field])]
        return either(candidates, "") if candidates else ""


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


def _named(name: str) -> list[Name]:
    return [Name(literal(name), certain=True)] if name else []


def either(candidates: Sequence[Name], otherwise: str = "'-'") -> str:
    """Return SQL for the first candidate that is not null, else `otherwise`."""
    kept = []
    for candidate in candidates:
        kept.append(candidate.sql)
        if candidate.certain:
            break
    else:
        kept += [otherwise] if otherwise else []
    return kept[0] if len(kept) == 1 else f"coalesce({', '.join(kept)})"
