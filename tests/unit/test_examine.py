"""The examination of language models: formulas of other libraries, planted models whose figures are known, and what bad suites get."""
from __future__ import annotations

import json
from collections import Counter
from math import log, log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from ilk.backend import chat_at
from ilk.chat import Delta, End, Token, Turn, Want
from ilk.errors import DataError, UsageError
from ilk.truth.answers import exact, names_one, number_right, stands, token_f1
from ilk.truth.choice import LETTERS, letter_bias, turned, weighed
from ilk.truth.fluency import perplexity
from ilk.truth.judge import judged, told
from ilk.truth.ranking import ranking
from ilk.truth.suite import Choice, Fact, Format, Item, Reading, Sum, suite
from ilk.verbs.examine import examine


class Knows:
    """Gives the right answer to a share of the questions, and is as sure as it is right; weighs texts by a table."""

    name, window = "planted", None

    def __init__(self, right: float = 1.0, items: tuple[Item, ...] = ()) -> None:
        self.right, self.items = right, {i.turn().text: (n, i) for n, i in enumerate(items)}

    def chat(self, turns: list[Turn], want: Want) -> object:
        n, item = self.items[turns[-1].text]
        sure = 0.9 if n % 10 < 10 * self.right else 0.2
        text = (item.fitting() or ("no such form at all, I fear",))[0] if sure > 0.5 else "zzz"
        yield Delta(text, () if want.alternatives is None else (Token(text, log(sure)),))
        yield Delta(end=End("stop", 1, 1))


class Unigram:
    """Characters by themselves, each as likely as it is told; the letter B four times as likely as any other letter."""

    name, window = "unigram", None

    def __init__(self, chance: dict[str, float] | None = None, other: float = 0.01) -> None:
        self.chance, self.other = chance or {}, other

    def chat(self, turns: object, want: Want) -> object:
        yield Delta("B", () if want.alternatives is None else (Token("B", -1.0),))
        yield Delta(end=End("stop", 1, 1))

    def weigh(self, text: str, after: object = "") -> tuple[Token, ...]:
        return tuple(Token(c, log(self.chance.get(c, self.other))) for c in text)


