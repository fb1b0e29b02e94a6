"""Speculative decoding: the law of what comes out is the model's own, by enumeration; several tokens at once are tokens one by one."""
from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.unit.test_decoding_transformer import ALL, EVERY, _one, body, listed
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.decoding._contract import tempered
from ilk.decoding.speculative import Speculative, chance, left
from ilk.errors import UsageError
from ilk.families.ngram import NGram
from ilk.families.transformer import Transformed, Transformer
from ilk.given import Begin
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many
from ilk.testing._same import chi_square

torch.set_num_threads(1)
END, MOST = 3, 4


def counts() -> Any:
    """A draft: an ngram of some of the items."""
    model = NGram(order=2).build(Many(Discrete(3), 4), Rng(0))
    model.fit(Memory(ALL.take(torch.arange(0, len(ALL), 3))), Run())
    return model


def laws(model: Any, temperature: float) -> dict[tuple[int, ...], Tensor]:
    """The log law after every beginning."""
    return {s: tempered(model.step(model.begin(_one(s)), None)[0], temperature) for s in EVERY}


def written(p: dict[tuple[int, ...], Tensor], q: dict[tuple[int, ...], Tensor], ahead: int) -> dict[tuple[int, ...], float]:
    """The exact law of what comes out: every draft, every place of the first guess not taken, every token in its place, round after round."""
    found: dict[tuple[int, ...], float] = {}

    def go_on(item: tuple[int, ...], mass: float) -> None:
        if len(item) == MOST or item[-1:] == (END,):
            found[item] = found.get(item, 0.0) + mass
        else:
            guess(item, mass, min(ahead, MOST - len(item) - 1))

    def guess(item: tuple[int, ...], mass: float, many: int) -> None:
        """The same as a tree: a guess is drawn; it is taken, or another token comes in its place and the round is over."""
        if not many or item[-1:] == (END,):
            for token in range(END + 1) if item[-1:] != (END,) else ():
                go_on((*item, token), mass * float(p[item][token].exp()))
            if item[-1:] == (END,):
                go_on(item, mass)
            return
        for token in range(END + 1):
            drawn = mass * float(q[item][token].exp())
            taken = chance(p[item], q[item], token)
            guess((*item, token), drawn * taken, many - 1)
            instead = left(p[item], q[item]).softmax(-1)
            for other in range(END + 1):
                go_on((*item, other), drawn * (1 - taken) * float(instead[other]))

    go_on((), 1.0)
    return found


