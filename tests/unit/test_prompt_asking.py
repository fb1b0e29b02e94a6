"""Ways of asking: which examples are shown, how answers are read, asked for again and voted on. Models are scripts here."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import ilk
from ilk import registry
from ilk.backend import DEFAULT
from ilk.chat import Answer, Call, Delta, End, Pattern, Token, Turn, Want
from ilk.errors import DataError, ModelError, UsageError
from ilk.prompts import ChainOfThought, Example, FewShot, Json, Kept, Labels, SelfConsistency, Template, Variable, ZeroShot, ask


@dataclass
class Script:
    """A Chat that says what a function makes of turns and want."""

    says: Callable[[Sequence[Turn], Want], str]
    name: str = "script:"
    window: int | None = None
    heard: list[tuple[tuple[Turn, ...], Want]] = field(default_factory=list)

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        self.heard.append((tuple(turns), want))
        text = self.says(turns, want)
        yield Delta(text)
        yield Delta(end=End("stop", len(turns), len(text.split())))


def listed(*answers: str) -> Script:
    left = list(answers)
    return Script(lambda turns, want: left.pop(0))


TEXT = {"text": Variable()}
ABC = tuple(Example({"text": t}, t.upper(), r) for t, r in (("river bank", ""), ("money bank", "It is of money."), ("green tree", "")))
PLAIN = Template(name="p", body="{{text}}", variables=TEXT, examples=ABC)
MOOD = Template(name="m", body="{{text}}", variables=TEXT, output=Labels(("good", "bad")))


def shown(strategy: object, text: str = "bank of a river", seed: int = 0, prompt: Template = PLAIN) -> list[str]:
    model = Script(lambda turns, want: "Answer: x")
    ask(prompt, {"text": text}, model, strategy, seed=seed)  # type: ignore[arg-type]
    return [t.text for t in model.heard[0][0] if t.role == "user"][:-1]


def test_which_examples_are_shown() -> None:
    assert shown(ZeroShot()) == [] and shown(FewShot()) == ["river bank", "money bank", "green tree"] and shown(FewShot(k=2)) == ["river bank", "money bank"]
    assert shown(FewShot(k=1, chosen="nearest")) == ["river bank"] and shown(FewShot(k=2, chosen="nearest"), "some money bank") == ["river bank", "money bank"]
    assert shown(FewShot(k=1, chosen="nearest"), "greenish trees") == ["green tree"] and shown(FewShot(k=9, pool=(Example({"text": "z"}, "Z"),)))[-1] == "z"
    assert shown(FewShot(), "river bank") == ["money bank", "green tree"], "a question's own answer is not shown"
    drawn = [tuple(shown(FewShot(k=2, chosen="random"), seed=s)) for s in range(12)]
    assert len(set(drawn)) > 3 and drawn == [tuple(shown(FewShot(k=2, chosen="random"), seed=s)) for s in range(12)]
    assert shown(ChainOfThought()) == ["money bank"]


def test_the_nearest_by_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lengths:
        def embed(self, texts: Sequence[str]) -> np.ndarray:
            angle = np.array([len(t) for t in texts]) / 20
            return np.stack([np.cos(angle), np.sin(angle)], 1)

    monkeypatch.setattr("ilk.prompts.strategies.embedder_at", lambda address: {"lengths:": Lengths()}[address])
    pool = tuple(Example({"text": "x" * n}, "y") for n in (1, 5, 9, 20))
    prompt = Template(name="p", body="{{text}}", variables=TEXT)
    assert [len(t) for t in shown(FewShot(k=2, chosen="nearest", pool=pool, embedder="lengths:"), "z" * 8, prompt=prompt)] == [5, 9]


def test_labels_are_asked_for_by_shape_and_read() -> None:
    model = Script(lambda turns, want: " Good.")
    asked = ask(MOOD, {"text": "x"}, model)
    assert asked.value == "good" and asked.valid and asked.share == 1 and model.heard[0][1].shape == Pattern("good|bad") and (asked.read, asked.made) == (1, 1)


def test_invalid_answers_are_told_and_asked_for_again_as_often_as_said() -> None:
    asked = ask(MOOD, {"text": "x"}, listed("so so", "hm", "bad"), retries=2)
    assert asked.value == "bad" and len(asked.problems) == 2 and asked.answers == ("so so", "hm", "bad") and (asked.read, asked.made) == (1 + 3 + 5, 4)
    model = listed("so so", "hm")
    asked = ask(MOOD, {"text": "x"}, model, retries=1)
    assert asked.value is None and not asked.valid and asked.share == 0 and len(model.heard) == 2
    again = model.heard[1][0]
    assert [t.role for t in again] == ["user", "assistant", "user"] and "'so so' is none of good, bad" in again[2].text
    assert ask(Template(name="j", body="x", output=Json({"type": "integer"})), {}, listed("[]", "3"), retries=5).value == 3


def test_a_backend_that_refuses_what_lacks_the_shape_is_asked_again_too() -> None:
    def says(turns: Sequence[Turn], want: Want) -> str:
        if "not valid" in turns[-1].text:
            return "good"
        raise ModelError("the answer does not have the shape", code="SHAPE")

    asked = ask(MOOD, {"text": "x"}, Script(says), retries=1)
    assert asked.value == "good" and asked.problems == ("the answer does not have the shape",)
    assert not ask(MOOD, {"text": "x"}, Script(says)).valid


def test_reasoning_then_a_marker() -> None:
    model = Script(lambda turns, want: "2 + 2. Answer: 5? No.\nAnswer: 4 ")
    asked = ask(PLAIN, {"text": "2 + 2"}, model, ChainOfThought())
    assert asked.value == "4" and len(model.heard) == 1 and "step by step" in model.heard[0][0][-1].text and "'Answer:'" in model.heard[0][0][-1].text
    assert [t.text for t in model.heard[0][0]][:2] == ["money bank", "It is of money.\nMONEY BANK"]
    assert not ask(PLAIN, {"text": "q"}, "echo:no marker here", ChainOfThought()).valid


def test_reasoning_then_a_question_of_a_shape() -> None:
    model = listed("It is kind, so good.", "good")
    asked = ask(MOOD, {"text": "x"}, model, ChainOfThought())
    assert asked.value == "good" and asked.answers == ("It is kind, so good.", "good")
    assert [w.shape for _, w in model.heard] == [None, Pattern("good|bad")] and [t.text for t in model.heard[1][0]][1] == "It is kind, so good."
    assert {w.seed for _, w in model.heard} == {0}


def test_a_vote() -> None:
    asked = ask(MOOD, {"text": "x"}, listed("bad", "good", "hm", "GOOD", "good"), SelfConsistency(n=5, each=ZeroShot()))
    assert asked.value == "good" and asked.share == 3 / 5 and asked.tied == () and len(asked.problems) == 1
    asked = ask(MOOD, {"text": "x"}, listed("bad", "good", "good", "bad"), SelfConsistency(n=4, each=ZeroShot()))
    assert asked.value == "bad" and asked.share == 0.5 and asked.tied == ("good",)
    asked = ask(MOOD, {"text": "x"}, listed("1", "2"), SelfConsistency(n=2, each=ZeroShot()))
    assert asked.value is None and not asked.valid and asked.share == 0
    model = Script(lambda turns, want: "good")
    ask(MOOD, {"text": "x"}, model, SelfConsistency(n=6, each=ZeroShot(), temperature=0.9))
    assert len({w.seed for _, w in model.heard}) == 6 and {w.temperature for _, w in model.heard} == {0.9}


def test_ways_that_can_not_be_meant() -> None:
    for make in (lambda: FewShot(k=-1), lambda: FewShot(chosen="last"), lambda: SelfConsistency(n=0), lambda: SelfConsistency(temperature=0)):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            make()


def test_the_same_seed_asks_the_same() -> None:
    one, same, other = (Script(lambda turns, want: "Answer: x") for _ in range(3))
    for model, seed in ((one, 3), (same, 3), (other, 4)):
        ask(PLAIN, {"text": "t"}, model, SelfConsistency(n=3), seed=seed)
    assert one.heard == same.heard and one.heard != other.heard


def test_answers_are_kept(tmp_path: Path) -> None:
    model = Script(lambda turns, want: f"{turns[-1].text} {want.seed}\ud800")
    kept = Kept(model, tmp_path)
    turns, other = [Turn.of("user", "a")], [Turn.of("system", "a")]
    first = [Answer.of(kept.chat(t, Want(seed=s))).text for t in (turns, other) for s in (1, 2)]
    again = Kept(model, tmp_path)
    assert [Answer.of(again.chat(t, Want(seed=s))).text for t in (turns, other) for s in (1, 2)] == first
    assert (kept.new, kept.known, again.new, again.known, len(model.heard)) == (4, 0, 0, 4, 4)
    assert Answer.of(Kept(Script(model.says, "another:"), tmp_path).chat(turns, Want(seed=1))).text == first[0] and len(list(tmp_path.rglob("*.json"))) == 5
    Answer.of(again.chat(turns, Want(seed=1, shape=Pattern("a")))), Answer.of(again.chat(turns, Want(seed=1, temperature=0.5)))
    assert again.new == 2


def test_a_damaged_or_false_answer_is_asked_for_again(tmp_path: Path) -> None:
    model = Script(lambda turns, want: turns[-1].text)
    for text in ("a", "b"):
        Answer.of(Kept(model, tmp_path).chat([Turn.of("user", text)], Want()))
    one, other = sorted(tmp_path.rglob("*.json"))
    one.write_bytes(other.read_bytes()), other.write_bytes(b"{")
    again = Kept(model, tmp_path)
    assert [Answer.of(again.chat([Turn.of("user", t)], Want())).text for t in ("a", "b")] == ["a", "b"] and again.new == 2


def test_everything_of_an_answer_is_kept(tmp_path: Path) -> None:
    class Model:
        name, window = "m:", 7

        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            yield Delta("a", (Token("a", -0.5, (("b", -1.5),)),))
            yield Delta(call=Call("f", {"x": [1, None]}, "7"))
            yield Delta(end=End("calls", 3, 4))

    first, second = (Answer.of(Kept(Model(), tmp_path).chat([], Want(alternatives=1))) for _ in range(2))
    assert first == second and Kept(Model(), tmp_path).window == 7


def test_a_model_that_is_an_address_is_opened_only_when_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Answer.of(Kept("nonsense:", tmp_path).chat([], Want()))
    assert Kept("nonsense:", tmp_path).name == "nonsense:"


def test_any_model_that_answers_will_do(tmp_path: Path) -> None:
    free = Template(name="f", body="{{text}}", variables=TEXT)
    opened = ilk.open("echo:")
    assert ask(free, {"text": "hello"}, opened).value == "hello" == ask(free, {"text": "hello"}, Kept(opened, tmp_path)).value
    assert len(list(tmp_path.rglob("*.json"))) == 1
    with pytest.raises(UsageError, match="does not answer"):
        ask(free, {"text": "x"}, 3)


def test_a_broken_answer_is_not_kept(tmp_path: Path) -> None:
    class Breaks:
        name, window = "b:", None

        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            yield Delta("half")

    with pytest.raises(UsageError, match="broke off"):
        Answer.of(Kept(Breaks(), tmp_path).chat([], Want()))
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
def test_a_real_model_answers_in_the_shape_that_is_asked_for(tmp_path: Path) -> None:
    """Whatever it says, it is JSON of the schema and one of the labels; and the same again."""
    pytest.importorskip("xllamacpp")
    if "gguf" not in registry.names("backends"):
        pytest.skip("no backend gguf")
    schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
              "required": ["name", "age"], "additionalProperties": False}
    person = Template(name="person", body="Give name and age as JSON: {{text}}", variables=TEXT, output=Json(schema), want=Want(temperature=0.0, most=40))
    try:
        asked = ask(person, {"text": "Anna is 31 years old."}, Kept(DEFAULT, tmp_path))
    except DataError:
        pytest.skip("the model can't be had")
    assert asked.valid and set(asked.value) == {"name", "age"} and asked == ask(person, {"text": "Anna is 31 years old."})
    assert ask(MOOD, {"text": "I loved it."}, strategy=SelfConsistency(n=3, each=ZeroShot())).value in ("good", "bad")
