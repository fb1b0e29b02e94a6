"""Trials of prompts: tests against SciPy and simulation, a truth that was planted found, no truth no finding, and a search that does not flatter itself."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from ilk.chat import Delta, End, Turn, Want
from ilk.errors import DataError, UsageError
from ilk.prompts import FewShot, Kept, Labels, Rules, Template, Variable, trial
from ilk.prompts.improve import Search, improve
from ilk.prompts.measures import MEASURES, scored
from ilk.prompts.paired import mcnemar, paired, permutation
from ilk.prompts.trial import questions
from ilk.rng import Rng

TEXT = {"text": Variable()}


@dataclass
class Planted:
    """A model that is right with a chance that the system's turn says ("80 %"), by question and system independently; each example shown adds `helps`."""

    helps: float = 0.0
    luck: int = 0
    asked: int = 0
    name: str = "planted:"
    window: int | None = None

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        self.asked += 1
        told, question = turns[0].text, turns[-1].text
        chance = int(told.partition(" %")[0]) / 100 + self.helps * sum(t.role == "assistant" for t in turns)
        right = float(Rng(self.luck).child(told, question, len(turns)).uniform(1)[0]) < chance
        truth = int(question) % 2 == 0
        yield Delta("even" if truth == right else "odd")
        yield Delta(end=End("stop", 10, 1))


def prompt(told: str, version: int = 1) -> Template:
    return Template(name="parity", version=version, system=told, body="{{text}}", variables=TEXT, output=Labels(("even", "odd")))


def parity(n: int) -> list[dict[str, object]]:
    return [{"text": str(i), "expected": "odd" if i % 2 else "even"} for i in range(n)]


def test_mcnemar_is_the_binomial_test() -> None:
    for won, lost in product(range(0, 40, 6), range(0, 40, 6)):
        wanted = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
        assert mcnemar(won, lost) == pytest.approx(wanted, rel=1e-9)
    assert mcnemar(5100, 4900) == pytest.approx(stats.binomtest(5100, 10000).pvalue, rel=1e-9)


def test_the_permutation_test_counts_all_signs() -> None:
    gaps = np.array([0.5, -0.2, 0.9, 0.4, 0.3, -0.1, 0.7, 0.25])
    sums = np.array(list(product((-1, 1), repeat=8))) @ gaps
    exact = float((np.abs(sums) >= abs(gaps.sum()) - 1e-12).mean())
    assert permutation(gaps, Rng(0)) == pytest.approx(exact, abs=4 * sqrt(exact / 10_000))
    assert permutation(np.zeros(5), Rng(0)) == 1 and permutation(np.concatenate([gaps, np.zeros(9)]), Rng(0)) == pytest.approx(exact, abs=4 * sqrt(exact / 10_000))
    assert permutation(gaps, Rng(1)) == permutation(-gaps, Rng(1))


@pytest.mark.parametrize("graded", [False, True])
def test_intervals_cover_and_false_alarms_are_rare(graded: bool) -> None:
    """400 pairs of sides whose means differ by 0.1 (are equal): at least 92 % of the intervals hold it (at most 7 % of the equal ones are told apart)."""
    dice = np.random.Generator(np.random.Philox(key=7))
    held = alarms = 0
    many, n = (40, 40) if graded else (400, 120)
    for i in range(many):
        base = dice.uniform(size=n)
        a, b, c = (np.clip(base * 0.5 + dice.uniform(size=n) * 0.4 + up, 0,
                           1) if graded else (base * 0.5 + dice.uniform(size=n) * 0.5 < 0.6 + up).astype(float) for up in (0, 0, 0.1))
        truth = 0.1 if graded else _share(0.7) - _share(0.6)
        found = paired(a, c, graded, Rng(i))  # type: ignore[arg-type]
        held += found.low <= truth <= found.high
        alarms += paired(a, b, graded, Rng(i)).better is not None  # type: ignore[arg-type]
    assert held >= (0.88 if graded else 0.92) * many and alarms <= (0.1 if graded else 0.07) * many


def _share(below: float) -> float:
    """The chance that the mean of two uniform numbers is below."""
    return 1 - 2 * (1 - below) ** 2


