"""Laws of the WaveNet: torch's own dilated convolutions, what a level sees, rings against the whole, total mass, what it learns."""
from __future__ import annotations

from itertools import product
from math import log, pi
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, linear, relu

from ilk.batch import Batch, Memory, ragged
from ilk.decoding.top_k import TopK
from ilk.errors import UsageError
from ilk.families._sequence_rows import Line, cut_rows
from ilk.families.wavenet import WaveNet, Waves
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many, Space

torch.set_num_threads(1)
OUTPUTS = ("categorical", "logistic")


def body(size: int = 5, at_most: int = 200, about: dict[str, Space] | None = None, **options: Any) -> Waves:
    """Weights large enough that every part of the network shows."""
    made = WaveNet(**{"layers": 5, "cycle": 3, "width": 8, "skip": 8, "parts": 3, **options}).build(Many(Discrete(size), at_most), Rng(0), about)
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.4 * Rng(0).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def every(size: int, longest: int) -> Batch:
    found = [s for n in range(longest + 1) for s in product(range(size), repeat=n)]
    return Batch(Batch(torch.tensor([t for s in found for t in s])), length=torch.tensor([len(s) for s in found]))


def items(size: int, lengths: list[int]) -> Batch:
    return Batch(Batch(Rng(1).child("items").integers(sum(lengths), size)), length=torch.tensor(lengths))


def nats_of(b: Waves, x: Tensor) -> Tensor:
    """-log p of every level of one item and of its end."""
    line, rows = b.rows(Batch(Batch(x), length=torch.tensor([len(x)])))
    with torch.no_grad():
        return b.scored(line, rows, {})[0]


def test_layers_are_dilated_convolutions() -> None:
    net, tokens = body().net, Rng(2).integers(30, 6)[None]
    h, total = net.embed(tokens).mT, 0.0
    for layer in net.layers:
        both = layer.both.weight.unflatten(1, (2, -1)).movedim(1, 2)  # type: ignore[union-attr, operator]
        raw = conv1d(torch.nn.functional.pad(h, (layer.dilation, 0)), both, layer.both.bias, dilation=layer.dilation)  # type: ignore[union-attr, arg-type]
        one, other = raw.chunk(2, 1)
        gone = linear((one.tanh() * other.sigmoid()).mT, layer.out.weight, layer.out.bias).mT  # type: ignore[union-attr, arg-type]
        h, total = h + gone[:, :8], total + gone[:, 8:]
    want = net.head(relu(net.mix(relu(total.mT))))  # type: ignore[union-attr]
    assert torch.allclose(net(tokens, None), want[:, net.sees - 1:], atol=1e-5)


@pytest.mark.parametrize(("layers", "cycle", "sees"), [(1, 5, 2), (3, 3, 8), (5, 3, 11), (4, 2, 7)])
def test_a_level_sees_so_many_before_it_and_no_more(layers: int, cycle: int, sees: int) -> None:
    b, x = body(layers=layers, cycle=cycle), items(5, [40]).elements.tensor
    assert b.net.sees == sees
    nats = nats_of(b, x)
    for place in (0, 13, 39):
        y = x.clone()
        y[place] = (y[place] + 1) % 5
        changed = (nats_of(b, y) - nats).abs() > 1e-7
        assert changed.nonzero()[:, 0].tolist() == list(range(place, min(41, place + sees + 1)))


@pytest.mark.parametrize("output", OUTPUTS)
def test_all_items_together_have_mass_one_and_are_drawn_by_it(output: str) -> None:
    b, batch = body(3, 4, output=output), every(3, 4)
    law = b.log_prob(batch).exp()
    assert float(law.sum()) == pytest.approx(1.0, abs=1e-5)
    seen = torch.bincount(b.sample(5000, Rng(1)).lengths, minlength=5) / 5000
    want = torch.stack([law[batch.lengths == n].sum() for n in range(5)])
    assert float((seen - want).abs().max()) < 0.03


