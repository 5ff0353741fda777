"""Many tests of a text at once answer as each would alone."""

from __future__ import annotations

from itertools import product

from procwire.matching.folding import fold
from procwire.matching.text_index import TextIndex
from procwire.matching.text_tests import AllOf, TextKind, TextTest, compare

KINDS: tuple[TextKind, ...] = (
    "equals", "starts with", "ends with", "contains", "base name", "less than", "more than",
)  # fmt: skip
TEXTS = ("", "a", "A", "ab", "b\\a", "\\", "a\\", "x\\AB", "abab", "Ä", "ä", "ß", "İ", "i", "443")


def test_each_test_answers_as_it_would_alone() -> None:
    """Whatever the others are, with regard to case and without."""
    tests = [TextTest(kind, operand) for kind, operand in product(KINDS, TEXTS)]
    for cased in (False, True):
        index = TextIndex([(test, number) for number, test in enumerate(tests)], cased=cased)
        for text in TEXTS:
            expected = {
                number
                for number, (kind, operand) in enumerate(tests)
                if (compare(kind, text, operand) if cased else compare(kind, fold(text), fold(operand)))
            }
            assert index(text) == expected, (text, cased)


def test_comparisons_that_must_all_hold() -> None:
    both = AllOf((TextTest("contains", "A"), TextTest("ends with", "b")))
    assert [TextIndex([(both, 7)])(text) for text in ("ab", "AxB", "a", "b", "ba")] == [{7}, {7}, set(), set(), set()]
    assert [TextIndex([(both, 7)], cased=True)(text) for text in ("Ab", "ab")] == [{7}, set()]


def test_tests_of_one_number_are_alternatives() -> None:
    index = TextIndex([(TextTest("equals", "a"), 1), (TextTest("contains", "b"), 1), (TextTest("equals", "b"), 2)])
    assert [index(text) for text in ("a", "xb", "b", "c")] == [{1}, {1}, {1, 2}, set()]


def test_predicates_get_the_text_as_it_is_compared() -> None:
    assert TextIndex([(str.islower, 1)])("A") == {1}
    assert TextIndex([(str.islower, 1)], cased=True)("A") == set()
