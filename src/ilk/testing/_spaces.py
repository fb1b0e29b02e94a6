"""The spaces that families are tried on, planted data of each, and every value of a small one (or a grid of it)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import log, prod

import torch
from torch import Tensor

from ..batch import Batch
from ..rng import Rng
from ..space import Discrete, Many, Maybe, Reals, Row, Space, inner

SPACES: Mapping[str, Space] = {
    "number": Reals(), "pair": Reals((2,)), "numbers": Reals((3,)), "record": Discrete((1, 2, 5), (3,)), "bits": Discrete(2, (6,)),
    "categories": Row({"a": Maybe(Discrete(3)), "b": Discrete(2), "c": Maybe(Discrete(4))}),
    "row": Row({"a": Maybe(Discrete(3)), "n": Reals(), "b": Discrete(2), "m": Maybe(Reals())}),
    "sequence": Many(Discrete(3), 4)}
STRANGE: Space = Many(Row({"boxes": Many(Reals((4,)), 3), "note": Maybe(Many(Discrete(7), 5))}), 3)
REACH, MOST = 12.0, 500_000
CUTS = (-2.0, -1.0, 0.0, 1.0, 2.0)
Fixed = Mapping[str, Mapping[int, float]]  # per part ("" if there are none): coordinates that have a known value


def hidden(n: int, rng: Rng) -> Tensor:
    """The hidden number of each item that is planted with this rng, (n,) in [0, 1)."""
    return rng.child("latent").uniform(n)


def planted(space: Space, n: int, rng: Rng, latent: Tensor | None = None) -> Batch:
    """Items whose parts lean on one another through one hidden number each; a missing real holds garbage, as it may."""
    u = hidden(n, rng) if latent is None else latent
    if isinstance(space, Discrete):
        sizes, width = torch.tensor(space.each, dtype=torch.double), len(space.each)
        lean, free = ((t * sizes).long() for t in (u[:, None].expand(n, width), rng.child("x").uniform(n, width)))
        return Batch(lean.where(rng.child("keep").uniform(n, width) < 0.6, free).reshape(n, *space.shape))
    if isinstance(space, Reals):
        width = prod(space.shape)
        turn = torch.tensor([(-1.0) ** i for i in range(width)], dtype=torch.double)
        centre = torch.where(u > 0.6, 1.0, -0.8).double()[:, None] * turn
        return Batch((centre + 0.5 * rng.child("x").normal(n, width)).reshape(n, *space.shape))
    if isinstance(space, Row):
        return Batch({name: planted(part, n, rng.child(name), u) for name, part in space.parts.items()})
    if isinstance(space, Maybe):
        made, seen = planted(space.of, n, rng.child("of"), u), rng.child("seen").uniform(n) < 0.55 + 0.4 * u
        garbage = torch.tensor(77.0, dtype=torch.double)
        x = made.tensor.where(seen.reshape(n, *[1] * (made.tensor.ndim - 1)), garbage) if isinstance(space.of, Reals) else made.x
        return Batch(x, seen, made.length)
    length = ((u + rng.child("length").uniform(n)) / 2 * (space.at_most + 1)).long().clamp(space.at_least, space.at_most)
    return Batch(planted(space.of, int(length.sum()), rng.child("of"), u.repeat_interleave(length)), length=length)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Every value of a space, or the middles of small cells: items, nats of each one's volume, and how near sums are to integrals."""

    items: Batch
    log_volume: Tensor
    within: float


def lattice(space: Space, fixed: Fixed | None = None) -> Lattice | None:
    """Every value of a space (known coordinates at their values); None if there are too many or more than two free numbers."""
    known = fixed or {}
    free = sum(prod(s.shape) - len(known.get(n, {})) for n, s in leaves_of(space) if isinstance(s, Reals))
    if free > 2 or not _listable(space):
        return None
    step = {0: 1.0, 1: 0.01, 2: 0.1 if isinstance(space, Reals) else 0.2}[free]
    parts = [_grid(s, step, known.get(n, {})) for n, s in (space.parts.items() if isinstance(space, Row) else [("", space)])]
    many = [len(items) for items, _ in parts]
    if prod(many) > MOST:
        return None
    index = torch.cartesian_prod(*[torch.arange(m) for m in many]).reshape(-1, len(many))
    volume = torch.stack([v[i] for (_, v), i in zip(parts, index.T, strict=True)]).sum(0)
    taken = [items.take(i) for (items, _), i in zip(parts, index.T, strict=True)]
    return Lattice(Batch(dict(zip(space.parts, taken, strict=True))) if isinstance(space, Row) else taken[0], volume, {0: 1e-5, 1: 1e-3, 2: 2e-2}[free])


