"""Hidden Markov models by brute force over all paths, by counts of what is drawn, and by what was planted."""
from __future__ import annotations

from itertools import product
from math import lgamma, log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory, stack
from ilk.families._hmm_chain import Moves, Seen, backward, forward, likeliest
from ilk.families._poisson import poisson
from ilk.families.hmm import HMM, Hidden
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many, Reals
from ilk.store import State

torch.set_num_threads(1)


def moves(k: int, at_most: int, seed: int) -> Moves:
    start, move = (-Rng(seed).child(name).uniform(n, k + 1).log() for name, n in (("start", 1), ("move", k)))
    return Moves((start / start.sum())[0], move / move.sum(1, keepdim=True), at_most)


def paths(m: Moves, log_fit: Tensor) -> dict[tuple[int, ...], float]:
    """log p(path, elements) of one sequence, straight from the definition."""
    found = {}
    for path in product(range(len(m.move)), repeat=len(log_fit)):
        total = float(m.start[path[0]].log()) + sum(float(log_fit[t, s]) for t, s in enumerate(path))
        total += sum(float(m.move[a, b].log()) for a, b in zip(path, path[1:], strict=False))
        found[path] = total + (float(m.end[path[-1]].log()) if len(path) < m.at_most else 0.0)
    return found


@pytest.mark.parametrize(("length", "at_most"), [(7, 7), (5, 9), (1, 4)])
def test_forward_and_viterbi_are_those_over_all_paths(length: int, at_most: int) -> None:
    m, log_fit = moves(3, at_most, seed=length), 3 * Rng(9).normal(length, 3)
    every = paths(m, log_fit)
    best = max(every, key=lambda p: every[p])
    seen = Seen.of(log_fit, torch.tensor([length]))
    total = torch.tensor(list(every.values()), dtype=torch.float64).logsumexp(0)
    assert float(forward(seen, m).log_prob) == pytest.approx(float(total), rel=1e-10)
    path, value = likeliest(seen, m)
    assert path[0].tolist() == list(best) and float(value) == pytest.approx(every[best], rel=1e-10) and value < total


def test_smoothing_is_the_law_of_states_over_all_paths_whatever_the_lengths() -> None:
    """Ragged sequences together give what each gives alone; states' laws sum to 1 at every place."""
    m, lengths = moves(3, 6, seed=4), [4, 0, 6, 1]
    log_fit = 2 * Rng(5).normal(sum(lengths), 3)
    seen = Seen.of(log_fit, torch.tensor(lengths))
    found = forward(seen, m)
    law = found.law * backward(seen, m, found)
    at = 0
    for i, n in enumerate(lengths):
        if n:
            every = paths(m, log_fit[at:at + n])
            p = torch.tensor(list(every.values())).softmax(0)
            for t in range(n):
                wanted = torch.zeros(3, dtype=torch.float64).index_add_(0, torch.tensor([path[t] for path in every]), p.double())
                assert torch.allclose(law[t, i], wanted, atol=1e-6)
        else:
            assert float(found.log_prob[i]) == pytest.approx(float(m.start[-1].log()))
        at += n


def test_long_sequences_stay_finite() -> None:
    m = moves(4, 20_000, seed=1)
    seen = Seen.of(50 * Rng(2).normal(10_000, 4), torch.tensor([10_000]))
    found = forward(seen, m)
    total = (found.law * backward(seen, m, found)).sum(2)
    assert bool(found.log_prob.isfinite().all()) and torch.allclose(total, torch.ones_like(total), atol=1e-9)


def planted(n: int, steps: int, seed: int) -> tuple[Batch, Tensor, Tensor]:
    """Three states that stay with .8, .7 and .9, and say numbers around -4, 0 and (5, 5)."""
    move = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [0.1, 0.0, 0.9]]).double()
    centre = torch.tensor([[-4.0, 0.0], [0.0, 0.0], [5.0, 5.0]]).double()
    state = torch.zeros(n, steps, dtype=torch.long)
    for t in range(1, steps):
        state[:, t] = Rng(seed).child(t).pick(move[state[:, t - 1]].log(), n)
    x = centre[state] + 0.7 * Rng(seed).child("x").normal(n, steps, 2)
    return Batch(Batch(x.flatten(0, 1)), length=torch.full((n,), steps)), state, move


def test_what_was_planted_is_found() -> None:
    """BIC finds the number of states; moves, paths and what is held out are as good as those of the truth."""
    batch, state, move = planted(150, 30, seed=1)
    body = HMM(covariance="diag").build(Many(Reals((2,)), 30), Rng(0))
    body.fit(Memory(batch), Run(seed=0))
    assert isinstance(body, Hidden) and body.states == 3
    path, _ = body.viterbi(batch)
    name = torch.tensor([int(torch.mode(state[path == k]).values) for k in range(3)])
    assert sorted(name.tolist()) == [0, 1, 2] and float((name[path] == state).double().mean()) > 0.98
    order = name.argsort()
    assert torch.allclose(body.moves.go[order][:, order], move, atol=0.05)
    assert float(body.moves.end.max()) < 1e-6   # all were as long as they may be: nobody ended by choice


def _round(body: Hidden, batch: Batch) -> float:
    sums = body.statistics(batch)
    body.absorb(sums)
    return float(sums.tensors["nats"])


