"""Laws of the recurrent networks: torch's own cells, causality, the kept state against the whole pass, total mass, the carried state."""
from __future__ import annotations

from itertools import product
from math import log
from typing import Any

import pytest
import torch
from torch import nn

from ilk.batch import Batch, Memory, ragged
from ilk.decoding.beam import Beam
from ilk.families._sequence_rows import Line
from ilk.families._sequence_streams import Carried, Streams
from ilk.families.rnn import RNN, Recurred
from ilk.nets._recurrent import Recurrent
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many, Space

torch.set_num_threads(1)
CELLS = ("lstm", "gru")
ORDER = {"lstm": (0, 1, 3, 2), "gru": (0, 1, 2)}  # torch's order of the gates


def body(size: int = 5, at_most: int = 60, about: dict[str, Space] | None = None, **options: Any) -> Recurred:
    """Weights large enough that every part of the network shows."""
    made = RNN(**{"layers": 2, "width": 12, "crop": 8, **options}).build(Many(Discrete(size), at_most), Rng(0), about)
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.4 * Rng(0).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def every(size: int, longest: int) -> Batch:
    found = [s for n in range(longest + 1) for s in product(range(size), repeat=n)]
    return Batch(Batch(torch.tensor([t for s in found for t in s])), length=torch.tensor([len(s) for s in found]))


def items(size: int, lengths: list[int], seed: int = 1) -> Batch:
    return Batch(Batch(Rng(seed).child("items").integers(sum(lengths), size)), length=torch.tensor(lengths))


