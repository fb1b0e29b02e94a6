"""Summary, translation, extraction, classification: right answers pass and each planted fault is named; what never passes is not passed off."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ilk
from ilk.chat import Delta, End, Token, Turn, Want
from ilk.errors import UsageError
from ilk.tasks.classification import Classification
from ilk.tasks.extraction import Extraction
from ilk.tasks.summary import Summary
from ilk.tasks.translation import Translation


@dataclass
class Scripted:
    """Says one thing after the other, and keeps what it was asked."""

    says: Sequence[str]
    asked: list[tuple[tuple[Turn, ...], Want]] = field(default_factory=list)
    name: str = "scripted:"
    window: int | None = None
    why: str = "stop"

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        said = self.says[min(len(self.asked), len(self.says) - 1)]
        self.asked.append((tuple(turns), want))
        yield Delta(said)
        yield Delta(end=End(self.why, 10, 5))  # type: ignore[arg-type]


class Weighing(Scripted):
    """Holds the longest label for the likeliest."""

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        return (Token(text, float(len(text))), *([Token("", 0.5)] if ended else []))


SOURCE = """The Harbour Bridge opened in March 1932 after eight years of work. It is 1,149 metres long and carries trains, cars and walkers.
Dr. Bradfield led the design. The toll was sixpence at first. Critics said that the bridge did not pay for itself. Today 160000 cars cross it each day."""
GOOD = "The Harbour Bridge opened in March 1932. It carries 160000 cars each day."
CHINESE = "长江大桥于1968年建成通车。大桥全长6772米，上层是公路，下层是铁路。南京市民常在桥上散步。桥头堡没有电梯。"


def codes(findings: Sequence[object]) -> list[str]:
    return [f.code for f in findings]  # type: ignore[attr-defined]


def test_a_summary_is_traced_to_its_source() -> None:
    done = Summary().check(SOURCE, GOOD)
    assert done.passed and [t.places[0].text[:12] for t in done.value.traced] == ["The Harbour ", "It is 1,149 "]
    for traced in done.value.traced:
        assert all(SOURCE[p.start:p.end] == p.text for p in traced.places) and GOOD[traced.sentence.start:traced.sentence.end] == traced.sentence.text
    assert done.value.traced[0].support == 1 and Summary().check(CHINESE, "大桥于1968年建成，全长6772米。").passed


@pytest.mark.parametrize(("answer", "code"), [
    ("The Harbour Bridge opened in March 1923.", "NUMBER"), ("Critics of Melbourne said that the bridge did not pay.", "NAME"), (SOURCE, "LONG"), ("", "EMPTY"),
    ("The Harbour Bridge opened in March 1932. Tourists love climbing its arch at night.", "UNSUPPORTED"),
    ("Critics said that the bridge did pay for itself.", "NEGATION"), ("The Harbour Bridge never opened in March 1932.", "NEGATION")])
def test_a_fault_of_a_summary_is_named(answer: str, code: str) -> None:
    assert codes(Summary().check(SOURCE, answer).findings) == [code]


@pytest.mark.parametrize(("answer", "code"), [("大桥于1986年建成。", "NUMBER"), ("武汉的樱花每年三月盛开。", "UNSUPPORTED"), ("桥头堡有电梯。", "NEGATION")])
def test_a_fault_of_a_chinese_summary_is_named(answer: str, code: str) -> None:
    assert code in codes(Summary().check(CHINESE, answer).findings)


def test_the_floor_of_a_summary_passes_and_needs_no_model() -> None:
    for text in (SOURCE, CHINESE):
        done = ilk.task("summary", text, None)
        assert done.passed and done.tokens == 0 and all(t.support == 1 for t in done.value.traced)
    assert not ilk.task("summary", "Only one sentence stands here.", None).passed


@pytest.mark.parametrize(("to", "text", "answer", "found"), [
    ("en", "你好，{name}！\n你有 3 封信，见 https://a.example/x。", "Hello, {name}!\nYou have 3 letters, see https://a.example/x .", []),
    ("zh", "The price rose by 12.5% to $1,200.", "价格上涨了12.5%，达到1200美元。", []),
    ("de", "The price is 1,200.5 euros and it is not low.", "Der Preis ist 1.200,5 Euro und er ist nicht niedrig.", []),
    ("zh", "It ships on 3 May.", "5月3日发货。", []), ("en", "5月3日发货。", "It may ship on 3 March.", ["NUMBER"]),
    ("zh", "There are 3 cats.", "有 4 只猫。", ["NUMBER", "NUMBER"]), ("zh", "Hello %s, I am here", "你好，我在这里", ["PLACEHOLDER"]),
    ("zh", "One.\nTwo.", "一。二。", ["LINES"]), ("fr", "The house is on the hill.", "The house is on the hill.", ["LANGUAGE"]),
    ("fr", "The house is on the hill.", "La maison est sur la colline.", []), ("fr", "The house is on the hill.", "Das Haus ist auf dem Hügel.", ["LANGUAGE"]),
    ("zh", "Hello", "Hello", ["LANGUAGE"]), ("ja", "I am a student", "私は学生です", []), ("zh", "I am a student", "私は学生です", ["LANGUAGE"]),
    ("en", "你好", " ", ["EMPTY"])])
def test_translations(to: str, text: str, answer: str, found: list[str]) -> None:
    assert codes(Translation(to=to).check(text, answer).findings) == found  # type: ignore[arg-type]


def test_names_are_kept() -> None:
    assert codes(Translation(to="zh", keep=("Ann Lee",)).check("Ann Lee is here.", "安·李在这里。").findings) == ["NAME"]


TEXT = "Invoice 77 of Ann  Lee, 3 May: two lamps (Lyon, Turin) for 1,250.50 euros."


def test_extracted_values_stand_in_the_text() -> None:
    job = Extraction(fields={"name": "text", "sum": "number", "cities": "texts", "due": "text"})
    done = job.check(TEXT, '```json\n{"name": "ann lee", "sum": 1250.5, "cities": ["Lyon", "Turin"], "due": null}\n```')
    assert done.passed and {n: [p.text for p in some] for n, some in done.value.places.items()} == {"name": ["Ann  Lee"], "sum": ["1,250.50"], "cities": ["Lyon",
        "Turin"], "due": []}
    assert all(TEXT[p.start:p.end] == p.text for some in done.value.places.values() for p in some)
    assert job.shape(TEXT).schema["required"] == ["name", "sum", "cities", "due"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("answer", "found"), [
    ('{"name": "Bob", "sum": 1250.5}', ["NOT_FOUND"]), ('{"name": "Ann", "sum": 1250}', ["NOT_FOUND"]), ('{"name": "An", "sum": null}', ["NOT_FOUND"]),
    ('{"name": 3, "sum": "1,250.50"}', ["TYPE", "TYPE"]), ('{"name": "Ann Lee"}', ["FIELD"]), ('{"name": "Ann", "sum": null, "age": 3}', ["FIELD"]),
    ("name: Ann", ["NOT_JSON"]), ("[]", ["NOT_JSON"]), ('{"name": "", "sum": null}', ["NOT_FOUND"])])
def test_a_fault_of_an_extraction_is_named(answer: str, found: list[str]) -> None:
    assert codes(Extraction(fields={"name": "text", "sum": "number"}).check(TEXT, answer).findings) == found


def test_what_failed_is_told_and_tried_again() -> None:
    model = Scripted(["great", "good"])
    done = ilk.task(Classification(labels=("good", "bad")), "Fine.", model)
    assert done.passed and done.value == "good" and [codes(a.findings) for a in done.attempts] == [["LABEL"], []] and done.tokens == 30
    again, want = model.asked[1]
    assert [t.role for t in again] == ["user", "assistant", "user"] and "'great' is none of the labels" in again[2].text and want.seed == 0 and want.shape is not None


def test_what_never_passes_is_not_passed_off() -> None:
    model = Scripted(["great"])
    done = ilk.task(Classification(labels=("good", "bad")), "Fine.", model, tries=4)
    assert not done.passed and done.value is None and len(done.attempts) == 4 and codes(done.findings) == ["LABEL"]


def test_an_answer_that_is_not_of_the_shape_is_one_that_failed() -> None:
    done = ilk.task(Extraction(fields={"name": "text"}), TEXT, "echo:Ann")
    assert not done.passed and {f.code for a in done.attempts for f in a.findings} == {"SHAPE"}


def test_an_answer_that_broke_off_within_its_shape_is_tried_again() -> None:
    class Cut(Scripted):
        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            if not self.asked:
                self.asked.append((tuple(turns), want))
                raise UsageError("cut", code="SHAPE_CUT")
            return super().chat(turns, want)

    done = ilk.task(Extraction(fields={"name": "text"}), TEXT, Cut(["", '{"name": "Ann Lee"}']))
    assert not done.attempts[0].answer and codes(done.attempts[0].findings) == ["SHAPE_CUT"] and done.passed and done.value.values == {"name": "Ann Lee"}


def test_an_answer_that_broke_off_does_not_pass() -> None:
    assert codes(ilk.task(Classification(labels=("good", "bad")), "Fine.", Scripted(["good"], why="length")).findings) == ["CUT"]


def test_labels_are_weighed_where_that_can_be_done() -> None:
    done = ilk.task(Classification(labels=("good", "bad")), "Fine.", Weighing(["never asked"]))
    assert done.value == "good" and done.attempts[0].chances == pytest.approx({"good": 1 / (1 + exp(-1)), "bad": 1 / (1 + exp(1))})


@pytest.mark.parametrize("call", [lambda: ilk.task("sumary", ""), lambda: ilk.task("translation", "", None), lambda: ilk.task("summary", "", "echo:", tries=0),
                                  lambda: ilk.passing("summary", "", "echo:", n=0), lambda: Classification(labels=("a", "a")), lambda: ilk.pass_at(3, 1, 4)])
def test_what_means_nothing_is_refused(call: object) -> None:
    with pytest.raises(UsageError):
        call()  # type: ignore[operator]


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_one(case: tuple[int, int, int]) -> None:
    n, right, k = case
    draws = list(combinations([True] * right + [False] * (n - right), k))
    assert ilk.pass_at(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)


def test_answers_are_independent() -> None:
    model = Scripted(["good", "ugly", "bad"])
    found = ilk.passing(Classification(labels=("good", "bad")), "Fine.", model, n=3)
    assert (found.n, found.right, found.at(1), found.at(2)) == (3, 2, pytest.approx(2 / 3), 1) and [len(t) for t, _ in model.asked] == [1, 1, 1]
    assert [w.seed for _, w in model.asked] == [0, 1, 2]
