"""CycleGAN: the law of the pool, the equations of the losses, planted pairs that nobody showed it, and what it refuses."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom, chisquare
from torch import Tensor, nn

import ilk
from ilk.batch import Batch, Memory
from ilk.cli import main
from ilk.distribution import Port, Samples, Translates
from ilk.errors import DataError, Stopped, UsageError
from ilk.families._domains import Pairs, Pool
from ilk.families.cyclegan import Cyclegan
from ilk.nets.grid import Grid
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals
from ilk.testing._learning import Fuse

DOMAIN = {"label": Discrete(2)}
MIDDLE = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 2.0], [4.0, 4.0]]).double()
SHARE = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
TURN = torch.tensor([[0.825, -0.565], [0.565, 0.825]]).double()
MOVE = torch.tensor([5.0, 3.0]).double()


def planted(n: int, rng: Rng) -> Tensor:
    """Four clusters in the plane, no two alike."""
    return MIDDLE[rng.child("which").pick(SHARE, n)] + 0.25 * rng.normal(n, 2)


def true(x: Tensor) -> Tensor:
    """The map between the domains, which no pair shows: a turn of 34 degrees and a move."""
    return x @ TURN.T + MOVE


def heaps(x: Tensor, y: Tensor) -> Memory:
    label = torch.arange(2).repeat_interleave(torch.tensor([len(x), len(y)]))
    return Memory(Batch(torch.cat([x, y]), context={"label": Batch(label)}))


def built(recipe: Any = None, shape: tuple[int, ...] = (2,), seed: int = 0) -> Cyclegan:
    body = (recipe or ilk.CycleGAN(net=ilk.MLP(width=16))).build(Reals(shape), Rng(seed), DOMAIN)
    assert isinstance(body, Cyclegan)
    return body


# The pool.


def test_a_pool_hands_out_what_it_was_given() -> None:
    """While it fills, items come back as they are; then half of what comes out is older, each item at most once, and what it holds and gave is all that went in."""
    pool, seen, given = Pool(10, (1,)), [], torch.arange(1.0, 401).reshape(-1, 1)
    for i, part in enumerate(given.split(8)):
        out = pool(part, Rng(1).child(i))
        assert i > 0 or torch.equal(out, part)
        seen.append(out)
    whole = torch.cat([*seen, pool.kept])
    old = sum(int((out < part.min()).sum()) for out, part in zip(seen, given.split(8), strict=True))
    assert set(whole.flatten().tolist()) == set(given.flatten().tolist())
    assert len(whole) == 410   # those of the pool's first ten were handed out as well as kept
    assert len(torch.cat(seen).unique()) >= 400 - 10
    assert binom.cdf(old, 390, 0.5) > 1e-4 and binom.sf(old, 390, 0.5) > 1e-4


def test_every_place_of_a_pool_is_as_likely() -> None:
    """The age of what comes out of a full pool: every place is drawn as often."""
    pool, count = Pool(5, ()), torch.zeros(5)
    pool(torch.arange(5.0), Rng(0))
    for i in range(2000):
        before = pool.kept.clone()
        out = pool(torch.tensor([100.0 + i]), Rng(3).child(i))
        if float(out) != 100.0 + i:
            count[int((before == out).nonzero()[0, 0])] += 1
    assert chisquare(count.numpy()).pvalue > 1e-3
    assert binom.cdf(int(count.sum()), 2000, 0.5) > 1e-4 and binom.sf(int(count.sum()), 2000, 0.5) > 1e-4


def test_a_pool_takes_more_than_it_holds_and_none_at_all() -> None:
    made = torch.arange(23.0)
    assert set(Pool(4, ())(made, Rng(1)).tolist()) <= set(made.tolist())
    assert Pool(0, ())(made, Rng(1)) is made
    again = [Pool(4, ())(made, Rng(1)) for _ in range(2)]
    assert torch.equal(*again) and not torch.equal(again[0], Pool(4, ())(made, Rng(2)))


def test_rows_hold_one_item_of_either_domain() -> None:
    """All of the larger domain once, of the smaller one again and again, evenly."""
    pairs = Pairs(heaps(torch.arange(10.0)[:, None], 100 + torch.arange(4.0)[:, None]))
    rows = next(pairs.chunks(100))
    assert len(pairs) == len(rows) == 10 and rows.parts["0"].tensor.flatten().tolist() == list(range(10))
    assert rows.parts["1"].tensor.flatten().tolist() == [100, 101, 102, 103, 100, 101, 102, 103, 100, 101]


# The losses.


class Fixed(nn.Module):
    """A network that doubles its input, or sums it."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.factor, self.gives = nn.Parameter(torch.tensor(2.0)), port.gives

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x if self.gives == tuple(x.shape[1:]) else self.factor * x.sum(1, keepdim=True)


