"""Quizzes keep only questions whose keys are proved, and answers are marked as they should be."""
from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ilk
from ilk.errors import UsageError
from ilk.tasks.quiz import Quiz

from .test_tasks_text import CHINESE, SOURCE, Scripted

TABLE = pl.DataFrame({"city": ["Lyon", "Lyon", "Turin"], "age": [30, 41, 50]})
BY = "The Harbour Bridge opened in March 1932 after eight years of work."


def one(question: str, key: str, sort: str, by: str) -> dict[str, str]:
    return {"question": question, "key": key, "sort": sort, "by": by}


def said(*items: object) -> str:
    return json.dumps({"questions": items})


@pytest.mark.parametrize(("source", "item", "wrong"), [
    (SOURCE, one("When did the bridge open?", "1932", "quote", BY), ""), (SOURCE, one("What is 12 * 12?", "144", "query", "12 * 12"), ""),
    (TABLE, one("What is the mean age where city is Lyon?", "35.5", "query", "mean(age where city == 'Lyon')"), ""),
    (TABLE, one("What share has a city of Lyon?", "67%", "query", "share(where city == 'Lyon')"), ""),
    (SOURCE, one("When did the bridge open?", "1931", "quote", BY), "does not stand"), (SOURCE, one("When?", "1932", "quote", "It opened in 1932."), "no such sentence"),
    (SOURCE, one("Did the bridge open in 1932?", "1932", "quote", BY), "gives its key away"), (SOURCE, one("Who was Napoleon?", "1932", "quote", BY), "shares no word"),
    (SOURCE, one("What is 12 * 12?", "124", "query", "12 * 12"), "gives 144"), (SOURCE, one("What is 12 * 13?", "144", "query", "12 * 12"), "numbers of the question"),
    (TABLE, one("What is the mean age in Lyon?", "36", "query", "mean(age where city == 'Lyon')"), "does not say 'city'"),
    (TABLE, one("What is the mean age where city is Lyon?", "37", "query", "mean(age where city == 'Lyon')"), "gives 35.50"),
    (TABLE, one("How tall?", "3", "query", "mean(height)"), "no column"), (TABLE, one("x", "y", "quote", "z"), "by a query"),
    (SOURCE, {"question": "x"}, "no question, key or proof"),
    (SOURCE, one("What is 2 + 2?", "four", "query", "2 + 2"), "not one number")])
def test_keys_are_proved_or_their_questions_dropped(source: object, item: dict[str, str], wrong: str) -> None:
    done = Quiz(questions=1).check(source, said(item))  # type: ignore[arg-type]
    assert done.passed == (not wrong) and len(done.value.questions) == (not wrong) and (not wrong or wrong in done.value.dropped[0].told), done


def test_enough_proved_questions_pass_without_the_others() -> None:
    good, bad = one("When did the bridge open?", "1932", "quote", BY), one("When did it open?", "1999", "quote", BY)
    done = Quiz(questions=1).check(SOURCE, said(bad, good, good))
    assert done.passed and [q.key for q in done.value.questions] == ["1932"] and [f.code for f in done.value.dropped] == ["KEY", "KEY"]
    place = done.value.questions[0].place
    assert place is not None and SOURCE[place.start:place.end] == "1932"
    assert [f.code for f in Quiz(questions=2).check(SOURCE, said(bad, good, good)).findings] == ["KEY", "KEY", "FEW"]


@pytest.mark.parametrize("source", [SOURCE, CHINESE, TABLE], ids=["en", "zh", "table"])
def test_the_floor_passes_and_its_keys_get_full_marks(source: object) -> None:
    done = ilk.task(Quiz(questions=2), source, None)
    assert done.passed and all(ilk.mark(q.key, q.key).right for q in done.value.questions)


def test_a_model_that_proves_nothing_gives_no_quiz() -> None:
    done = ilk.task("quiz", SOURCE, Scripted([said(), "no JSON"]))
    assert not done.passed and done.value is None and {f.code for a in done.attempts for f in a.findings} == {"FEW", "NOT_JSON"}


@pytest.mark.parametrize(("key", "answer", "score", "right"), [
    ("Paris", "paris.", 1, True), ("Paris", "The Paris", 1, True), ("Paris", "It is Paris", 0.5, False), ("Paris", "Lyon", 0, False), ("Paris", "", 0, False),
    ("the treaty of Rome in March", "treaty of Rome", 3 * 2 / 8, False), ("not guilty", "guilty", 0, False), ("南京长江大桥", "长江大桥", 0.8, True),
    ("没有电梯", "有电梯", 0, False),
    ("1,200", "1200 euros", 1, True), ("42", "41", 0, False), ("42", "42 or 43", 0, False), ("3.14", "3.1416", 1, True), ("3.14", "3.15", 0, False), ("25%", "25", 1, True),
    ("25", "25%", 0, False), ("Ｐａｒｉｓ", "Paris", 1, True), ("-3", "3", 0, False), ("5 km", "5", 1, True)])
def test_marks(key: str, answer: str, score: float, right: bool) -> None:
    found = ilk.mark(key, answer)
    assert (found.score, found.right) == (pytest.approx(score), right)


def test_sets_and_tolerances() -> None:
    assert ilk.mark(["red", "blue"], "blue, red").right and ilk.mark(["red", "blue"], "Blue and green").score == 0.5 and ilk.mark("红、蓝", "蓝和红", by="set").right
    assert ilk.mark("100", "101", tolerance=0.01).right and not ilk.mark("100", "102", tolerance=0.01).right and ilk.mark("a b c d", "a b c", by="exact").score == 0
    for bad in (lambda: ilk.mark("", "x"), lambda: ilk.mark([], "x"), lambda: ilk.mark("x", "1", by="number"), lambda: ilk.mark("x", "x", enough=0)):
        with pytest.raises(UsageError):
            bad()


WORDS = st.lists(st.sampled_from(["red", "blue", "green", "one", "two"]), min_size=1, max_size=6).map(" ".join)


@given(WORDS, WORDS)
def test_the_score_is_f1_of_words_and_symmetric(key: str, answer: str) -> None:
    left, both = answer.split(), 0
    for word in key.split():
        if word in left:
            left.remove(word)
            both += 1
    wanted = 0.0 if not both else 2 * both / (len(key.split()) + len(answer.split()))
    assert ilk.mark(key, answer, by="words").score == pytest.approx(wanted) == pytest.approx(ilk.mark(answer, key, by="words").score)
