"""Find all mistakes of a rule that does not run, not only the first: of its fields, modifiers, values and condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetectionItem

from procwire.sigma.loading.expressions import POLICY
from procwire.sigma.loading.values import Doubts, keyword, test_of
from procwire.sigma.model.fields import OTHER_EVENTS_FIELDS, column_of
from procwire.sigma.problems import Unusable
from procwire.words import nearest, shown

__all__ = ["BROKEN", "misspelt_keys", "mistakes_of", "only_of_others", "unused"]

BROKEN = (SigmaError, Unusable, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What is raised for documents of a wrong make: pySigma raises more than its own errors."""

_MOST = 20
_WORD = re.compile(r"[\w.*?-]+")
_OPERATORS = ("and", "or", "not", "of", "all", "any", "1")
_OTHER_MODIFIERS = {"ge": "gte", "le": "lte", "regex": "re", "regexp": "re", "begins": "startswith",
                    "beginswith": "startswith", "ends": "endswith", "in": "no modifier, and a list of values",
                    "equals": "no modifier", "ne": "neq", "not": "neq", "ci": "no modifier",
                    "like": "contains"}  # fmt: skip


def misspelt_keys(content: Mapping[str, Any]) -> list[str]:
    """Return what is said of keys that seem to be meant as the log source or the detection, which are not there."""
    found = []
    for key in ("logsource", "detection"):
        near = [] if key in content else [other for other in content if nearest(str(other), [key])]
        found += [f"found key {shown(other)}; did you mean {key}?" for other in near]
    return found


def only_of_others(detection: Any) -> bool:
    """Return whether the unknown fields of a detection are those of Sysmon's other events."""
    unknown = [field for field in _fields(detection) if not _is_known(field)]
    return bool(unknown) and all(field in OTHER_EVENTS_FIELDS for field in unknown)


def _fields(detection: Any) -> Iterator[str]:
    if isinstance(detection, list):
        for one in detection:
            yield from _fields(one)
    elif isinstance(detection, Mapping):
        for key, value in detection.items():
            if isinstance(value, Mapping) or (
                isinstance(value, list) and any(isinstance(one, Mapping) for one in value)
            ):
                yield from _fields(value)
            elif key not in ("condition", "timeframe", "rules"):
                yield str(key).partition("|")[0]


def _is_known(field: str) -> bool:
    try:
        return not field or bool(column_of(field))
    except Unusable:
        return False


def mistakes_of(detection: Any, content: Mapping[str, Any]) -> list[str]:
    """Return what is wrong in a detection, each mistake once, in its order; what is only about one value with its key.

    content: the document that it is from. The detection is one that does not become a rule; an empty list says that
    each part of it by itself would.
    """
    if not isinstance(detection, Mapping):
        found = "no detection" if detection is None else f"a detection that is {_kind(detection)}"
        return [f"found {found}, expected selections and a condition"]
    selections = {name: body for name, body in detection.items() if name not in ("condition", "timeframe", "rules")}
    if not selections:
        return ["found a detection without a selection, expected one, such as selection: {DestinationPort: 443}"]
    mistakes = [mistake for name, body in selections.items() for mistake in _of_selection(name, body)]
    mistakes += _of_condition(detection.get("condition"), list(map(str, selections)))
    if "condition" in content and "condition" not in detection:
        mistakes = [one for one in mistakes if not one.startswith("found no condition")]
        mistakes.append("found the condition beside the detection, expected it in the detection")
    unique = list(dict.fromkeys(" ".join(one.split()) for one in mistakes))
    return unique if len(unique) <= _MOST else [*unique[:_MOST], f"and {len(unique) - _MOST:,} more"]


def unused(detection: Mapping[str, Any]) -> list[str]:
    """Return the selections that no condition refers to."""
    conditions = detection.get("condition")
    words = {word for one in (conditions if isinstance(conditions, list) else [conditions])
             for word in _WORD.findall(str(one))}  # fmt: skip
    if "them" in words:
        return []
    patterns = [re.compile(re.escape(word).replace(r"\*", ".*")) for word in words]
    names = [str(name) for name in detection if name not in ("condition", "timeframe")]
    return [name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)]


def _of_selection(name: object, body: Any) -> Iterator[str]:
    if body is None:
        yield f"found selection {name} without anything in it"
    elif isinstance(body, Mapping):
        if not body:
            yield f"found selection {name} without anything in it"
        for key, value in body.items():
            yield from _of_item(key, value)
    elif isinstance(body, list):
        if not body:
            yield f"found selection {name} without anything in it"
        for one in body:
            if isinstance(one, Mapping):
                yield from _of_selection(name, one)
            elif isinstance(one, list):
                yield f"found a list in a list in selection {name}, expected values, or fields with values"
            else:
                yield from _of_item("", one)
    else:
        yield from _of_item("", body)