def test_losses_are_those_of_the_paper() -> None:
    """By hand: translators triple (x and twice x beside it), critics score twice the sum."""
    body = built(ilk.CycleGAN(cycle=7.0, identity=3.0, pool=0, net=Fixed))
    body.pools = nn.ModuleList([Pool(0, (2,)) for _ in range(2)])
    a, b = Rng(1).normal(5, 2).float(), Rng(2).normal(5, 2).float()
    batch = Batch({"0": Batch(a), "1": Batch(b)})
    score = [2 * x.sum(1) for x in (a, b)]
    critics = sum((s - 1) ** 2 + (3 * t) ** 2 for s, t in zip(score, reversed(score), strict=True))
    assert torch.allclose(body.critic_loss(batch, Rng(0)), torch.as_tensor(critics), atol=1e-4)
    wanted = sum((3 * s - 1) ** 2 + 7 * 8 * x.abs().mean(1) + 3 * 2 * x.abs().mean(1) for s, x in zip(score, (a, b), strict=True))
    loss = body.translator_loss(batch, Rng(0))
    assert torch.allclose(loss, torch.as_tensor(wanted), atol=1e-4)
    loss.mean().backward()
    assert all(p.grad is None for p in body.critics.parameters()) and all(p.grad is not None for p in body.into.parameters())


def test_a_patch_is_judged_by_itself() -> None:
    """A score of a picture does not know of pixels far away; a score a square of the picture."""
    body = built(ilk.CycleGAN(net=Grid(width=8, blocks=0)), (1, 64, 64))
    x = Rng(1).normal(1, 1, 64, 64).float()
    other = x.clone()
    other[..., 40:, :] = 5
    one, two = (body.critics[0](p) for p in (x, other))
    assert one.shape == (1, 1, 8, 8) and torch.allclose(one[..., :3, :], two[..., :3, :]) and not torch.allclose(one[..., 5:, :], two[..., 5:, :])


# What it learns.


def fitted(seed: int, steps: int) -> tuple[Cyclegan, Tensor]:
    rng = Rng(seed)
    body = built(ilk.CycleGAN(net=ilk.MLP(width=64, depth=3)), seed=seed)
    body.fit(heaps(planted(1000, rng.child("a")), true(planted(1000, rng.child("b")))), Run(seed=seed, budget=Steps(steps)))
    return body, planted(500, rng.child("test"))


@pytest.mark.slow
@pytest.mark.learns
@pytest.mark.parametrize("seed", range(3))
def test_planted_pairs_are_found(seed: int) -> None:
    """No pair was shown, and a point lands near its twin: nearer than by not moving, than by moving and stretching alone, and in its own cluster."""
    body, x = fitted(seed, 500)
    y, twin = body.translate(Batch(x), 1).tensor, true(x)
    far = float((y - twin).norm(dim=1).mean())
    moved = (x - x.mean(0)) / x.std(0) * twin.std(0) + twin.mean(0)
    assert far < 0.9 * float((moved - twin).norm(dim=1).mean()) < 0.5 * float((x - twin).norm(dim=1).mean())
    own = (torch.cdist(y, true(MIDDLE)).argmin(1) == torch.cdist(x, MIDDLE).argmin(1)).double().mean()
    assert float(own) > 0.8   # by chance at most .4, the share of the largest cluster


@pytest.mark.slow
@pytest.mark.learns
def test_what_comes_back_is_nearer_after_a_fit() -> None:
    """There and back again, in both directions."""
    (before, x), (after, _) = fitted(1, 1), fitted(1, 200)
    for start, items in ((0, x), (1, true(x))):
        error = [float((b.translate(b.translate(Batch(items), 1 - start), start).tensor - items).abs().mean()) for b in (before, after)]
        assert error[1] < 0.3 * error[0]


# How it lives with the rest.