@pytest.mark.parametrize("output", OUTPUTS)
def test_rings_go_on_as_the_whole_does(output: str) -> None:
    """Beginnings of several lengths, picked and cut on the way, gone on for longer than any ring."""
    b, x = body(output=output), items(5, [100] * 4)
    padded, starts = x.padded(0), torch.tensor([0, 3, 17, 60])
    cache, token, total = b.begin(ragged(padded, starts)), None, torch.zeros(4).double()
    for t in range(40):
        if t == 7:
            cache = cache.pick(torch.tensor([0, 1, 2, 3]))
        law = b.step(cache, token).double().log_softmax(1)
        token = padded[torch.arange(4), starts + t]
        total += law[torch.arange(4), token]
    want = [b.log_prob_from(ragged(padded, starts + 40), int(s), end=False)[i] for i, s in enumerate(starts)]
    assert torch.allclose(total, torch.stack(want), atol=1e-4)
    assert torch.allclose(b.step(cache.cut(41), None), b.step(b.begin(ragged(padded, (starts + 39).clamp_max(41))), None), atol=1e-4)


def test_what_is_drawn_from_rings_is_what_the_whole_would_say() -> None:
    """The likeliest level each time, against the whole network run anew for every level."""
    b = body(16, 60)
    made = b.sample(1, Rng(0), TopK(k=1)).elements.tensor
    line = torch.full((b.net.sees,), 16)
    for level in made.tolist():
        with torch.no_grad():
            assert int(b.net(line[None, -b.net.sees:], None)[0, -1].argmax()) == level
        line = torch.cat([line, torch.tensor([level])])


def test_items_score_alike_in_any_company_and_cut_anyhow(monkeypatch: pytest.MonkeyPatch) -> None:
    b, x = body(), items(5, [0, 3, 150, 64, 1, 200])
    whole = b.log_prob(x)
    assert torch.allclose(whole, torch.cat([b.log_prob(x.cut(i, i + 1)) for i in range(6)]), atol=1e-4)
    monkeypatch.setattr("ilk.families.wavenet.LONGEST", 7)
    assert torch.allclose(whole, b.log_prob(x), atol=1e-4)


def test_rows_predict_every_level_once() -> None:
    line = Line.of(items(5, [40, 0, 7, 100]), 5, lead=6)
    rows = cut_rows(line, 16)
    inputs, targets, at = rows.read(line)
    item, place = line.owner(at[targets >= 0])
    assert sorted(zip(item.tolist(), place.tolist(), strict=True)) == [(i, t) for i, n in enumerate((40, 0, 7, 100)) for t in range(n + 1)]
    assert bool((targets[:, :5] == -1).all()) and bool((inputs[place[0]] >= 0).all())


def test_logistics_leave_the_end_a_chance_of_its_own() -> None:
    b = body(4, 3, output="logistic")
    law = b.step(b.begin(items(4, [0, 1, 2])), None)
    assert torch.allclose(law.exp().sum(1), torch.ones(3), atol=1e-5)


def test_a_new_network_knows_nothing() -> None:
    b = WaveNet(width=16).build(Many(Discrete(256), 4000), Rng(0))
    x = items(256, [2000])
    assert -float(b.log_prob_from(x, 0, end=False)) / 2000 == pytest.approx(log(257), abs=0.1)


@pytest.mark.learns
@pytest.mark.parametrize("output", OUTPUTS)
def test_it_learns_tones(output: Any) -> None:
    """Sines of any phase with a level of noise: far below what the levels' shares say, and not below the noise."""
    phase = 2 * pi * Rng(0).uniform(80, 1)
    clean = 7.5 + 6 * torch.sin(phase + torch.arange(60) * 2 * pi / 11)
    x = (clean + Rng(1).uniform(80, 60) - 0.5).round().long().clamp(0, 15)
    batch = ragged(x, torch.full((80,), 60))
    b = WaveNet(layers=4, cycle=4, width=16, skip=32, output=output, parts=4).build(Many(Discrete(16), 60), Rng(0))
    b.fit(Memory(batch), Run(seed=0, budget=Steps(150), batch=8, rate=1e-2))
    found = -float(b.log_prob_from(batch, 0, end=False).sum()) / x.numel()
    share = torch.bincount(x.flatten(), minlength=16).double() / x.numel()
    assert 0.2 < found < 1.4 < -float((share * share.clamp_min(1e-9).log()).sum())


def test_a_single_level_is_refused() -> None:
    with pytest.raises(UsageError, match="two levels"):
        WaveNet().build(Many(Discrete(1), 4), Rng(0))
