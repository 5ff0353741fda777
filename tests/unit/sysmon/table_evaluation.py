"""Which element decides, and how its filters combine."""

from __future__ import annotations

from rule_cases import NO, UNNAMED, Case, Verdict, case

MATCH, MISS = "<Protocol>tcp</Protocol>", "<Protocol>udp</Protocol>"
P443, P80 = "<DestinationPort>443</DestinationPort>", "<DestinationPort>80</DestinationPort>"
NOT_443, NOT_80 = (
    f'<DestinationPort condition="is not">{port}</DestinationPort>' for port in (443, 80)
)  # fmt: skip
SVCHOST = '<Image condition="image">svchost.exe</Image>'
# Fields of which the event with this change has no text.
NO_PORT = {"SourcePort": None}
PORT, NOT_PORT = "<SourcePort>1</SourcePort>", '<SourcePort condition="is not">1</SourcePort>'


def group(relation: str, *inside: str) -> str:
    return f'<RuleGroup groupRelation="{relation}">{"".join(inside)}</RuleGroup>'


def include(relation: str, *operands: str) -> str:
    return group(relation, f"<include>{''.join(operands)}</include>")


def rule(relation: str, *filters: str) -> str:
    return f'<Rule groupRelation="{relation}">{"".join(filters)}</Rule>'


def default(schema: str, verdict: Verdict) -> Case:
    return case(
        f"schema {schema}: the relation without a group",
        f"<include>{MATCH}{P80}</include>",
        ({}, verdict),
        schema=schema,
    )


def both(title: str, snippet: str, verdict: Verdict) -> Case:
    return case(title, snippet, ({}, verdict))


DEFAULTS = (
    default("4.0", UNNAMED),
    default("4.00", UNNAMED),
    default("4.1", UNNAMED),
    default("4.10", UNNAMED),
    default("4.11", NO),
    default("4.2", NO),
    default("4.22", NO),
    default("4.9", NO),
    default("4.90", NO),
    default("5.0", NO),
    default("10", NO),
    case("4.1: a group without a relation is OR too", f"<RuleGroup><include>{MATCH}{P80}</include></RuleGroup>",
         ({}, UNNAMED), schema="4.1"),
    case("4.1: a given relation wins", include("and", MATCH, P80), ({}, NO), schema="4.1"),
    both("4.90: a group without a relation is AND", f"<RuleGroup><include>{MATCH}{P80}</include></RuleGroup>", NO),
    both("4.90: an empty relation is none", include("", MATCH, P80), NO),
    both("relation OR", include("OR", MATCH, P80), UNNAMED),
    both("relation Or", include("Or", MATCH, P80), UNNAMED),
    both("relation AND", include("AND", MATCH, P443), UNNAMED),
    case("a wrong relation is AND, read leniently", include("xor", MATCH, P80), ({}, NO), lenient=True, schema="4.1"),
    both("no element: other events' rules do not count", '<ProcessCreate onmatch="exclude"/>', NO),
    both("other events' elements are not counted", '<ProcessCreate onmatch="include"/><exclude/>', UNNAMED),
    both("one exclude that misses logs", f"<exclude>{MISS}</exclude>", UNNAMED),
    both("one exclude that matches drops", f"<exclude>{MATCH}</exclude>", NO),
    both("one include that misses drops", f"<include>{MISS}</include>", NO),
    both("two empty excludes drop all", "<exclude/><exclude/>", NO),
    both("two excludes that miss drop all", f"<exclude>{MISS}</exclude><exclude>{P80}</exclude>", NO),
    both("an empty include beside an exclude drops what the exclude would have left",
         f"<include/><exclude>{MISS}</exclude>", NO),
    both("an element without filters never matches, whatever its relation", include("and") + "<include/>", NO),
    both("the same with a Rule without fields", f"{include('and', rule('and'))}<include/>", NO),
    both("default=include is exclude", f'<NetworkConnect default="include">{MISS}</NetworkConnect>', UNNAMED),
    both("default=exclude is include", f'<NetworkConnect default="exclude">{MATCH}</NetworkConnect>', UNNAMED),
    both("default=Exclude, in any case", f'<NetworkConnect default="Exclude">{MISS}</NetworkConnect>', NO),
    both("onmatch=EXCLUDE, in any case", '<NetworkConnect onmatch="EXCLUDE"/>', UNNAMED),
)  # fmt: skip