def test_the_better_prompt_is_found_and_equal_ones_are_not_told_apart() -> None:
    found = trial([prompt("60 % right"), prompt("85 % right", 2)], parity(200), Planted())
    assert found.compared is not None and found.compared.better == "second" and found.compared.p < 0.001 and "parity@2 is better" in found.verdict
    assert found.compared.low < 0.25 < found.compared.high and found.sides[0].low < 0.6 < found.sides[0].high and found.sides[1].low < 0.85 < found.sides[1].high
    back = trial([prompt("85 % right", 2), prompt("60 % right")], parity(200), Planted())
    assert back.compared is not None and back.compared.better == "first" and back.compared.p == found.compared.p and back.compared.low == -found.compared.high
    few = trial([prompt("80 % right"), prompt("80 % too", 2)], parity(10), Planted())
    assert few.compared is not None and few.compared.better is None and "can't be told apart" in repr(few)
    same = trial([prompt("80 % right"), prompt("80 % right", 2)], parity(30), Planted())
    assert same.compared is not None and (same.compared.won, same.compared.lost, same.compared.p) == (0, 0, 1.0)


def test_false_alarms_of_whole_trials() -> None:
    alarms = sum(trial([prompt("75 % a"), prompt("75 % b", 2)], parity(25), Planted(luck=i)).compared.better is not None for i in range(200))  # type: ignore[union-attr]
    assert alarms <= 14


def test_a_trial_that_is_stopped_goes_on(tmp_path: Path) -> None:
    class Dies(Planted):
        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            if self.asked == 30:
                raise UsageError("the endpoint is down", code="ENDPOINT")
            return super().chat(turns, want)

    sides, rows = [prompt("70 % a"), prompt("70 % b", 2)], parity(40)
    with pytest.raises(UsageError, match="down"):
        trial(sides, rows, Kept(Dies(), tmp_path))
    model = Planted()
    kept = Kept(model, tmp_path)
    resumed = trial(sides, rows, kept)
    assert (model.asked, kept.known) == (50, 30) and resumed == trial(sides, rows, Planted()) == trial(sides, rows, Kept("planted:", tmp_path))


def test_a_question_that_does_not_fit_is_wrong_and_the_others_go_on() -> None:
    class Narrow(Planted):
        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            if turns[-1].text == "7":
                raise UsageError("2000 tokens, the window is 1000", code="CONTEXT")
            return super().chat(turns, want)

    found = trial(prompt("99 % right"), parity(20), Narrow())
    assert found.sides[0].invalid == 1 and found.sides[0].scores[7] == 0 and found.sides[0].answers[7].problems == ("2000 tokens, the window is 1000",)
    assert "1 invalid" in repr(found)


def test_metrics_at_their_ends(tmp_path: Path) -> None:
    free = Template(name="f", body="{{text}}", variables=TEXT)
    rows = {"text": ["The old  River.", "北京的秋天", "", "3.0"], "expected": ["the old river", "北京的春天", "x", "3"]}
    wanted = {"exact": [1, 0, 0, 0], "contains": [1, 0, 0, 1], "schema": [1, 1, 1, 1], "f1": [1, 0.8, 0, None], "rouge_l": [1, 0.8, 0, None]}
    for name, values in wanted.items():
        got = trial(free, rows, "echo:", Rules(metric=name)).sides[0].scores
        assert all(v is None or g == pytest.approx(v) for g, v in zip(got, values, strict=True)), name
        assert MEASURES[name].graded == (name in ("f1", "rouge_l"))
    pytest.importorskip("sacrebleu")
    got = trial(free, rows, "echo:", Rules(metric="chrf")).sides[0].scores
    assert 0.3 < got[0] < 1 and 0 < got[1] < 1 and got[2] == 0
    assert scored("exact", trial(free, {"text": ["a"], "expected": ["a"]}, "echo:").sides[0].answers[0], "a") == 1


