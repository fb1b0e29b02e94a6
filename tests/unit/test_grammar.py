"""The written languages, fuzzed: what is said comes back from writing, JSON and the command line; what can't be read is an error with a caret, at once."""
from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ilk import constraints, region
from ilk.console._shared import mapping as _mapping
from ilk.constraints import Constraint, Depends, Each, Linear, Step, Sums, Unique, as_constraints, constraint_from_json, constraint_to_json
from ilk.errors import UsageError
from ilk.given import Avoid, Given, Keep, Label, Like, Prompt, Towards, Where, given_from_json, given_to_json
from ilk.grammar import given_of, written
from ilk.modalities.table import Table
from ilk.rules import Test, parse

CALM = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD = ("`", "'", '"', "``", " and ", "年龄", "a b", "->", "in", "not", "None", "sum", "unique", "{", "}", "(", ")", "\\", "\n", "\u202e", "é", "𝒳", "1e5", "==", ",")
NAMES = st.one_of(st.from_regex(r"[A-Za-z_]\w{0,5}", fullmatch=True), st.text(min_size=1, max_size=6), st.sampled_from(ODD))
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(ODD))
FINITE = st.one_of(st.integers(-10**12, 10**12), st.floats(-1e12, 1e12, allow_nan=False))
VALUES = st.one_of(FINITE, TEXTS, st.booleans(), st.none())
NUMBERS = st.one_of(FINITE, TEXTS, st.booleans())


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Comparisons joined by `and`, written by `Test`."""
    tests = []
    for _ in range(draw(st.integers(1, 3))):
        sign = draw(st.sampled_from(("==", "!=", "<", "<=", ">", ">=", "in", "not in")))
        ordered = VALUES if sign in ("==", "!=") else NUMBERS
        tests.append(Test(draw(NAMES), sign, tuple(draw(st.lists(VALUES, min_size=1, max_size=3))) if sign.endswith("in") else draw(ordered)))
    return " and ".join(map(str, tests))


ITEMS = st.recursive(VALUES, lambda inner: st.one_of(st.lists(inner, min_size=1, max_size=3), st.dictionaries(TEXTS, inner, min_size=1, max_size=3)), max_leaves=6)
WEIGHTS = st.one_of(st.none(), FINITE)
PLAIN = st.one_of(
    st.builds(Label, st.one_of(st.integers(-10**9, 10**9), TEXTS), WEIGHTS), st.builds(Prompt, TEXTS, WEIGHTS), st.builds(Like, ITEMS, st.floats(0, 0.99)),
    st.builds(Keep, st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)), st.builds(Where, rules()), st.builds(Towards, TEXTS, FINITE))
GIVENS = st.one_of(PLAIN, st.builds(Avoid, PLAIN, st.floats(1e-6, 1e6)))


@CALM
@given(GIVENS)
def test_a_given_comes_back_from_json_and_from_writing(said: Given) -> None:
    assert given_from_json(json.loads(json.dumps(given_to_json(said)))) == said
    text = written(said)
    assert given_of(text) == said and written(given_of(text)) == text
    assert Table().asked(_mapping(text) if text.lstrip().startswith("{") else text) == said   # what --given does


@CALM
@given(rules())
def test_a_rule_comes_back_from_its_comparisons(rule: str) -> None:
    assert " and ".join(map(str, parse(rule))) == rule


TENTHS = st.integers(-10**6, 10**6).map(lambda n: n / 1000 if n % 1000 else n // 1000)
SOME = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)
SIGNS = st.sampled_from(constraints.SIGNS)


@st.composite
def linear(draw: st.DrawFn) -> Linear:
    names = draw(SOME)
    if len(names) == 1 and draw(st.booleans()):
        return Linear(((names[0], 1),), draw(SIGNS), draw(TEXTS))
    return Linear(tuple((name, draw(TENTHS.filter(bool))) for name in names), draw(SIGNS), draw(TENTHS))


@st.composite
def depends(draw: st.DrawFn) -> Depends:
    on, what = draw(SOME), draw(SOME)
    cell = st.one_of(TENTHS, TEXTS, st.booleans(), st.none())
    known = draw(st.lists(st.tuples(st.tuples(*[cell] * len(on)), st.tuples(*[cell] * len(what))), max_size=2))
    return Depends(on, what, tuple(known))


CONSTRAINTS = st.one_of(
    linear(), depends(), st.builds(Unique, st.one_of(st.just(()), SOME)), st.builds(Each, SIGNS, TENTHS), st.builds(Step, SOME, TENTHS.map(abs).filter(bool)),
    st.builds(Sums, st.lists(st.integers(0, 5), max_size=3).map(tuple), SIGNS, TENTHS), st.builds(Sums, st.lists(st.integers(0, 5), max_size=3).map(tuple)))


@CALM
@given(st.lists(CONSTRAINTS, min_size=1, max_size=3))
@example([Linear((("a", -1), ("b", 1)), "<=", -3), Linear((("unique", 1),), "==", 0.1)])
def test_a_constraint_comes_back_from_json_and_from_writing(said: list[Constraint]) -> None:
    assert [constraint_from_json(json.loads(json.dumps(constraint_to_json(c)))) for c in said] == said
    assert list(constraints.parse(" and ".join(map(str, said)))) == said
    assert as_constraints([json.dumps(constraint_to_json(c)) for c in said]) == tuple(dict.fromkeys(said))


LANGUAGES: tuple[tuple[str, Callable[[str], Any]], ...] = (
    ("rule", parse), ("given", given_of), ("constraint", constraints.parse), ("constraints", as_constraints), ("region", region.parse))
PIECES = st.sampled_from((*ODD, "<=", ">=", "<", "=", "!=", "+", "-", "*", "3", "-3", ".5", "1e999", "9" * 400, "'x'", "`n`", "a", "b", "[", "]", ":",
                          "Label", "Avoid(", "Towards", "Keep({", "Like([", "sum(", "each()", "simplex(", "step(", "constant", "and", "True", "box:", "outside:", "after:",
                          '{"sort":', '"a": 1', "null", "NaN", "-Infinity"))
BROKEN = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES, max_size=12).map("".join))


def tried(read: Callable[[str], Any], text: str) -> None:
    """Reads, or fails as a reader should: by UsageError, with a caret if it is about the writing, within a second of work."""
    gc.disable()   # a round over all that other tests left takes seconds, and is no work of the reader
    start = time.thread_time()
    try:
        read(text)
    except UsageError as why:
        assert why.code == "RULE" or read in (as_constraints, region.parse)   # what is JSON but no constraint; and places in pictures
        if why.code == "RULE" and "the limit is" not in why.message:
            assert why.message.endswith("^") and why.message.count("\n") == 2, why.message
    finally:
        gc.enable()
    assert time.thread_time() - start < 1


@pytest.mark.parametrize("name, read", LANGUAGES)
@CALM
@given(BROKEN)
def test_what_can_not_be_read_is_an_error_with_a_caret(name: str, read: Callable[[str], Any], text: str) -> None:
    tried(read, text)


@pytest.mark.parametrize("name, read", LANGUAGES)
@CALM
@given(st.one_of(rules(), GIVENS.map(written), CONSTRAINTS.map(str)), st.integers(0, 200), st.integers(0, 5), PIECES)
def test_what_is_nearly_right_is_read_or_refused(name: str, read: Callable[[str], Any], text: str, at: int, gone: int, put: str) -> None:
    at = min(at, len(text))
    tried(read, text[:at] + put + text[at + gone:])


LONG = ("(" * 60_000, "`" * 60_000, "'" * 60_001, "a " * 30_000, "a and " * 10_000, "a+" * 30_000, "-" * 60_000, "[" * 60_000, "{" * 60_000, "Avoid(" * 10_000,
        "a == 1 and " * 5_000, "a in [" + "1," * 25_000, "Like([" * 9_000, "outside:" * 7_000, "a, " * 20_000, "a -> b {" + "1: 2, " * 9_000, " " * 65_000, "1" * 65_000,
        "sum(" + "1," * 30_000, "a <= b <= " * 6_000, "1e5" + "9" * 400, "a <= -2e-" + "9" * 60)


@pytest.mark.parametrize("name, read", LANGUAGES)
@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:6])
def test_long_nonsense_takes_no_time(name: str, read: Callable[[str], Any], text: str) -> None:
    tried(read, text)


@CALM
@given(st.one_of(st.dictionaries(st.sampled_from(("sort", "terms", "sign", "total", "names", "on", "what", "known", "axes", "step", "value", "rule",
                                                  "values", "item", "strength")), ITEMS),
                 st.tuples(st.sampled_from((*constraints._SORTS, "Label", "Keep", "Where", "Like", "Avoid")),
                           st.dictionaries(TEXTS, ITEMS, max_size=3)).map(lambda p: {"sort": p[0], **p[1]})))
def test_json_that_says_nothing_is_refused(facts: dict[str, Any]) -> None:
    for read in (given_from_json, constraint_from_json):
        try:
            made = read(facts)  # type: ignore[operator]
        except UsageError:
            continue
        assert made is not None


@pytest.mark.parametrize("text", ["Avoid(Where('a < None'))", "Avoid(Where('a == 0 and b == 1e510'))", "Where('a <')"])
def test_a_bad_rule_inside_a_call_is_an_error_of_one_place(text: str) -> None:
    with pytest.raises(UsageError, match="a rule"):
        tried(given_of, text)
        given_of(text)
