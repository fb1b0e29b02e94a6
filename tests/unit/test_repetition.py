"""Repetition controls against their definitions written out token by token, and against a model that loops."""
from __future__ import annotations

from math import log

import pytest
import torch
from tests.unit.test_decoding_transformer import body, listed
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.decoding.repetition import Repetition
from ilk.families.ngram import NGram, NGrams
from ilk.given import Begin
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many

torch.set_num_threads(1)


def slow(how: Repetition, law: Tensor, before: list[int]) -> list[float]:
    """One sequence's scores by the definitions."""
    found = []
    for token, weight in enumerate(law.double().log_softmax(-1).tolist()):
        score, count = weight + log(len(law)), before.count(token)
        if count:
            score = score / how.penalty if score > 0 else score * how.penalty
            score -= how.presence + how.frequency * count
        tail = [*before[len(before) - how.ngram + 1:], token] if how.ngram else []
        grams = [before[i:i + how.ngram] for i in range(len(before) - how.ngram + 1)] if how.ngram else []
        found.append(-torch.inf if how.ngram and tail in grams else score)
    return found


@pytest.mark.parametrize("how", [Repetition(penalty=1.5), Repetition(penalty=1, presence=0.7), Repetition(penalty=1, frequency=0.4), Repetition(penalty=0.8, ngram=1),
                                 Repetition(penalty=1, ngram=2), Repetition(penalty=1.3, presence=-0.2, frequency=0.1, ngram=3)])
def test_scores_are_those_of_the_definitions(how: Repetition) -> None:
    law = 2 * Rng(0).child("law").normal(20, 9)
    before = Rng(1).uniform(20, 12).mul(8).long() % 5
    for long in (0, 1, 2, 5, 12):
        wanted = torch.tensor([slow(how, law[i], before[i, :long].tolist()) for i in range(20)], dtype=torch.float64)
        assert torch.allclose(how.bent(law, before[:, :long]), wanted, atol=1e-12)
        assert torch.allclose(how.bent(law + 7.0, before[:, :long]), wanted, atol=1e-12), "log weights count up to a constant"


def test_no_control_is_the_law_itself() -> None:
    b, none = body(1), Repetition(penalty=1)
    assert listed(b.sample(100, Rng(0), none)) == listed(b.sample(100, Rng(0)))
    assert listed(b.sample(100, Rng(0), Repetition(penalty=1, temperature=0.5, p=0.7))) == listed(b.sample(100, Rng(0), ilk.TopP(temperature=0.5, p=0.7)))


@pytest.fixture(scope="module")
def looping() -> NGrams:
    """After 0 1 2 comes 0 almost always, and hardly ever one of the other tokens."""
    model = NGram(order=3).build(Many(Discrete(8), 40), Rng(0))
    items = [torch.tensor([0, 1, 2] * 13) for _ in range(50)] + [Rng(i).integers(30, 8) for i in range(3)]
    model.fit(Memory(Batch(Batch(torch.cat(items)), length=torch.tensor([len(x) for x in items]))), Run())
    assert isinstance(model, NGrams)
    return model


def distinct(model: NGrams, how: Repetition) -> float:
    """The share of trigrams of an item that are its first of their kind."""
    begun = model.given(Begin(torch.tensor([0, 1, 2])), Rng(0))
    assert begun is not None
    shares = []
    for item in listed(begun.sample(40, Rng(5), how)):
        grams = [item[i:i + 3] for i in range(len(item) - 2)]
        shares.append(len(set(grams)) / len(grams))
    return sum(shares) / len(shares)


def test_a_loop_is_left(looping: NGrams) -> None:
    """Untouched, the model says little but its loop; a stronger penalty leaves it sooner; no trigram comes twice when none may."""
    free, some, much = (distinct(looping, Repetition(penalty=x, most=30)) for x in (1.0, 1.6, 6.0))
    assert free < 0.4 and free < some < much and much > 0.5
    for control in (Repetition(penalty=1, presence=5.0, most=30), Repetition(penalty=1, frequency=2.0, most=30)):
        assert distinct(looping, control) > 0.5
    assert distinct(looping, Repetition(penalty=1, ngram=3, most=30)) == 1.0


def test_rows_keep_their_own_past_when_others_end() -> None:
    """Each item is what it is alone."""
    b, how = body(2), Repetition(penalty=2.0, frequency=0.5, ngram=2)
    whole = listed(b.sample(200, Rng(3), how))
    assert whole[::10] == [listed(b.sample(1, Rng(3).at(i), how))[0] for i in range(0, 200, 10)]
    assert all(len({x[i:i + 2] for i in range(len(x) - 1)}) == max(0, len(x) - 1) for x in whole)


def test_where_nothing_else_can_come_what_came_may_come() -> None:
    """Items of one length over two tokens can't do without repeating."""
    made = ilk.Transformer(layers=1, heads=2, width=16, context=8).build(Many(Discrete(2), 6, at_least=6), Rng(0))
    assert made.sample(5, Rng(0), Repetition(ngram=1)).lengths.tolist() == [6] * 5