def torchs(net: Recurrent, cell: str, i: int) -> nn.Module:
    """The same weights in torch's own layer."""
    theirs = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](net.shape[2], net.shape[2], batch_first=True)
    with torch.no_grad():
        for name, value in (("weight_ih", net.inputs[i].weight), ("bias_ih", net.inputs[i].bias), ("weight_hh", net.states[i])):
            parts = value.chunk(len(ORDER[cell]))
            getattr(theirs, f"{name}_l0").copy_(torch.cat([parts[j] for j in ORDER[cell]]))
        theirs.bias_hh_l0.zero_()  # type: ignore[operator, union-attr]
    return theirs


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_states_and_gradients_are_those_of_torch(cell: Any) -> None:
    with Rng(0).as_global():
        net = Recurrent(cell, 2, 6, 0.0)
        x, v = torch.randn(3, 9, 6, requires_grad=True), torch.randn(3, 9, 6)
    first, second = (torchs(net, cell, i) for i in (0, 1))
    out, state = net(x, torch.ones(3, 9, dtype=torch.bool), net.blank(3))
    h, one = first(x)
    more, two = second(h)
    want = h + more
    assert torch.allclose(out, want, atol=1e-6)
    for i, last in enumerate((one, two)):
        assert torch.allclose(state[:, i].transpose(0, 1), torch.cat(last) if cell == "lstm" else last, atol=1e-6)
    mine = torch.autograd.grad((out * v).sum(), [x, net.inputs[0].weight, net.states[0], net.states[1]])
    other = torch.autograd.grad((want * v).sum(), [x, first.weight_ih_l0, first.weight_hh_l0, second.weight_hh_l0])  # type: ignore[list-item]
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        assert torch.allclose(torch.cat([a.chunk(len(ORDER[cell]))[j] for j in ORDER[cell]]) if i else a, b, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_forgotten_is_forgotten_on_both_ways(cell: Any) -> None:
    """A row that begins anew in its middle is two rows: outputs and gradients."""
    with Rng(1).as_global():
        net, x, v = Recurrent(cell, 2, 6, 0.0), torch.randn(2, 8, 6), torch.randn(2, 8, 6)
    keep = torch.ones(2, 8, dtype=torch.bool)
    keep[0, 3] = keep[1, 5] = False
    out, _ = net(x, keep, net.blank(2))
    parts = [(0, 0, 3), (0, 3, 8), (1, 0, 5), (1, 5, 8)]
    apart = [net(x[i:i + 1, a:b], torch.ones(1, b - a, dtype=torch.bool), net.blank(1))[0] for i, a, b in parts]
    want = torch.cat(apart, 1)
    assert torch.allclose(out.reshape(1, 16, 6), want, atol=1e-6)
    mine = torch.autograd.grad((out * v).sum(), list(net.parameters()))
    other = torch.autograd.grad((want * v.reshape(1, 16, 6)).sum(), list(net.parameters()))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(mine, other, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_all_items_together_have_mass_one(cell: str) -> None:
    for size, longest in ((2, 5), (4, 4)):
        assert float(body(size, longest, cell=cell).log_prob(every(size, longest)).exp().sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_are_the_law_that_scores(cell: str) -> None:
    """Prompts of several lengths, longer than a piece, picked and cut on the way."""
    b, x = body(at_most=300, cell=cell), items(5, [220] * 4)
    padded, starts = x.padded(0), torch.tensor([0, 3, 70, 200])
    cache, token, total = b.begin(ragged(padded, starts)), None, torch.zeros(4).double()
    for t in range(20):
        if t == 7:
            cache = cache.pick(torch.tensor([0, 1, 2, 3]))
        law = b.step(cache, token).double().log_softmax(1)
        token = padded[torch.arange(4), starts + t]
        total += law[torch.arange(4), token]
    want = [b.log_prob_from(ragged(padded, starts + 20), int(s), end=False)[i] for i, s in enumerate(starts)]
    assert torch.allclose(total, torch.stack(want), atol=1e-4)
    assert torch.allclose(b.step(cache.cut(71), None), b.step(b.begin(ragged(padded, (starts + 19).clamp_max(71))), None), atol=1e-4)


def test_a_token_depends_on_all_before_it_and_on_none_after() -> None:
    b, x = body(), items(5, [30]).elements.tensor
    (_, nats), = b.pieces(Batch(Batch(x), length=torch.tensor([30])))
    for place in (0, 7, 28, 29):
        y = x.clone()
        y[place] = (y[place] + 1) % 5
        (_, other), = b.pieces(Batch(Batch(y), length=torch.tensor([30])))
        changed = (nats != other)[0]
        assert not bool(changed[:place].any()) and bool(changed[place:].all())


def test_items_score_alike_in_any_company() -> None:
    b, x = body(at_most=200), items(5, [0, 3, 150, 64, 63, 65, 1])
    alone = torch.cat([b.log_prob(x.cut(i, i + 1)) for i in range(7)])
    assert torch.allclose(b.log_prob(x), alone, atol=1e-4)


def test_a_new_network_knows_nothing() -> None:
    """About ln 65 nats a character before training, and no better than their entropy once they are shuffled."""
    b = RNN(width=64).build(Many(Discrete(65), 1000), Rng(0))
    x = items(65, [1000])
    assert -float(b.log_prob_from(x, 0, end=False)) / 1000 == pytest.approx(log(66), abs=0.05)


@pytest.mark.learns
def test_what_is_shuffled_teaches_no_more_than_how_often_each_token_comes() -> None:
    weight = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    train, test = (Batch(Batch(Rng(i).pick(weight.log(), 8000)), length=torch.tensor([8000])) for i in (1, 2))
    b = RNN(layers=1, width=24, crop=16, epochs=2).build(Many(Discrete(4), 10_000), Rng(0))
    b.fit(Memory(train), Run(seed=0, budget=Steps(150), batch=16))
    entropy = -float((weight * weight.log()).sum())
    assert entropy - 0.02 < -float(b.log_prob_from(test, 0, end=False)) / 8000 < entropy + 0.04


def test_streams_read_every_target_once_round_and_go_on() -> None:
    line = Line.of(items(5, [40, 0, 7]), 5)
    source = Streams(line, Carried(torch.zeros(3, 1)), 10)
    assert source.many == 50
    crops = [source.take(torch.arange(3)).tensor for _ in range(10)]
    for crop in crops:
        assert torch.equal(crop[:, 0, 1:], crop[:, 1, :-1])
    whole = torch.cat([crop[:, 1] for crop in crops], 1)
    assert torch.equal(whole[0, :50], line.tokens[1:].long()) and torch.equal(whole[1, :50], line.tokens[1:].long().roll(-16))


def test_a_fit_carries_its_state_and_leaves_none() -> None:
    """Crops of two tokens whose first depends on what stood nine places before: only a state that is carried can know."""
    bits = Rng(3).child("bits").integers(8, 2)
    x = Batch(Batch(bits.repeat(500)), length=torch.tensor([4000]))
    found = []
    for carry in (True, False):
        b = RNN(layers=1, width=32, crop=2, cell="gru", dropout=0.0).build(Many(Discrete(2), 10_000), Rng(0))
        weight = None if carry else torch.ones(1, dtype=torch.float64)
        b.fit(Memory(Batch(x.elements, length=x.lengths, weight=weight)), Run(seed=0, budget=Steps(400), batch=32, rate=1e-2))
        assert not [name for name in b.state().tensors if "carried" in name]
        found.append(-float(b.log_prob_from(x, 0, end=False)) / 4000)
    assert found[0] < 0.1 < found[1]


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_a_grammar(cell: Any) -> None:
    """Items repeat their first token: beyond it all is certain."""
    first = Rng(0).integers(600, 4)
    data = Memory(ragged(first[:, None].repeat(1, 4), torch.full((600,), 4)))
    b = RNN(cell=cell, layers=1, width=24, crop=10, dropout=0.0).build(Many(Discrete(4), 8), Rng(0))
    b.fit(data, Run(seed=0, budget=Steps(200), batch=24, rate=1e-2))
    entropy = -float((torch.bincount(first).double() / 600).log()[first].mean())
    assert -float(b.log_prob(data.batch).mean()) < entropy + 0.05


def test_a_wide_beam_finds_the_likeliest_item() -> None:
    b, batch = body(3, 4), every(3, 4)
    best = batch.take(b.log_prob(batch).argmax()[None])
    found = b.sample(1, Rng(0), Beam(width=200))
    assert found.elements.tensor.tolist() == best.elements.tensor.tolist()