def pictures(seed: int) -> Memory:
    return heaps(Rng(seed).uniform(12, 1, 9, 8), 3 + Rng(seed).child("b").uniform(7, 1, 9, 8))


def test_a_stopped_fit_of_pictures_goes_on_to_the_bit(tmp_path: Path) -> None:
    """The pools are part of a checkpoint, though not of what is kept in the end."""
    recipe = ilk.CycleGAN(net=Grid(width=4, blocks=1), pool=5)
    whole, part = built(recipe, (1, 9, 8)), built(recipe, (1, 9, 8))
    whole.fit(pictures(1), Run(seed=1, budget=Steps(8)))
    with pytest.raises(Stopped):
        part.fit(pictures(1), Run(seed=1, budget=Steps(8), switch=Fuse(at=4), checkpoint=tmp_path / "c", facts={"w": 1}))
    again = built(recipe, (1, 9, 8), seed=9)
    again.fit(pictures(1), Run(seed=1, budget=Steps(8), checkpoint=tmp_path / "c", resume=True, facts={"w": 1}))
    assert not any("pool" in name for name in whole.state().tensors)
    assert all(torch.equal(t, again.state().tensors[name]) for name, t in whole.state().tensors.items())


def test_pictures_stay_within_their_range() -> None:
    body = built(ilk.CycleGAN(net=Grid(width=4, blocks=1)), (1, 9, 8))
    body.fit(pictures(1), Run(seed=1, budget=Steps(3)))
    made = body.translate(Batch(10 * Rng(1).normal(5, 1, 9, 8)), 1).tensor
    assert float(made.min()) >= -1e-6 and float(made.max()) <= 4 + 1e-6 and made.shape == (5, 1, 9, 8)


def dataset(n: int = 60, labels: tuple[int | str, ...] = ("low", "high")) -> Any:
    x = planted(n, Rng(1)).numpy()
    codes = torch.arange(n) % len(labels)
    return replace(ilk.read(x + 5 * codes[:, None].numpy()), labels=ilk.Labels(codes, labels))


def test_what_it_refuses() -> None:
    body = built()
    assert isinstance(body, Translates) and not isinstance(body, Samples)
    with pytest.raises(UsageError, match="needs a label, one of 2, beside every item"):
        ilk.fit(planted(50, Rng(1)).numpy(), ilk.CycleGAN())
    with pytest.raises(UsageError, match="needs a label, one of 2"):
        ilk.fit(dataset(labels=("a", "b", "c")), ilk.CycleGAN())
    with pytest.raises(DataError, match="all 20 items are of one domain"):
        body.fit(heaps(planted(20, Rng(1)), torch.zeros(0, 2)), Run(budget=Steps(1)))
    other = ilk.fit(planted(50, Rng(1)).numpy(), ilk.GMM(components=1))
    with pytest.raises(UsageError, match="gmm does not translate: it lacks Translates"):
        ilk.translate(other, np.zeros((1, 2)), "high")


def test_a_model_translates_from_python_and_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ilk.fit(dataset(), ilk.CycleGAN(net=ilk.MLP(width=16)), budget=ilk.Steps(3))
    items = dataset().items[::2][:6]
    made = ilk.translate(model, items, "high")
    assert made.shape == items.shape and np.abs(made - items - 5).mean() < 2.5 < np.abs(made - items).mean()
    model.save(tmp_path / "two.ilk")
    np.save(tmp_path / "low.npy", items)
    assert main(["translate", str(tmp_path / "two.ilk"), str(tmp_path / "low.npy"), "--to", "high", "--item", "2", "--out", str(tmp_path / "high.npy")]) == 0
    assert np.array_equal(np.load(tmp_path / "high.npy"), ilk.translate(model, items[2:3], "high"))
    for words, code in ((["--to", "hihg"], "did you mean high"), ([], "no label is named")):
        assert main(["translate", str(tmp_path / "two.ilk"), str(tmp_path / "low.npy"), *words]) == 2
        assert code in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "two.ilk")]) == 2 and "ilk translate" in capsys.readouterr().err
    assert main(["show", str(tmp_path / "two.ilk")]) == 0 and "cyclegan of array" in capsys.readouterr().out
    with pytest.raises(UsageError, match="there is no item"):
        ilk.translate(model, items[:0], "high")