@given(st.lists(st.lists(st.integers(0, 3), min_size=8, max_size=8).filter(any), min_size=1, max_size=5), st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_ndcg_is_scikit_learns(gains: list[list[int]], k: int) -> None:
    found = ranking([list(range(8))] * len(gains), [dict(enumerate(g)) for g in gains], k=k)
    assert found.ndcg == pytest.approx(ndcg_score(gains, [list(range(8, 0, -1))] * len(gains), k=k))
    assert found.recall == pytest.approx(np.mean([sum(g > 0 for g in row[:k]) / sum(g > 0 for g in row) for row in gains]))
    firsts = [next((i + 1 for i, g in enumerate(row[:k]) if g), None) for row in gains]
    assert found.reciprocal_rank == pytest.approx(np.mean([1 / f if f else 0 for f in firsts]))


def test_rankings_that_mean_nothing_are_refused() -> None:
    assert ranking([["a", "a", "b"]], [{"b": 1}], k=2).recall == 1   # a counts once
    assert ranking([[]], [{"b": 1}]).ndcg == 0
    for found, relevant, k in (([], [], 1), ([["a"]], [{}], 1), ([["a"]], [{"a": 0}], 1), ([["a"]], [], 1)):
        with pytest.raises(DataError):
            ranking(found, relevant, k)
    with pytest.raises(UsageError):
        ranking([["a"]], [{"a": 1}], 0)


def squad_f1(answer: str, right: str) -> float:
    """The formula of the paper, by sets of counted words, for texts that are in normal form."""
    shared = sum(min(c, right.split().count(w)) for w, c in Counter(answer.split()).items())
    if not shared:
        return 0.0
    precision, recall = shared / len(answer.split()), shared / len(right.split())
    return 2 * precision * recall / (precision + recall)


WORDS = st.lists(st.sampled_from(["red", "blue", "sky", "sea"]), min_size=1, max_size=5).map(" ".join)


@given(WORDS, WORDS)
def test_token_f1_is_squads(one: str, other: str) -> None:
    assert token_f1(f"The {one}!", [other]) == pytest.approx(squad_f1(one, other)) and token_f1(one, [other, one]) == 1
    assert exact(one, [other]) == float(one == other) and stands(one, f"So: {one}.")


def test_answers_in_both_languages() -> None:
    assert token_f1("石匠周大为", ["周大为"]) == pytest.approx(0.75) and exact("周大为。", ["周大为"]) == 1 and names_one("是周大为修的", ["周大为"]) == 1
    assert names_one("The Parisians", ["Paris"]) == 0 and not stands("", "text") and token_f1("", ["a word"]) == 0
    assert number_right("12 times 11 is 132.", 132) == 1 and number_right("It is 132, not 12", 132) == 0 and number_right("六十三", 63) == 1 and number_right("none", 0) == 0


def test_choices_by_length() -> None:
    found = weighed(Unigram({"a": 0.5, "b": 0.6}), "?", ["aa", "bbbbb", "c"], "zh")
    assert np.allclose(found.whole, [2 * log(0.5), 5 * log(0.6), log(0.01)])
    assert found.picked() == {"whole": 0, "per token": 1, "per character": 1}   # the longer option has the more likely letters


def test_letters_that_sway_are_shown() -> None:
    questions = [(f"question {i}", [f"o{j}" for j in range(4)], i % 4) for i in range(8)]
    found = letter_bias(Unigram({"B": 0.04}), questions)
    assert found.letters == (0, 1, 0, 0) and found.bias == 0.75 and found.steady == 0 and found.accuracy == (0, 1, 0, 0)
    truth = np.arange(8) % 4
    fair = turned((truth[:, None] - np.arange(4)) % 4, truth)   # always the true option, wherever it stands
    assert fair.accuracy == (1, 1, 1, 1) and fair.bias == 0 and fair.steady == 1 and fair.interval == (1, 1)
    with pytest.raises(DataError):
        letter_bias(Unigram(), [("?", ["a", "b"], 0), ("?", ["a", "b", "c"], 0)])


@given(st.text("ab c", min_size=1, max_size=300), st.integers(1, 50), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_perplexity_of_a_known_model(text: str, stride: int, before: int) -> None:
    chance = {"a": 0.5, "b": 0.25, " ": 0.125, "c": 0.125}
    found = perplexity(Unigram(chance), text, stride, before)
    assert found.nats == pytest.approx(-sum(log(chance[c]) for c in text)) and found.characters == found.bytes == found.tokens == len(text)
    assert found.bits_per_character == pytest.approx(-sum(log2(chance[c]) for c in text) / len(text))


def test_units_of_perplexity() -> None:
    found = perplexity(Unigram(other=0.25), "长江" * 400)
    assert found.bits_per_character == pytest.approx(2) and found.bits_per_byte == pytest.approx(2 / 3) and found.per_token == pytest.approx(4) and 0 < found.floor < 1
    text = "".join("ab"[i] for i in np.random.default_rng(0).integers(2, size=20_000))
    noisy = perplexity(Unigram({"a": 0.9, "b": 0.1}), text, 100)
    each = np.where(np.array(list(text)) == "a", -log2(0.9), -log2(0.1))
    assert noisy.error == pytest.approx(each.std() / len(text) ** 0.5, rel=0.5)   # the error of a mean of independent places
    with pytest.raises(DataError):
        perplexity(Unigram(), "")


class Sways:
    """A judge that takes what stands first, or the answer with the letter x."""

    name, window = "sways", None

    def __init__(self, fair: bool) -> None:
        self.fair = fair

    def chat(self, turns: list[Turn], want: Want) -> object:
        first = turns[0].text.split("Answer A:\n")[1].startswith("x")
        yield Delta("A" if first or not self.fair else "B")
        yield Delta(end=End("stop", 1, 1))


def test_a_judge_is_judged() -> None:
    pairs = [("?", "x", "y")] * 5
    fair, sways = judged(Sways(True), pairs), judged(Sways(False), pairs)  # type: ignore[arg-type]
    assert (fair.preferred, fair.swayed, fair.steady, fair.agreeing) == (1, 0.5, 1, 1) and (sways.preferred, sways.swayed, sways.steady) == (0.5, 1, 0)
    unread = judged(chat_at("echo:I can't say"), pairs)
    assert unread.preferred == 0.5 and unread.unread == 1
    rng = np.random.default_rng(0)   # a judge that takes the one with a chance of .7, and what stands first a little more
    p = np.array([0.7 + 0.1, 0.3 + 0.1])
    found = told((rng.uniform(size=(4000, 2, 2)) < p[None, :, None]).astype(float))
    assert found.preferred == pytest.approx(0.7, abs=0.02) and found.swayed == pytest.approx(0.6, abs=0.02)
    assert found.agreeing == pytest.approx(np.mean(p**2 + (1 - p) ** 2), abs=0.02) and found.interval[0] < 0.7 < found.interval[1]


def test_every_question_of_the_suite_can_be_answered_and_is_not_answered_by_repeating_it() -> None:
    items = suite()
    parts = ("facts", "arithmetic", "reading", "choice", "format")
    assert Counter((i.part, i.language) for i in items) == {(p, z): 10 if p == "format" else 20 for p in parts for z in ("en", "zh")}
    assert all(i.marks(key)["right"] == 1 for i in items for key in i.fitting())
    assert len({(i.question, i.language) for i in items}) == len(items)
    reads = [i for i in items if isinstance(i, Reading)]
    assert all(stands(i.answers[0], i.passage) for i in reads if i.answers) and sum(not i.answers for i in reads) == 10
    assert Counter(i.truth for i in items if isinstance(i, Choice)) == {0: 10, 1: 10, 2: 10, 3: 10}
    repeated = [i for i in items if not isinstance(i, Sum) and i.marks(i.turn().text)["right"]]
    assert len(repeated) <= 4


def test_forms_have_examples_that_keep_them_and_others_that_do_not() -> None:
    kept = {"en": ["cold", "Yes.", "HELLO", "12", "2024-05-01", "red, green, blue", '{"city": "Rome"}', "- cat\n- dog", "A", "Well done!"],
            "zh": ["冷", "是", "12", "2024-05-01", "红、黄、蓝", '{"城市": "北京"}', "-猫\n-狗", "A", "真好！", "你好"]}
    for language, answers in kept.items():
        items = [i for i in suite() if isinstance(i, Format) and i.language == language]
        assert [i.marks(a)["right"] for i, a in zip(items, answers, strict=True)] == [1] * 10
        assert not any(i.marks("Sure, I can help you with that. Here it is:")["right"] or i.marks("")["right"] for i in items)


def test_marks() -> None:
    said = Reading(part="r", language="en", question="Who?", passage="The baker Hugo Lind paid.", answers=("Hugo Lind",))
    silent = Reading(part="r", language="en", question="How much?", passage="The baker Hugo Lind paid.")
    assert said.marks("Hugo Lind") == {"right": 1, "exact": 1, "f1": 1, "invented": 0} and said.marks("Karl Marx")["invented"] == 1
    assert said.marks("It was paid for by Hugo Lind.")["right"] == 0 and silent.marks("The text does not mention a price.")["right"] == 1
    longer = Reading(part="r", language="en", question="Who?", passage=said.passage + " He had sold bread in the town for twenty years.", answers=said.answers)
    assert longer.marks("It was paid for by Hugo Lind.") | {"f1": 0} == {"right": 1, "exact": 0, "f1": 0, "invented": 0} and longer.marks(longer.passage)["right"] == 0
    assert longer.marks("He had sold bread.")["invented"] == 0 and longer.marks("He sold 3 pies.")["invented"] == 1
    assert said.marks("unknown")["right"] == 0 and said.marks("Unknown.")["invented"] == 0
    assert silent.marks("Unknown.")["right"] == 1 and silent.marks("100 euros")["invented"] == 1
    pick = Choice(part="c", language="en", question="?", options=("a hen", "a cow"), truth=0)
    assert [pick.marks(a)["right"] for a in ("A", "A.", "The answer is A", "a hen", "B", "A or B", "hen and a cow")] == [1, 1, 1, 1, 0, 0, 0]


def test_figures_of_a_planted_model() -> None:
    items = tuple(i for i in suite() if not isinstance(i, Format))
    found = examine(Knows(0.7, items), items)  # type: ignore[arg-type]
    right = {(f.part, f.language): f.value for f in found.figures if f.name == "right"}
    assert right == dict.fromkeys(right, pytest.approx(0.7)) and len(right) == 8
    assert all(f.floor is None or f.floor < 0.5 for f in found.figures) and all(f.interval[0] <= f.value <= f.interval[1] for f in found.figures)
    assert found.curve is not None and found.curve.area == pytest.approx(found.curve.ceiling) and found.told is not None and found.calibrated is not None
    assert found.told.error == pytest.approx(0.13, abs=0.01)   # says .9 where all are right, .2 where none is
    assert found.calibrated.error < 0.05
    assert repr(found) == repr(examine(Knows(0.7, items), items))  # type: ignore[arg-type]


def test_figures_by_likelihood() -> None:
    items = tuple(i for i in suite() if isinstance(i, Choice))
    found = {(f.name, f.language): f for f in examine(Unigram({"B": 0.04}), items, text="hello " * 50).figures}  # type: ignore[arg-type]
    assert found["letter bias (0: none)", "en"].value == 0.75 and found["by letter, options turned round", "zh"].value == 0.25
    assert found["right", "en"].value == 0.25 and found["by likelihood, whole", "zh"].floor == max(0.25, found["by likelihood, whole", "zh"].value)
    shortest = [min(range(4), key=lambda j: len(i.options[j])) == i.truth for i in items if i.language == "zh"]
    assert found["by likelihood, whole", "zh"].value == np.mean(shortest)   # all characters alike: the shortest is likeliest
    text, = [f for (name, _), f in found.items() if name.startswith("bits per byte")]
    assert text.value == pytest.approx(-log2(0.01)) and text.floor is not None and text.floor < 3


def test_the_floor_is_what_silly_models_get() -> None:
    for model in ("echo:", "echo:unknown", "echo:B"):
        found = examine(model)
        assert len(found.answers) == 180
        for f in found.figures:
            assert f.floor is None or f.value <= f.floor + 1e-9, (model, f)


def test_what_is_not_told_is_said() -> None:
    class Mute:
        name, window = "mute", None

        def chat(self, turns: object, want: Want) -> object:
            if want.alternatives is not None:
                raise UsageError("no log probabilities here", code="NATS")
            yield from chat_at("echo:Paris").chat([], want)

    found = examine(Mute(), most=1)  # type: ignore[arg-type]
    assert found.curve is None and "no log probabilities here" in repr(found) and "does not weigh" in repr(found)
    assert found.figures[0].value == 1 and all(a.sure is None for a in found.answers)


HEAD = '{"part": "p", "language": "en", "question": "?", '


@pytest.mark.parametrize("line", [
    "{", "[]", '{"part": "p"}', '{"part": "p", "language": "fr", "question": "?", "answers": ["x"]}', HEAD + '"answers": []}', HEAD + '"answers": [1]}',
    HEAD + '"options": ["a"], "truth": 0}', HEAD + '"options": ["a", "b"], "truth": 2}', HEAD + '"pattern": "("}', HEAD + '"number": "x"}',
    HEAD + '"number": 1, "odd": 2}'])
def test_bad_suites_are_named_by_line(line: str, tmp_path: Path) -> None:
    good = {"part": "p", "language": "zh", "question": "？", "answers": ["好"]}
    (tmp_path / "mine.jsonl").write_text(json.dumps(good) + "\n\n" + line + "\n")
    with pytest.raises(DataError, match="line 3"):
        suite(tmp_path / "mine.jsonl")
    (tmp_path / "mine.jsonl").write_text(json.dumps(good))
    assert suite(tmp_path / "mine.jsonl") == (Fact(part="p", language="zh", question="？", answers=("好",)),)


def test_no_suite() -> None:
    with pytest.raises(UsageError, match="basic"):
        suite("basc")
    with pytest.raises(DataError):
        suite("none/such.jsonl")
    with pytest.raises(UsageError):
        examine("echo:", [])
    assert len(LETTERS) == 10


@pytest.mark.slow
@pytest.mark.learns
def test_the_embedded_model_knows_facts_and_prefers_a_letter() -> None:
    """SmolLM2-135M: 6 of 8 facts (floor 1), and the letter A whatever stands there (bias .75 of at most .75)."""
    pytest.importorskip("xllamacpp")
    from ilk.backend import DEFAULT
    from ilk.errors import IlkError

    facts = tuple(i for i in suite() if i.language == "en" and isinstance(i, Fact))[:8]
    picks = [(i.question, i.options, i.truth) for i in suite() if i.language == "en" and isinstance(i, Choice)][:2]
    try:
        model = chat_at(DEFAULT)
    except IlkError as why:
        pytest.skip(str(why))
    right = examine(model, facts).figures[0]
    assert right.floor is not None and right.value >= 0.5 > right.floor
    assert letter_bias(model, picks).bias > 0.4  # type: ignore[arg-type]
