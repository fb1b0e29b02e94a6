"""Answers of several at once: each is what it is alone, whoever else comes and goes; what was read is not read again."""
from __future__ import annotations

import threading
from functools import cache
from typing import Any, cast

import pytest
import torch

import ilk
from ilk.backends.local import LocalModel
from ilk.batch import ragged
from ilk.chat import Answer, Want
from ilk.distribution import NextToken
from ilk.model import Model
from ilk.serve.engine.known import Known
from ilk.serve.engine.side import SideBySide
from ilk.serve.engine.tokens import Shared

WORDS = ["the cat sat on the mat", "a dog ran to the cat", "the mat is on a dog", "a cat and a dog sat"] * 30


@cache
def model(name: str) -> Model:
    recipe: Any = {"transformer": ilk.Transformer(layers=2, heads=2, width=16, context=32), "rnn": ilk.RNN(layers=1, width=16), "ngram": ilk.NGram(order=3)}[name]
    return ilk.fit(WORDS, recipe, budget=ilk.Steps(20)) if name != "ngram" else ilk.fit(WORDS, recipe)


def _begun(body: NextToken, ids: list[int]) -> Any:
    return body.begin(ragged(torch.tensor([ids], dtype=torch.long).reshape(1, -1), torch.tensor([len(ids)])))


FAMILIES = ("transformer", "rnn", "ngram")


@pytest.mark.parametrize("name", FAMILIES)
def test_sequences_side_by_side_have_the_laws_that_they_have_alone(name: str) -> None:
    body = cast(NextToken, model(name).body)
    starts, going = [[1, 2, 3], [2], list(range(1, 14)), [4, 5, 6, 7, 1, 2]], [3, 1, 2, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 1, 2, 3, 4]
    with torch.inference_mode():
        alone = [_begun(body, ids) for ids in starts]
        laws = [[body.step(one, None if t is None else torch.tensor([t])).clone() for t in (None, *going)] for one in alone]
        side = [_begun(body, ids) for ids in starts]
        together = side[0].joined(side[1:])
        for i, token in enumerate([None, *going]):
            found = body.step(together, None if token is None else torch.tensor([token] * 4))
            torch.testing.assert_close(found, torch.cat([one[i] for one in laws]), rtol=0, atol=2e-4)
            if i == 8:   # one leaves, and comes back beside the others
                together = together.pick(torch.tensor([1, 2, 3])).joined([together.pick(torch.tensor([0]))])
                laws = [laws[k] for k in (1, 2, 3, 0)]


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_of_many_threads_are_those_of_one(name: str) -> None:
    plain, shared = LocalModel("m", model(name)), Shared("m", model(name))
    asked = [("the cat", Want(most=40 + i, seed=i, alternatives=0)) for i in range(8)]
    expected = [Answer.of(plain.continued(text, want)) for text, want in asked]
    found: list[Any] = [None] * len(asked)
    start = threading.Barrier(len(asked))

    def work(i: int) -> None:
        start.wait(20)
        found[i] = Answer.of(shared.continued(*asked[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [a.text for a in found] == [a.text for a in expected]
    assert [t.nats for a in found for t in a.tokens] == pytest.approx([t.nats for a in expected for t in a.tokens], abs=1e-3)
    assert shared.side.rows > shared.side.steps and not shared.side.seats, "some steps were made for several, and all have left"


def test_one_that_is_slow_does_not_hold_up_the_others() -> None:
    shared = Shared("m", model("rnn"))
    slow = shared.continued("the", Want(most=50))
    next(slow)
    assert Answer.of(shared.continued("a dog", Want(most=20))).text == Answer.of(LocalModel("m", model("rnn")).continued("a dog", Want(most=20))).text
    slow.close()  # type: ignore[attr-defined]
    assert not shared.side.seats


@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_read_is_not_read_again(name: str) -> None:
    plain, shared = LocalModel("m", model(name)), Shared("m", model(name))
    for text in ("the cat sat on", "the cat sat on", "the cat sat on the mat", "the cat ran to", "the cat sat"):
        want = Want(most=6, temperature=0, alternatives=0)
        expected, found = Answer.of(plain.continued(text, want)), Answer.of(shared.continued(text, want))
        assert found.text == expected.text
        assert [t.nats for t in found.tokens] == pytest.approx([t.nats for t in expected.tokens], abs=1e-3)
    ended = Answer.of(shared.continued("the cat sat on", Want(most=1))).end
    assert ended.reused == ended.read if name != "transformer" else ended.reused >= ended.read - 1 > 0
    assert Answer.of(shared.continued("quite another", Want(most=1))).end.reused == 0


def test_a_transformer_goes_on_from_a_beginning_that_two_questions_share() -> None:
    shared = Shared("m", model("transformer"))
    list(shared.continued("the cat sat", Want(most=1)))
    assert Answer.of(shared.continued("the cat ran", Want(most=1))).end.reused == len("the cat ")


def test_no_more_is_kept_than_there_is_room_for() -> None:
    body = cast(NextToken, model("rnn").body)
    known = Known(body, 40_000)
    for i in range(200):
        known.keep([i, *range(10)], _begun(body, [1, 2, 3]))
    assert 0 < len(known.kept) < 200 and sum(size for _, size in known.kept.values()) <= 40_000


def test_a_fault_of_a_step_is_told_to_all_that_wait() -> None:
    class Broken:
        def begin(self, prompt: Any) -> Any: ...
        def step(self, cache: Any, token: Any) -> Any:
            raise RuntimeError("no law")

    body = cast(NextToken, model("rnn").body)
    side = SideBySide(cast(Any, Broken()))
    seat = side.sit(_begun(body, [1]))
    with pytest.raises(RuntimeError):
        side.step(seat, 1)
    assert not side.busy