def test_rounds_never_make_it_worse() -> None:
    batch, _, _ = planted(40, 12, seed=3)
    body = HMM(states=4, smoothing=0.0, ridge=1e-12).build(Many(Reals((2,)), 12), Rng(0))
    assert isinstance(body, Hidden)
    body.begin_at(Memory(batch), 4, Rng(1))
    nats = [_round(body, batch) for _ in range(12)]
    assert all(b >= a - 1e-8 for a, b in zip(nats, nats[1:], strict=False)) and nats[-1] > nats[0] + 0.1


@pytest.mark.parametrize("parts", [1, 2])
def test_statistics_of_shards_add_up_and_weights_count(parts: int) -> None:
    batch, _, _ = planted(30, 10, seed=5)
    batch = stack([batch, Batch(Batch(Rng(3).normal(7, 2)), length=torch.tensor([3, 0, 4]))])
    body = HMM(states=3, parts=parts).build(Many(Reals((2,)), 10), Rng(0))
    assert isinstance(body, Hidden)
    body.begin_at(Memory(batch), 3, Rng(1))
    whole = body.statistics(batch)
    shards = body.add(body.statistics(batch.cut(0, 11)), body.statistics(batch.cut(11, len(batch))))
    assert all(torch.allclose(whole.tensors[k], shards.tensors[k], rtol=1e-9, atol=1e-9) for k in whole.tensors)
    twice = body.statistics(Batch(batch.x, length=batch.length, weight=torch.full((len(batch),), 2.0)))
    assert all(torch.allclose(2 * whole.tensors[k], twice.tensors[k], rtol=1e-9, atol=1e-9) for k in whole.tensors)


def test_moves_of_what_is_drawn_are_those_of_the_model() -> None:
    """States told apart for certain by what they say: counts of moves and ends lie within five standard errors."""
    body = HMM(states=3).build(Many(Discrete(3), 9), Rng(0))
    assert isinstance(body, Hidden)
    m = moves(3, 9, seed=8)
    tables = dict(body.state().tensors)
    tables["table.0"] = torch.where(torch.eye(3).bool(), 0.0, -torch.inf).double()
    body.restore(State({**tables, "start": m.start, "move": m.move}))
    made = body.sample(20_000, Rng(7))
    code, place = made.elements.tensor, made.rows()[1]
    goes = (place[1:] > 0).nonzero()[:, 0]
    count = torch.zeros(3, 4, dtype=torch.float64)
    count[:, :3].index_put_((code[goes], code[goes + 1]), torch.ones(len(goes)).double(), accumulate=True)
    last = (made.lengths.cumsum(0) - 1)[(made.lengths > 0) & (made.lengths < 9)]
    count[:, 3].index_add_(0, code[last], torch.ones(len(last)).double())
    share, total = count / count.sum(1, keepdim=True), count.sum(1, keepdim=True)
    assert bool(((share - m.move).abs() < 5 * (m.move * (1 - m.move) / total).sqrt()).all())
    assert abs(float((made.lengths == 0).double().mean()) - float(m.start[3])) < 0.02


def test_cut_poisson_laws_have_their_means_and_shapes() -> None:
    rate = torch.tensor([0.3, 2.0, 7.5]).double()
    count = torch.arange(60).double()
    law = (count * rate[:, None].log() - rate[:, None] - torch.tensor([lgamma(c + 1) for c in count.tolist()]).double()).exp()
    assert torch.allclose(poisson(law).exp(), law, atol=1e-12)   # so far out that nothing is cut off
    short = poisson(torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)).exp()
    assert float((short * torch.arange(3)).sum()) == pytest.approx(1.3, abs=1e-9)
    assert float(short[0, 1] ** 2 / (short[0, 0] * short[0, 2])) == pytest.approx(2.0, abs=1e-9)   # rate^n / n!, whatever the rate


def test_arrays_are_sequences_of_their_first_axis(tmp_path: Path) -> None:
    """Through fit: half known, half made; scores of files agree with those of the law."""
    batch, state, _ = planted(200, 16, seed=11)
    x = batch.elements.tensor.reshape(200, 16, 2).numpy()
    model = ilk.fit(x, HMM(states=3, covariance="diag"), seed=1)
    again = ilk.load(model.save(tmp_path / "m"))
    assert np.array_equal(again.sample(3, seed=2), model.sample(3, seed=2)) and model.score(x[:20]).sort == "exact"
    asked = model.given({f"{t},{j}": float(x[0, t, j]) for t in range(8) for j in range(2)})
    made = asked.sample(500, seed=3)
    assert np.allclose(made[:, :8], x[0, :8], atol=1e-9) and asked.met.met.sort == "exact"
    near = (state[:, 7] == state[0, 7]).numpy()
    assert np.abs(made[:, 8].mean(0) - x[near, 8].mean(0)).max() < 0.6   # what follows a state is as in the data


def test_counts_have_poisson_laws() -> None:
    dice = np.random.Generator(np.random.Philox(key=4))
    state = np.repeat(dice.integers(0, 2, (300, 5)), 4, 1)
    x = dice.poisson(np.where(state == 0, 1.0, 9.0)).astype(np.int64)
    body = HMM(states=2, counts="poisson").build(Many(Discrete(int(x.max()) + 1), 20), Rng(0))
    assert isinstance(body, Hidden)
    batch = Batch(Batch(torch.from_numpy(x.flatten())), length=torch.full((300,), 20))
    body.fit(Memory(batch), Run(seed=0))
    law = body.speech.law.tables[0].exp()
    mean = sorted((law @ torch.arange(law.shape[1]).double()).tolist())
    assert abs(mean[0] - 1.0) < 0.15 and abs(mean[1] - 9.0) < 0.3
    assert -float(body.log_prob(batch).mean()) / 20 < log(20) - 0.5