@pytest.mark.parametrize("ahead", [1, 2, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_the_law_of_what_comes_out_is_that_of_the_model(ahead: int, temperature: float) -> None:
    """Total variation below 1e-10 over all items; the draft's own law is far off."""
    p, q = laws(body(1), temperature), laws(counts(), temperature)
    found = written(p, q, ahead)

    def mass(law: dict[tuple[int, ...], Tensor], item: tuple[int, ...]) -> float:
        return float(torch.stack([law[item[:t]][token] for t, token in enumerate(item)]).sum().exp())

    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)
    assert sum(abs(mass(p, item) - there) for item, there in found.items()) / 2 < 1e-10
    assert sum(abs(mass(q, item) - there) for item, there in found.items()) / 2 > 0.1


@pytest.mark.parametrize("ahead", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_draws_follow_the_law_of_the_model(ahead: int) -> None:
    b = body(3)
    seen = torch.zeros(len(EVERY))
    place = {item: i for i, item in enumerate(EVERY)}
    for item in listed(b.sample(1000, Rng(4), Speculative(draft=counts(), ahead=ahead))):
        seen[place[item]] += 1
    assert chi_square(seen, b.log_prob(ALL).exp() * 1000, "speculative") > 1e-4


def long(kv_heads: int = 0, ngrams: int = 0) -> Transformed:
    made = Transformer(layers=2, heads=4, width=32, context=8, kv_heads=kv_heads, ngrams=ngrams).build(Many(Discrete(5), 60), Rng(0))
    with torch.no_grad():
        for i, weights in enumerate(made.parameters()):
            weights.add_(0.3 * Rng(0).child("shake", i).normal(weights.numel(), 1).reshape(weights.shape).float())
    return made


@pytest.mark.parametrize(("kv_heads", "ngrams"), [(0, 0), (2, 0), (1, 64)])
def test_several_tokens_at_once_are_tokens_one_by_one(kv_heads: int, ngrams: int) -> None:
    """Over windows that begin anew, with some taken back each time."""
    b, tokens = long(kv_heads, ngrams), Rng(1).integers(40, 5)
    cache, one, at = b.begin(_one(())), b.begin(_one(())), 0
    while at < len(tokens):
        many = min(5, b.room(cache), len(tokens) - at)
        if many < 1:
            found, keeps = b.step(cache, tokens[at:at + 1]), 1
        else:
            found, keeps = b.read(cache, tokens[at:at + many]), max(1, many - 2)
            b.back(cache, many - keeps)
        for i in range(keeps):
            wanted = b.step(one, tokens[at + i:at + i + 1])[0]
            assert torch.allclose(found[i].log_softmax(-1), wanted.log_softmax(-1), atol=1e-5)
        at += keeps
        assert torch.allclose(b.step(cache, None).log_softmax(-1), b.step(one, None).log_softmax(-1), atol=1e-5)
    assert torch.equal(cache.length, one.length)


def test_items_depend_on_nothing_but_their_row_and_go_on_from_a_beginning() -> None:
    b, how = long(), Speculative(draft=NGram(order=2).build(Many(Discrete(5), 60), Rng(0)), ahead=3)
    whole = listed(b.sample(5, Rng(3), how))
    assert listed(b.sample(2, Rng(3).at(3), how)) == whole[3:] and listed(b.sample(2, Rng(3), how)) == whole[:2] and len(set(whole)) == 5
    begun = b.given(Begin(torch.tensor([1, 2, 3])), Rng(0))
    assert begun is not None and all(x[:3] == (1, 2, 3) for x in listed(begun.sample(3, Rng(0), how)))
    assert all(len(x) <= 4 for x in listed(b.sample(9, Rng(0), Speculative(draft=how.draft, most=4))))


def test_a_draft_that_is_the_model_is_always_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    b = long()
    asked: list[int] = []
    monkeypatch.setattr(b, "back", lambda cache, many: asked.append(many))
    assert len(b.sample(3, Rng(0), Speculative(draft=long(), ahead=3))) == 3 and not asked


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    texts = [f"{a}+{b}" for a in range(9) for b in range(9)]
    model = ilk.fit(texts, ilk.Transformer(layers=1, heads=2, width=16, context=16), budget=ilk.Steps(3))
    counts = ilk.fit(texts, ilk.NGram(order=2))
    assert len(ilk.sample(model, 3, seed=1, how=ilk.Speculative(draft=counts)).items) == 3
    for target, draft, why in ((model, None, "its draft"), (model, ilk.fit(["ab", "ba"] * 20, ilk.NGram(order=2)), "tokens"),
                               (counts, counts, "one by one"), (model, counts.given("1"), "given"), (model, counts.body, "")):
        if not why:
            assert len(target.sample(2, how=ilk.Speculative(draft=draft))) == 2
            continue
        with pytest.raises(UsageError, match=why):
            target.sample(1, how=ilk.Speculative(draft=draft))
    with pytest.raises(UsageError, match="tokens"):
        body().sample(1, Rng(0), Speculative(draft=long()))


def test_a_batch_is_unmoved_by_the_way_of_steps() -> None:
    """Rows of several lengths go on as they would alone."""
    b = long(2, 64)
    prompts = Batch(Batch(Rng(0).integers(9, 5)), length=torch.tensor([2, 7]))
    both, alone = b.begin(prompts), [b.begin(prompts.take(torch.tensor([i]))) for i in range(2)]
    for token in Rng(2).integers(20, 5):
        law = b.step(both, token.repeat(2))
        for i, one in enumerate(alone):
            assert torch.allclose(law[i].log_softmax(-1), b.step(one, token[None])[0].log_softmax(-1), atol=1e-5)