ORDER = (
    both("an exclude before an include in the document", f"<exclude>{MATCH}</exclude><include>{MATCH}</include>", NO),
    both("an exclude after an include", f"<include>{MATCH}</include><exclude>{MATCH}</exclude>", NO),
    both("an exclude that misses leaves it to the include",
         f"<include>{MATCH}</include><exclude>{MISS}</exclude>", UNNAMED),
    both("any of two excludes", f"<include>{MATCH}</include><exclude>{MATCH}</exclude><exclude>{MISS}</exclude>", NO),
    both("any of two includes", f"<include>{MATCH}</include><include>{MISS}</include>", UNNAMED),
    both("two elements in one group",
         group("or", f"<include>{MISS}{MATCH}</include><exclude>{P80}</exclude>"), UNNAMED),
    both("two of one kind in one group",
         group("or", f"<include>{MISS}</include><include>{P80}{P443}</include>"), UNNAMED),
    both("several EventFiltering",
         f"<EventFiltering><include>{MATCH}</include></EventFiltering>"
         f"<EventFiltering><exclude>{P443}</exclude></EventFiltering>", NO),
    both("several EventFiltering, and neither matches",
         "<EventFiltering><exclude/></EventFiltering><EventFiltering><exclude/></EventFiltering>", NO),
    both("at any depth below EventFiltering",
         f"<Group><Set><include>{MATCH}</include></Set></Group>", UNNAMED),
    both("a group further up is not its group",
         f'<RuleGroup groupRelation="or" name="g"><Set><include>{MATCH}{P80}</include></Set></RuleGroup>', NO),
    both("RuleGroup in any case",
         f'<rulegroup groupRelation="or"><include>{MATCH}{P80}</include></rulegroup>', UNNAMED),
    both("Rule in any case", f"<include><RULE>{MISS}{MATCH}</RULE></include>", UNNAMED),
    both("networkconnect is nothing", f'<networkconnect onmatch="include">{MATCH}</networkconnect>', NO),
    both("outside of EventFiltering is nothing",
         f'<EventFiltering/><NetworkConnect onmatch="exclude">{MISS}</NetworkConnect>', NO),
)  # fmt: skip

RELATIONS = (
    both("OR: the second matches", include("or", MISS, P443), UNNAMED),
    both("OR: none matches", include("or", MISS, P80), NO),
    both("AND: all match", include("and", MATCH, P443, SVCHOST), UNNAMED),
    both("AND: the last misses", include("and", MATCH, P443, '<Image condition="image">x</Image>'), NO),
    both("AND: the first misses", include("and", MISS, P443), NO),
    both("AND, same field: the first of two matches", include("and", P443, P80), UNNAMED),
    both("AND, same field: the last of two matches", include("and", P80, P443), UNNAMED),
    both("AND, same field: none matches", include("and", P80, "<DestinationPort>81</DestinationPort>"), NO),
    both("AND, same field, another field between", include("and", P80, MATCH, P443), UNNAMED),
    both("AND, same field, another between that misses", include("and", P80, MISS, P443), NO),
    both("AND, same field, and another after that misses", include("and", P443, P80, MISS), NO),
    both("AND, two fields interleaved",
         include("and", P80, MISS, P443, MATCH), UNNAMED),
    both("AND, two fields interleaved, one never matches", include("and", P80, MISS, P443, MISS), NO),
    both("AND: a positive and a negative of one field are alternatives", include("and", P80, NOT_80), UNNAMED),
    both("AND: two negatives of one field match all", include("and", NOT_443, NOT_80), UNNAMED),
    both("AND: the same negative twice", include("and", NOT_443, NOT_443), NO),
    both("OR: two negatives of one field match all", include("or", NOT_443, NOT_80), UNNAMED),
    both("an exclude combines alike", group("and", f"<exclude>{MATCH}{P80}</exclude>"), UNNAMED),
    both("Rule AND: all match", include("or", rule("and", MATCH, P443)), UNNAMED),
    both("Rule AND: one misses", include("or", rule("and", MATCH, P80)), NO),
    both("Rule AND: one field's filters must all match", include("or", rule("and", P443, P80)), NO),
    both("Rule AND: a range of one field", include("or", rule(
        "and", '<DestinationPort condition="more than">44</DestinationPort>',
        '<DestinationPort condition="less than">45</DestinationPort>')), UNNAMED),
    both("Rule OR: one matches", include("and", rule("or", MISS, P443)), UNNAMED),
    both("Rule OR: none matches", include("and", rule("or", MISS, P80)), NO),
    both("Rule with an empty relation is OR", include("and", rule("", MISS, P443)), UNNAMED),
    both("Rule Or, in any case", include("and", rule("Or", MISS, P443)), UNNAMED),
    both("Rule And, in any case", include("or", rule("And", MISS, P443)), NO),
    both("a Rule is one operand of OR", include("or", rule("and", MISS, P443), P443), UNNAMED),
    both("a Rule is one operand of AND", include("and", rule("or", MISS, P443), P80), NO),
    both("a Rule that misses in AND ends it", include("and", MATCH, rule("and", MATCH, P80)), NO),
    both("AND of two Rules", include("and", rule("or", MISS, P443), rule("or", MATCH, P80)), UNNAMED),
    both("AND of two Rules, the second misses", include("and", rule("or", MATCH), rule("or", MISS)), NO),
    both("OR of two Rules, the second matches", include("or", rule("and", MISS), rule("and", MATCH)), UNNAMED),
    both("a field in a Rule is no alternative to the same outside", include("and", P80, rule("and", P443)), NO),
    both("nor one outside to the same in a Rule", include("and", rule("and", P80), P443), NO),
    both("one field outside, before and after a Rule, is", include("and", P80, rule("and", MATCH), P443), UNNAMED),
    both("a Rule without fields is no operand", include("and", rule("or"), MATCH), UNNAMED),
)  # fmt: skip


