"""The rule language: what is written is read back, what is wrong is shown by a caret, nothing is evaluated."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilk.errors import UsageError
from ilk.given import Keep, Label, Like, Prompt, Towards, Where, as_given, given_from_json, given_to_json
from ilk.given import tests_of as comparisons
from ilk.rules import Test, parse

SIGNS = ["==", "!=", "<", "<=", ">", ">="]
NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(["城市", "hours per week", "a-b", "and", "in", "not", "None", "`", "``a`", "x y", "0", " ", "'", "a\nb"])
NUMBERS = st.integers(-10**300, 10**300) | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) <= 1e300)
TEXTS = st.text(max_size=12) | st.sampled_from(["'", "''", '"', " and ", "`", "\\", "\\'", "None", "1"])
CONSTANTS = NUMBERS | TEXTS | st.booleans()
COMPARED = st.builds(Test, NAMES, st.sampled_from(SIGNS), CONSTANTS)
MISSING = st.builds(Test, NAMES, st.sampled_from(["==", "!="]), st.none())
LISTED = st.builds(Test, NAMES, st.sampled_from(["in", "not in"]), st.lists(CONSTANTS | st.none(), min_size=1, max_size=4).map(tuple))


@given(st.lists(COMPARED | MISSING | LISTED, min_size=1, max_size=5))
def test_what_is_written_is_read_back(tests: list[Test]) -> None:
    rule = " and ".join(map(str, tests))
    assert [(t.part, t.sign, t.value) for t in parse(rule)] == [(t.part, t.sign, t.value) for t in tests]
    assert " and ".join(map(str, parse(rule))) == rule


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_a_usage_error(text: str) -> None:
    try:
        found = parse(text)
    except UsageError as why:
        assert why.code == "RULE" and "^" in str(why)
    else:
        assert found and parse(" and ".join(map(str, found))) == found


@given(st.lists(st.sampled_from(["a", "`b c`", "<", "==", "in", "not", "[", "]", ",", "1", "'x'", "None", "and", "or", "(", ")", "-2.5e3"]), max_size=9).map(" ".join))
def test_any_tokens_are_a_rule_or_a_usage_error(text: str) -> None:
    try:
        assert parse(text)
    except UsageError as why:
        assert why.code == "RULE"


@pytest.mark.parametrize(("rule", "at", "wanted"), [
    ("kk << 1", 4, "a number"), ("a == 1 or b == 2", 7, "'and'"), ("a = 1", 2, "single '='"), ("a == 1 and", 10, "more of a rule"), ("`a == 1", 0, "a closing `"),
    ("a == b", 5, "a number, a 'text'"), ("5 < a", 0, "the name of a column"), ("a < None", 4, "None goes with"), ("a in 3", 5, "'['"), ("a in [1, 2", 10, "more"),
    ("a in [1 2]", 8, "','"), ("not a == 1", 0, "the name"), ("a == 1 b == 2", 7, "'and'"), ("", 0, "more of a rule"), ("   a ==   ", 10, "more of a rule"),
    ("a == 'x", 5, "a closing '"), ("城市 == 北京", 8, "a number, a 'text'"), ("(a == 1)", 0, "the name"), ("a == 1e301", 5, "below 1e300"), ("a not 3", 6, "'in'")])
def test_the_caret_stands_where_it_went_wrong(rule: str, at: int, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(rule)
    message, shown, caret = str(caught.value).split("\n")
    assert wanted in message and shown == f"  {rule}" and caret.index("^") - 2 == at


@pytest.mark.parametrize(("rule", "tests"), [
    ("`hours per week` < 20 and 城市 == '北京' and x in [1, -2.5, None]", (("hours per week", "<", 20), ("城市", "==", "北京"), ("x", "in", (1, -2.5, None)))),
    ("a=='it''s'and`b``c`!=\"q\"", (("a", "==", "it's"), ("b`c", "!=", "q"))), ("a == True and b == None", (("a", "==", True), ("b", "==", None))),
    ("a not in ['x']", (("a", "not in", ("x",)),)), ("a >= -.5e-3", (("a", ">=", -0.0005),)), ("android == 1", (("android", "==", 1),)), ("a == 1\nand b == 2",
    (("a", "==", 1), ("b", "==", 2)))])
def test_examples(rule: str, tests: Any) -> None:
    assert tuple((t.part, t.sign, t.value) for t in parse(rule)) == tests


def test_a_rule_is_bounded_and_never_evaluated() -> None:
    with pytest.raises(UsageError, match="the limit is"):
        parse("a == 1 and " * 10_000 + "a == 1")
    for code in ("__import__('os').system('x') == 1", "a == f()", "a == {1}", "a == x.y", "lambda: 1", "a == 1; b == 2", "a == 1 if b else 2"):
        with pytest.raises(UsageError, match="can't be read"):
            parse(code)


@pytest.mark.parametrize(("test", "value", "obeys"), [
    (Test("a", "<", 3), 2, True), (Test("a", "<", 3), 3, False), (Test("a", "!=", 3), None, False), (Test("a", "==", None), None, True), (Test("a", "!=", None), None, False),
    (Test("a", "!=", None), 0, True), (Test("a", "in", (1, 2)), 2, True), (Test("a", "not in", (1, 2)), None, False), (Test("a", "not in", ("x",)), "y", True)])
def test_what_a_comparison_means(test: Test, value: Any, obeys: bool) -> None:
    assert test.holds(value) is obeys


def test_a_comparison_of_unlike_things_is_refused() -> None:
    with pytest.raises(UsageError, match="means nothing"):
        Test("a", "<", 3).holds("x")


@given(st.sampled_from([Label("x"), Label(3), Prompt("a hat"), Keep({"a": 1, "城市": None, "b": "x"}), Where("a < 3"), Towards("warmth", 0.5), Like([1, 2], 0.3)]))
def test_givens_have_a_json_form(said: Any) -> None:
    import json

    assert given_from_json(json.loads(json.dumps(given_to_json(said)))) == said


@pytest.mark.parametrize("facts", [{}, {"sort": "Eval", "code": "1"}, {"sort": "Keep"}, {"sort": "Where", "rule": "a < 1", "more": 2}, {"sort": None}, {"sort": ["Keep"]}])
def test_strange_json_is_no_given(facts: Any) -> None:
    with pytest.raises(UsageError):
        given_from_json(facts)


def test_what_people_say() -> None:
    assert as_given("a < 1") == Where("a < 1") and as_given({"a": 1}) == Keep({"a": 1}) and as_given(Label(1)) == Label(1)
    assert comparisons(Keep({"a": 1, "b": None})) == (Test("a", "==", 1), Test("b", "==", None)) and comparisons(Label(1)) == ()
    for strange in (3, None, ["a < 1"], b"a"):
        with pytest.raises(UsageError, match="is not a given"):
            as_given(strange)  # type: ignore[arg-type]
