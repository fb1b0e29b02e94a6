"""A source that every layer attends to: one law for scoring and drawing, all of it read, both ways, and its keys worked out once."""
from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softmax

import ilk
from ilk.batch import Batch, ragged
from ilk.families.transformer import Transformed, Transformer
from ilk.nets._decoder import Across, Decoder
from ilk.rng import Rng
from ilk.space import Discrete, Many

torch.set_num_threads(1)
ABOUT = {"caption": Many(Discrete(7), 6)}
CONTEXT = {"caption": ragged(Rng(3).integers(18, 7).view(3, 6), torch.tensor([6, 2, 4]))}


def body(most: int = 20, values: int = 5, **options: Any) -> Transformed:
    recipe = Transformer(**{"layers": 2, "heads": 4, "width": 32, "context": 8, "conditioning": "cross", **options})
    made = recipe.build(Many(Discrete(values), most), Rng(0), ABOUT)
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.3 * Rng(0).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def empty(n: int, context: dict[str, Batch]) -> Batch:
    return Batch(Batch(torch.zeros(0, dtype=torch.long)), length=torch.zeros(n, dtype=torch.long), context=context)


@pytest.mark.parametrize("kv_heads", [0, 2])
def test_scores_are_sums_of_steps(kv_heads: int) -> None:
    """Over windows that begin anew, in batches of rows that are picked and cut."""
    b = body(40, kv_heads=kv_heads)
    items = replace(b.draw(3, Rng(1), CONTEXT), context=CONTEXT)
    tokens, length = items.padded(0), items.lengths
    cache, total = b.begin(empty(3, CONTEXT)), torch.zeros(3, dtype=torch.float64)
    order = torch.arange(3)
    for t in range(int(length.max()) + 1):
        law = b.step(cache, None if not t else tokens[order, t - 1]).log_softmax(-1).double()
        target = torch.where(length[order] == t, torch.tensor(b.size), tokens[order, min(t, tokens.shape[1] - 1)])
        told = law.gather(1, target[:, None])[:, 0]
        total.index_add_(0, order, told.where(t <= length[order], torch.zeros(())))
        live = (length[order] > t).nonzero()[:, 0]
        if t == 3:
            assert torch.allclose(b.step(cache.cut(2), None), b.step(b.begin(replace(ragged(tokens[order, :2], torch.full((len(order),), 2)),
                                  context={"caption": CONTEXT["caption"].take(order)})), None), atol=1e-4)
        if not len(live):
            break
        cache, order = cache.pick(live), order[live]
    assert torch.allclose(total, b.log_prob(items), atol=1e-4)


def test_the_masses_of_all_items_sum_to_one_for_every_source() -> None:
    b = body(4, 3, context=16)
    every = [s for n in range(5) for s in product(range(3), repeat=n)]
    items = Batch(Batch(torch.tensor([t for s in every for t in s])), length=torch.tensor([len(s) for s in every]))
    sums = []
    for i in range(3):
        told = {"caption": CONTEXT["caption"].take(torch.full((len(every),), i))}
        sums.append(b.log_prob(replace(items, context=told)).exp())
        assert float(sums[-1].sum()) == pytest.approx(1.0, abs=1e-5)
    assert float((sums[0] - sums[1]).abs().sum()) > 0.05


def test_attention_is_that_of_the_formula() -> None:
    """softmax(q k / sqrt(size)) v, head by head."""
    shape = replace(Transformer(layers=1, heads=2, width=8).shape(5), cross=True)
    across = Across(shape)
    h, source = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)), torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))
    q = across.before(h) @ across.ask.weight.T
    k, v = (source @ w.T for w in across.hold.weight.chunk(2))
    heads: list[Tensor] = []
    for i in range(2):
        part = slice(4 * i, 4 * i + 4)
        heads.append(softmax(q[..., part] @ k[..., part].transpose(1, 2) / 2, -1) @ v[..., part])
    assert torch.allclose(across(h, across.held(source)), torch.cat(heads, -1) @ across.out.weight.T, atol=1e-6)


def test_every_place_of_the_source_sees_every_other_and_every_weight_learns() -> None:
    b = body()
    assert b.beside is not None and b.encoder is not None
    source = b.beside(CONTEXT).detach().requires_grad_()
    read = b.encoder(source)
    for i in range(source.shape[1]):
        (back,) = torch.autograd.grad(read[0, i].square().sum(), source, retain_graph=True)
        assert bool((back[0].abs().sum(1) > 0).all()) and not back[1:].any()
    batch = Batch(torch.stack([torch.tensor([[5, 1, 2]] * 3), torch.tensor([[1, 2, 5]] * 3)], 1), context=CONTEXT)
    b.loss(batch, Rng(0)).mean().backward()
    silent = [name for name, p in b.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == ["beside.missing"], "the captions here are never missing"


def test_what_is_kept_of_the_source_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    b, asked, held = body(40), [], Decoder.held

    def counted(self: Decoder, source: Tensor) -> Any:
        asked.append(len(source))
        return held(self, source)

    monkeypatch.setattr(Decoder, "held", counted)
    cache = b.begin(empty(3, CONTEXT))
    for token in range(30):
        b.step(cache, torch.full((3,), token % 5))
        cache = cache.pick(torch.tensor([2, 0, 1]))
    assert asked == [3]


@pytest.mark.slow
def test_speculation_goes_by_the_source_too() -> None:
    """The second token, which a draft without the source guesses, comes by the law given the source."""
    b, draft = body(), ilk.NGram(order=2).build(Many(Discrete(5), 20), Rng(0))
    one = {"caption": CONTEXT["caption"].take(torch.tensor([0]))}
    rows = torch.zeros(600, dtype=torch.long)
    made = b.draw(600, Rng(0), {"caption": one["caption"].take(rows)}, ilk.Speculative(draft=draft, most=3, ahead=1))
    begin = b.begin(empty(1, one))
    first = b.step(begin, None).softmax(-1)[0, :5]
    second = b.step(begin.pick(rows[:5]), torch.arange(5)).softmax(-1)
    seen = torch.bincount(made.padded(5)[made.lengths > 0, 1], minlength=6) / 600
    assert torch.allclose(seen, first @ second, atol=0.08)


def test_without_a_context_nothing_is_different() -> None:
    one, two = (Transformer(layers=1, heads=2, width=16, conditioning=how).build(Many(Discrete(3), 4), Rng(0)) for how in ("prefix", "cross"))
    assert {k: v.tolist() for k, v in one.state().tensors.items()} == {k: v.tolist() for k, v in two.state().tensors.items()}