def leaves_of(space: Space) -> list[tuple[str, Space]]:
    """The parts of a Row without their Maybe, or the space itself under no name."""
    return [(n, inner(s)) for n, s in space.parts.items()] if isinstance(space, Row) else [("", inner(space))]


def _listable(space: Space) -> bool:
    short = isinstance(space, Many) and isinstance(space.of, Discrete) and space.of.shape == () and space.of.each[0] ** space.at_most <= MOST
    return short or (not isinstance(space, Many) and all(isinstance(s, Reals) or (isinstance(s, Discrete) and prod(s.each) <= MOST) for _, s in leaves_of(space)))


def _grid(space: Space, step: float, fixed: Mapping[int, float]) -> tuple[Batch, Tensor]:
    if isinstance(space, Maybe):
        items, volume = _grid(space.of, step, fixed)
        gone = torch.zeros(1, *items.tensor.shape[1:], dtype=items.tensor.dtype)
        seen = torch.arange(len(items) + 1) < len(items)
        return Batch(torch.cat([items.tensor, gone]), seen), torch.cat([volume, torch.zeros(1, dtype=torch.double)])
    if isinstance(space, Many):
        size = space.of.each[0] if isinstance(space.of, Discrete) else 0
        every = [s for n in range(space.at_least, space.at_most + 1) for s in product(range(size), repeat=n)]
        x = torch.tensor([t for s in every for t in s], dtype=torch.long)
        return Batch(Batch(x), length=torch.tensor([len(s) for s in every])), torch.zeros(len(every), dtype=torch.double)
    if isinstance(space, Discrete):
        x = torch.cartesian_prod(*[torch.arange(s) for s in space.each]).reshape(-1, *space.shape)
        return Batch(x), torch.zeros(len(x), dtype=torch.double)
    assert isinstance(space, Reals)
    middles = torch.arange(-REACH + step / 2, REACH, step, dtype=torch.double)
    axes = [torch.tensor([fixed[i]], dtype=torch.double) if i in fixed else middles for i in range(prod(space.shape))]
    points = torch.cartesian_prod(*axes).reshape(-1, *space.shape)
    return Batch(points), torch.full((len(points),), log(step) * (len(axes) - len(fixed)), dtype=torch.double)


def bins(space: Space, batch: Batch) -> tuple[Tensor, int]:
    """The bin of each item and how many bins there are: every value of a whole number, six ranges of a real."""
    if isinstance(space, Maybe):
        assert batch.seen is not None
        inside, many = bins(space.of, batch)
        return (inside + 1).where(batch.seen, torch.tensor(0)), many + 1
    if isinstance(space, Many):
        size = space.of.each[0] if isinstance(space.of, Discrete) else 0
        digits = batch.padded(-1) + 1
        place = (size + 1) ** torch.arange(digits.shape[1])
        return (digits * place).sum(1), (size + 1) ** space.at_most
    if isinstance(space, Row):
        return _mixed([bins(s, batch.parts[n]) for n, s in space.parts.items()], len(batch))
    x = batch.tensor.reshape(len(batch), prod(space.shape))
    if isinstance(space, Discrete):
        return _mixed([(column, size) for column, size in zip(x.T, space.each, strict=True)], len(batch))
    cuts = torch.tensor(CUTS, dtype=torch.double)
    return _mixed([(torch.bucketize(column.double().contiguous(), cuts), len(CUTS) + 1) for column in x.T], len(batch))


def _mixed(columns: list[tuple[Tensor, int]], n: int) -> tuple[Tensor, int]:
    out, many = torch.zeros(n, dtype=torch.long), 1
    for column, size in columns:
        out, many = out * size + column, many * size
    return out, many