def missing(title: str, snippet: str, verdict: Verdict) -> Case:
    return case(f"no source port: {title}", snippet, (NO_PORT, verdict))


FAILURES = (
    missing("a filter on it does not match", include("or", PORT), NO),
    missing("nor does its negation", include("or", NOT_PORT), NO),
    missing("nor anything that matches the empty text",
            include("or", '<SourcePort condition="contains"></SourcePort>'), NO),
    missing("nor -", include("or", "<SourcePort>-</SourcePort>"), NO),
    missing("OR: what matched before it counts", include("or", MATCH, PORT), UNNAMED),
    missing("OR: what would match after it does not", include("or", PORT, MATCH), NO),
    missing("AND: not even with a negation", include("and", MATCH, NOT_PORT), NO),
    missing("AND: what missed before it is the reason", include("and", MISS, PORT), NO),
    missing("AND: same field, which misses and comes again after", include("and", MISS, NOT_PORT, MATCH), NO),
    missing("in a Rule it fails the whole element", include("or", rule("or", PORT), MATCH), NO),
    missing("in a Rule OR, after a match, it is not asked", include("or", rule("or", MATCH, PORT)), UNNAMED),
    missing("in a Rule AND, after a miss, it is not asked", include("or", rule("and", MISS, PORT), MATCH), UNNAMED),
    missing("in a Rule AND, after a match, it fails the element", include("or", rule("and", MATCH, PORT), MATCH), NO),
    missing("in a Rule AND that ended before it, and asked after",
            include("or", rule("and", MISS, PORT), PORT, MATCH), NO),
    missing("in a Rule AND that ended before it, and in the next Rule",
            include("or", rule("and", MISS, PORT), rule("or", NOT_PORT), MATCH), NO),
    missing("in a Rule OR, twice", include("or", rule("or", MISS, PORT, NOT_PORT, MATCH), MATCH), NO),
    missing("a Rule before it has matched", include("or", rule("and", MATCH), PORT), UNNAMED),
    missing("a Rule that fails in AND", include("and", MATCH, rule("or", NOT_PORT, MATCH)), NO),
    case("no port at either end, in a Rule OR: what comes after the first is not asked",
         include("or", rule("or", "<DestinationPort>1</DestinationPort>", PORT, MATCH)),
         ({"DestinationPort": None}, NO), (NO_PORT, NO), ({**NO_PORT, "DestinationPort": 1}, UNNAMED)),
    missing("another element still decides", include("or", PORT) + include("or", MATCH), UNNAMED),
    missing("an exclude that fails excludes nothing", include("or", MATCH) + f"<exclude>{NOT_PORT}</exclude>", UNNAMED),
    missing("a sole exclude that fails logs", f"<exclude>{NOT_PORT}</exclude>", UNNAMED),
    missing("two excludes, one fails", f"<exclude>{NOT_PORT}</exclude><exclude>{MISS}</exclude>", NO),
    *(
        case(f"no {field}: the element fails", f'<include><{field} condition="is not">x</{field}></include>',
             ({field: None}, NO), ({}, UNNAMED))
        for field in ("ProcessGuid", "ProcessId", "Initiated", "SourceIsIpv6", "DestinationIsIpv6", "DestinationPort")
    ),
)  # fmt: skip