def _of_item(key: object, value: Any) -> Iterator[str]:
    if not isinstance(key, str):
        yield f"found the field {shown(key)}, expected a name"
        return
    field, *modifiers = key.split("|")
    unknown = [one for one in modifiers if one not in modifier_mapping]
    for one in unknown:
        yield f"found modifier {one} in {key}{_hint_modifier(one)}"
    if field:
        try:
            column_of(field)
        except Unusable as error:
            space = field.strip() != field and _is_known(field.strip())
            yield f"found white space around field {shown(field)}; write it without" if space else str(error)
            return
    values = value if isinstance(value, list) else [value]
    wrong = [one for one in values if not isinstance(one, str | int | float | bool | None)]
    for one in wrong:
        yield f"found {_kind(one)} for {key}, expected a text or a number{_hint_kind(one)}"
    if unknown or wrong:
        return
    for one in values:
        try:
            item = SigmaDetectionItem.from_mapping(key or None, one, None, POLICY)
            for parsed in item.value:
                yield from _of_value(field, parsed)
        except BROKEN as error:
            yield _of_error(key, error)


def _of_value(field: str, value: Any) -> Iterator[str]:
    try:
        if field:
            test_of(field, value, Doubts())
        else:
            keyword(value)
    except Unusable as error:
        yield str(error)


def _of_error(key: str, error: BaseException) -> str:
    text = " ".join(str(error).split())
    incompatible = re.fullmatch(r"Modifier Sigma(\w+?)Modifier incompatible to value type of '(.*)'", text)
    if incompatible:
        return f"found {shown(incompatible[2])} for {key}, which that modifier does not take"
    return text if isinstance(error, SigmaError | Unusable) and text else f"found {key or 'a value'} that is no test"


def _of_condition(condition: Any, names: list[str]) -> Iterator[str]:
    if condition is None or condition == "" or condition == []:
        near = [name for name in names if nearest(name, ["condition"])]
        hint = f"; did you mean it by {near[0]!r}?" if near else ", expected one such as selection"
        yield f"found no condition{hint}"
        return
    for one in condition if isinstance(condition, list) else [condition]:
        yield from _of_one_condition(one, names)


def _of_one_condition(condition: Any, names: list[str]) -> Iterator[str]:
    if not isinstance(condition, str):
        yield f"found the condition {shown(condition)}, expected a text, such as selection and not filter"
        return
    counted_of = re.search(r"\b(\d+) +of\b", condition)
    if counted_of and counted_of[1] != "1":
        yield f"found {counted_of[0]!r} in the condition, expected 1 of, any of or all of"
        return
    missing = [] if "|" in condition else [
        word for word in dict.fromkeys(_WORD.findall(condition))
        if word.lower() not in (*_OPERATORS, "them") and "*" not in word and word not in names
    ]  # fmt: skip
    for word in missing:
        near = nearest(word, names, 0.6)
        hint = f"; did you mean {near!r}?" if near else f", expected one of {', '.join(names[:10])}"
        yield f"found {word} in the condition, which is no selection{hint}"
    if missing:
        return
    stand_in = {name: {"Image": "x"} for name in names}
    try:
        rule = SigmaRule.from_dict({
            "title": "x", "logsource": {"category": "network_connection"},
            "detection": {**stand_in, "condition": condition},
        }, policy=POLICY)  # fmt: skip
        for parsed in rule.detection.parsed_condition:
            parsed.parsed  # noqa: B018 - parses
    except BROKEN as error:
        yield _of_syntax(condition, " ".join(str(error).split()))


def _of_syntax(condition: str, text: str) -> str:
    place = re.search(r"\(at char (\d+)\)", text)
    if place is None:
        return text or "found a condition that cannot be read"
    rest = condition[int(place[1]) :].split()
    where = f"before {shown(rest[0])}" if rest else "at its end"
    upper = [word for word in _WORD.findall(condition) if word not in _OPERATORS and word.lower() in _OPERATORS]
    hint = f"; write {upper[0].lower()}, in lower case" if upper else ""
    return f"found a condition that goes wrong {where}, expected names with and, or, not, 1 of, all of{hint}"


def _hint_modifier(found: str) -> str:
    if not found:
        return ", which has no name"
    near = _OTHER_MODIFIERS.get(found.lower()) or nearest(found, modifier_mapping, 0.6)
    return f"; did you mean {near}?" if near else f", expected one of {', '.join(sorted(modifier_mapping))}"


def _hint_kind(value: object) -> str:
    return "; write it in quotes" if hasattr(value, "isoformat") else ""


def _kind(value: object) -> str:
    kinds: Mapping[type, str] = {list: "a list", dict: "a mapping", str: "a text", bytes: "bytes"}
    return kinds.get(type(value), shown(value))
