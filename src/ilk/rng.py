"""Randomness that is always passed, never global: named streams of counters.

Item i of a draw owns a fixed block of counters, so its noise depends on neither how many items are drawn, nor in what
batches, nor on threads. Normals go through the inverse CDF, because rejection samplers make a prefix depend on n.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GLOBAL, BLOCK = RLock(), 16


@dataclass(frozen=True, slots=True)
class Rng:
    """A named, splittable stream of numbers (Salmon et al. 2011, Philox); row i owns its own counters.

    >>> Rng(7).child("init").uniform(2, 3).shape
    torch.Size([2, 3])
    >>> bool((Rng(7).at(5).uniform(3) == Rng(7).uniform(8)[5:]).all())
    True
    """

    seed: int
    path: tuple[str, ...] = ()
    first: int = 0

    def child(self, *names: str | int) -> Rng:
        """The stream of that name: a draw added elsewhere moves nothing here. It costs 25 us: draw whole arrays."""
        return replace(self, path=(*self.path, *map(str, names)))

    def at(self, first: int) -> Rng:
        """The same stream, its row 0 being our row `first`: for work done in blocks."""
        return replace(self, first=self.first + first)

    def key(self) -> int:
        """128 bits from seed and names; every name is length-prefixed, so ("a", "b") is not ("ab",)."""
        text = "".join(f"{len(name)}:{name}" for name in (str(self.seed), *self.path))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """Float64 in the open interval (0, 1), of shape (rows, *shape)."""
        width = int(np.prod(shape))
        whole = self._raw(rows, width) >> np.uint64(12)
        return torch.from_numpy((whole.astype(np.float64) + 0.5) * 2.0**-52).reshape(rows, *shape)

    def single(self, rows: int, *shape: int) -> Tensor:
        """Float32 in [0, 1) of 24 bits, half a counter word each: for noise by the million."""
        return self._bits(np.int32, rows, shape).bitwise_right_shift_(8).float().mul_(2.0**-24).add_(0.5).reshape(rows, *shape)

    def coarse(self, rows: int, *shape: int) -> Tensor:
        """Float32 in (0, 1) of 16 bits, a quarter of a counter word each: for noise that only training sees."""
        return self._bits(np.int16, rows, shape).float().mul_(2.0**-16).add_(0.5 + 2.0**-17).reshape(rows, *shape)

    def _bits(self, kind: type[np.signedinteger[Any]], rows: int, shape: tuple[int, ...]) -> Tensor:
        """Raw signed whole numbers, (rows, width)."""
        width, each = int(np.prod(shape)), 8 // np.dtype(kind).itemsize
        words = np.ascontiguousarray(self._raw(rows, -(-width // each))).view(kind)[:, :width]
        return torch.from_numpy(np.ascontiguousarray(words))

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Standard normal, one counter word each, of shape (rows, *shape)."""
        noise: Tensor = torch.special.ndtri(self.uniform(rows, *shape))
        return noise

    def integers(self, rows: int, below: int) -> Tensor:
        """Whole numbers in [0, below), of shape (rows,)."""
        return (self.uniform(rows) * below).long().clamp_max(below - 1)

    def pick(self, log_weight: Tensor, rows: int) -> Tensor:
        """Row i's index drawn by log weights (k,) or (rows, k)."""
        return choose(log_weight, self.uniform(rows))

    def shuffle(self, n: int) -> Tensor:
        """A permutation of n."""
        return self.uniform(n).argsort(stable=True)

    @contextmanager
    def as_global(self) -> Iterator[None]:
        """torch's global generator seeded from here, and put back after: for `nn.init`, dropout and users' modules.

        One thread at a time (a lock sees to it), since the generator is one per process.
        """
        with _GLOBAL:
            before = torch.get_rng_state()
            torch.default_generator.manual_seed(self.key() % 2**63 + self.first)
            try:
                yield
            finally:
                torch.set_rng_state(before)

    def _raw(self, rows: int, width: int) -> NDArray[np.uint64]:
        blocks = -(-width // 4)
        bits = np.random.Philox(key=self.key()).advance(self.first * blocks)
        raw: NDArray[np.uint64] = bits.random_raw(rows * blocks * 4).reshape(rows, blocks * 4)
        return raw[:, :width]


@dataclass(frozen=True, slots=True)
class Joined(Rng):
    """Streams end to end, each with so many rows: work asked for apart is done at once, and every row gets what it would have got apart.

    >>> both = Joined.of([(Rng(1), 2), (Rng(2), 3)]).child("noise").normal(5, 4)
    >>> bool((both[2:] == Rng(2).child("noise").normal(3, 4)).all())
    True
    """

    parts: tuple[tuple[Rng, int], ...] = ()

    @classmethod
    def of(cls, parts: Iterable[tuple[Rng, int]]) -> Joined:
        """Of streams and how many rows of each there are; beyond them there are none."""
        some = tuple(parts)
        return cls(some[0][0].seed, some[0][0].path, parts=some)

    def child(self, *names: str | int) -> Rng:
        """The stream of that name of each."""
        return replace(self, parts=tuple((rng.child(*names), rows) for rng, rows in self.parts))

    def key(self) -> int:
        """Of all of them."""
        return Rng(0, tuple(f"{rng.key()} {rng.first} {rows}" for rng, rows in self.parts)).key()

    def _raw(self, rows: int, width: int) -> NDArray[np.uint64]:
        out, skip = [], self.first
        for rng, has in self.parts:
            take = min(max(0, has - skip), rows)
            if take:
                out.append(rng.at(skip)._raw(take, width))
            rows, skip = rows - take, max(0, skip - has)
        if rows:
            raise IndexError(f"{rows} rows beyond the last stream")
        return np.concatenate(out) if out else np.empty((0, width), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Elements(Rng):
    """The same for the elements of ragged items: what element `place` of item `row` gets depends on nothing else."""

    row: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    place: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    items: Rng = field(default_factory=lambda: Rng(0))

    @classmethod
    def of(cls, rng: Rng, row: Tensor, place: Tensor) -> Elements:
        """Of elements in any order, (N,) each."""
        return cls(rng.seed, rng.path, rng.first, row, place, rng)

    def child(self, *names: str | int) -> Rng:
        """The stream of that name, for the same elements."""
        return Elements.of(self.items.child(*names), self.row, self.place)

    def _raw(self, rows: int, width: int) -> NDArray[np.uint64]:
        out = np.empty((rows, width), dtype=np.uint64)
        block = self.place // BLOCK
        for b in block.unique().tolist() if width else ():
            here = (block == b).nonzero()[:, 0]
            row = self.row[here]
            wide = self.items.child(b)._raw(int(row.max()) + 1, BLOCK * width).reshape(-1, BLOCK, width)
            out[here.numpy()] = wide[row.numpy(), (self.place[here] % BLOCK).numpy()]
        return out


def choose(log_weight: Tensor, u: Tensor, row: Tensor | None = None) -> Tensor:
    """Inverse-CDF draw of one index per u from log weights (k,) or (n, k), or of a table (m, k) in which u has the `row`; never one of weight 0."""
    if row is not None and len(row) < len(log_weight):
        log_weight, row = log_weight[row], None   # few rows of a large table
    cdf = log_weight.double().softmax(-1).cumsum(-1)
    if row is not None:
        return _placed(cdf, u * cdf[:, -1][row], row).clamp_max(cdf.shape[1] - 1)
    target = u * cdf[..., -1]
    if cdf.ndim == 1:
        return torch.searchsorted(cdf, target, right=True).clamp_max(len(cdf) - 1)
    return torch.searchsorted(cdf, target[:, None], right=True)[:, 0].clamp_max(cdf.shape[1] - 1)


def _placed(rising: Tensor, target: Tensor, row: Tensor) -> Tensor:
    """How many numbers of its row (m, k) are not above each target, (n,): searchsorted by halving, which copies no rows."""
    k, flat = rising.shape[1], rising.flatten()
    before, found = row * k - 1, torch.zeros_like(row)
    for step in (1 << i for i in reversed(range(k.bit_length()))):
        ahead = found + step
        found = ahead.where((ahead <= k) & (flat[before + ahead.clamp_max(k)] <= target), found)
    return found