def test_questions_from_files(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text('text,expected,id\n007,007,1\n"a, b\n{{c}}",x,2\n')
    (tmp_path / "q.jsonl").write_text('{"text": "007", "expected": "007"}\n{"text": "b", "expected": {"n": 1}}\n')
    pl.DataFrame({"text": ["a"], "expected": ["a"]}).write_parquet(tmp_path / "q.parquet")
    assert questions(tmp_path / "q.csv")[0]["text"] == "007" and questions(str(tmp_path / "q.csv"))[1]["text"] == "a, b\n{{c}}"
    assert len(questions(tmp_path / "q.jsonl")) == 2 and questions(tmp_path / "q.parquet") == [{"text": "a", "expected": "a"}] == questions({"text": ["a"], "expected": ["a"]})


def test_wrong_data_are_refused_before_anything_is_asked() -> None:
    model = Planted()
    for rows, rules, words in (([], Rules(), "no questions"), ([{"text": "1"}], Rules(), "no column 'expected' of right answers"),
                               ([{"txt": "1", "expected": "a"}], Rules(), "did you mean txt"),
                               ([{"text": "1", "expected": "a"}, {"text": None, "expected": "a"}], Rules(), "row 2: parity needs a value of 'text'"),
                               ([{"text": "1", "expected": "a"}, {"text": "2", "expected": None}], Rules(), "row 2 has no 'expected'"),
                               ([{"text": 3, "expected": "a"}], Rules(), "row 1: text is '3', which is no string")):
        with pytest.raises(DataError, match=words):
            trial(prompt("50 %"), rows, model, rules)
    for bad in ({"metric": "exakt"}, {"retries": -1}):
        with pytest.raises(UsageError):
            Rules(**bad)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="3 prompts"):
        trial([prompt("50 %")] * 3, parity(3), model)
    assert model.asked == 0


def test_a_better_instruction_is_found_and_judged_on_questions_of_its_own() -> None:
    found = improve(prompt("55 % right"), parity(200), Planted(), Search(instructions=("20 % right", "95 % right", "50 % right"), shots=0, tries=8))
    assert found.changed and found.best.system == "95 % right" and str(found.best) == "parity@2" and found.tried == 4
    assert found.test.compared is not None and found.test.compared.better == "second" and len(found.test.rows) == 80 and found.chosen_on == 80 and "80 others" in repr(found)


def test_examples_that_help_are_found() -> None:
    found = improve(prompt("50 % right"), parity(150), Planted(helps=0.12), Search(shots=4, tries=12))
    assert found.changed and len(found.best.examples) >= 2 and found.test.compared is not None and found.test.compared.better == "second"
    asked = {row["text"] for row in found.test.rows}
    assert not asked & {e.values["text"] for e in found.best.examples}, "examples are of the training part"


def test_the_luck_of_the_best_of_many_is_not_told() -> None:
    """32 candidates that are all alike: the chosen one's test score is near the truth, and it is hardly ever told apart from the old one."""
    scores, alarms = [], 0
    for luck in range(12):
        found = improve(prompt("50 % right"), parity(100), Planted(luck=luck), Search(instructions=tuple(f"50 % right {i}" for i in range(31)), shots=0, tries=32),
                        Rules(seed=luck))
        scores.append(found.test.sides[-1].score)
        alarms += found.test.compared is not None and found.test.compared.better is not None
    assert abs(np.mean(scores) - 0.5) < 4 * 0.5 / sqrt(12 * 40) and alarms <= 2


def test_equal_questions_are_in_one_part_and_few_are_refused() -> None:
    found = improve(prompt("50 % right"), parity(60) * 2, Planted(helps=0.2), Search(tries=6))
    shown, judged = {e.values["text"] for e in found.best.examples}, [r["text"] for r in found.test.rows]
    assert not shown & set(judged) and all(judged.count(t) == 2 for t in judged)
    with pytest.raises(DataError, match="20 different questions"):
        improve(prompt("50 % right"), parity(20) * 3, Planted())
    for bad in ({"tries": 1}, {"shots": -1}, {"write": 101}):
        with pytest.raises(UsageError):
            Search(**bad)  # type: ignore[arg-type]


def test_instructions_that_the_model_writes_are_data() -> None:
    class Writes(Planted):
        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            if "instructions" not in turns[0].text:
                return super().chat(turns, want)
            said = "90 % right" if want.seed % 2 else "{{ 90 }} % {% wrong"
            return iter([Delta(said), Delta(end=End("stop", 1, 1))])

    found = improve(prompt("40 % right"), parity(120), Writes(), Search(write=6, shots=0, tries=8))
    assert found.best.system == "90 % right" and found.tried == 2


def test_the_same_seed_gives_the_same_search() -> None:
    one, same = (improve(prompt("50 % right"), parity(80), Planted(helps=0.05), Search(tries=6), Rules(seed=3)) for _ in range(2))
    assert one == same


def test_few_shot_examples_do_not_change_what_is_asked() -> None:
    found = trial(prompt("80 % right"), parity(12), Planted(), Rules(strategy=FewShot(k=0)))
    assert found.sides[0].total("made") == 12 and found.sides[0].total("read") == 120
