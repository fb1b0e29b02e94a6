"""A model at an address as an ilk Model: it samples, goes on, answers, scores, is saved and raced, all by the verbs that others use."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ilk
from ilk import backend
from ilk.chat import Chat, Delta, End, Token, Turn, Want
from ilk.errors import ModelError, UsageError
from ilk.rng import Rng

LETTERS = {"a": 0.5, "b": 0.25, "": 0.25}   # the law of the next letter; "" ends a text


@dataclass(frozen=True)
class Coin:
    """A law of letters that can be worked out by hand; what it was asked with is kept."""

    name: str = "coin:"
    window: int | None = None
    asked: list[Any] = None  # type: ignore[assignment]

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        self.asked.append(want)
        u = Rng(want.seed).uniform(64).tolist()
        said = ""
        for x in u:
            if x >= 0.75:
                break
            said += "a" if x < 0.5 else "b"
        yield Delta(said)
        yield Delta(end=End("stop", 0, len(said)))

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        self.asked.append(tuple(turns))
        return self.continued("", want)

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        return tuple(Token(c, math.log(LETTERS[c])) for c in (*text, *([""] if ended else [])))


@pytest.fixture
def coin(monkeypatch: pytest.MonkeyPatch) -> Coin:
    one = Coin(asked=[])
    monkeypatch.setattr("ilk.families.pretrained.chat_at", lambda address: one)
    return one


def test_samples_follow_the_law(coin: Coin) -> None:
    texts = ilk.open("echo:").sample(4000, seed=3)
    for text in ("", "a", "ab", "aa"):
        p = math.exp(sum(t.nats for t in coin.weigh(text, "", True)))
        assert abs(texts.count(text) / 4000 - p) < 4 * (p * (1 - p) / 4000) ** 0.5


def test_item_i_depends_on_nothing_but_i(coin: Coin) -> None:
    model = ilk.open("echo:")
    assert model.sample(3, seed=1) == model.sample(9, seed=1)[:3]
    assert model.sample(9, seed=1) != model.sample(9, seed=2)


def test_score_counts_the_end(coin: Coin) -> None:
    score = ilk.open("echo:").score(["ab", ""])
    assert score.nats.tolist() == pytest.approx([math.log(0.5 * 0.25 * 0.25), math.log(0.25)])
    assert (score.sort, score.measure) == ("bound", ilk.fit(["one", "two", "ten"] * 3, ilk.NGram(order=2)).score(["one"]).measure)


def test_what_is_wanted_is_passed_on(coin: Coin) -> None:
    ilk.open("echo:", most=7).sample(1, how=ilk.TopP(p=0.5, temperature=0.25))
    want = coin.asked[-1]
    assert (want.top_p, want.temperature, want.most) == (0.5, 0.25, 7)
    ilk.open("echo:").sample(1, how=ilk.TopK(k=4, most=3))
    assert (coin.asked[-1].top_k, coin.asked[-1].most) == (4, 3)
    with pytest.raises(UsageError, match="can't be asked"):
        ilk.open("echo:").sample(1, how=ilk.Beam(width=3))


def test_a_bare_string_is_a_prompt_and_a_rule_is_a_rule(coin: Coin) -> None:
    model = ilk.open("echo:", system="Be short.")
    model.given("What is 1 + 1?").sample(1)
    assert [(t.role, t.text) for t in coin.asked[-2]] == [("system", "Be short."), ("user", "What is 1 + 1?")]
    assert model.given("prefix == 'ab'").sample(2)[0].startswith("ab")
    assert model.given("prefix == 'ab'").met.met.sort == "guided"


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = ilk.open("echo:Yes.", system="S", most=5)
    model.save(tmp_path / "m.ilk")
    again = ilk.load(tmp_path / "m.ilk")
    assert again.body.family == model.body.family
    assert again.given("?").sample() == ["Yes."]
    with pytest.raises(ModelError):
        again.body.restore(ilk.open("echo:No.").body.state())


def test_weighs_and_answers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        name, window = "mute", None

        def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
            return iter([Delta("Hm."), Delta(end=End("stop", 1, 1))])

    mute: Chat = Mute()
    monkeypatch.setattr("ilk.families.pretrained.chat_at", lambda address: mute)
    model = ilk.open("echo:")
    assert model.given("Well?").sample() == ["Hm."]
    with pytest.raises(UsageError, match="prompt"):
        model.sample()
    with pytest.raises(UsageError, match="no likelihood"):
        model.score(["a"])


def test_fit_evaluate_and_no_address(coin: Coin) -> None:
    texts = ilk.open("echo:").sample(60, seed=5)
    texts = [t for t in texts if t]
    model = ilk.fit(texts, ilk.Pretrained(address="echo:"))
    found = ilk.evaluate(model, texts, n=20)
    assert found.metrics
    with pytest.raises(UsageError, match="names no model"):
        ilk.fit(texts, ilk.Pretrained())


@pytest.mark.parametrize("address, code", [("no colon", "ADDRESS"), ("nowhere:x", "UNKNOWN_BACKENDS"), ("echo:?window=zero", "OPTION"), ("echo:?size=3", "OPTION")])
def test_addresses_that_are_none(address: str, code: str) -> None:
    with pytest.raises(UsageError) as why:
        backend.chat_at(address)
    assert why.value.code == code


def test_an_address_is_a_model_to_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from ilk.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["sample", "echo:A short text.", "-n", "2", "--prompt", "Say something."]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["A short text."] * 2
    Path("t.txt").write_text("A short text.\nAnother text.\n", encoding="utf-8")
    assert main(["score", "echo:A short text.", "t.txt"]) == 0
    assert "bound" in capsys.readouterr().out
    assert main(["sample", "nowhere:x"]) == 4
    assert "error[" in capsys.readouterr().err


def test_an_address_takes_part_in_a_race() -> None:
    from ilk.verbs._entrants import entrants

    data = ilk.read([f"text number {i}" for i in range(60)])
    asked, _ = entrants(ilk.dataset.split_dataset(data), ["ngram", "echo:text"])
    assert [(e.name, e.kind) for e in asked][:2] == [("ngram", "family"), ("echo:text", "family")]
    everyone, out = entrants(ilk.dataset.split_dataset(data))
    assert "names no model" in out["pretrained"] and "pretrained" not in [e.name for e in everyone]
