"""What checks compare with: batches bit by bit or nearly, raw items nearly, counts by chi-square, generators before and after."""
from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from numpy.random import get_state
from scipy.stats import chisquare
from torch import Tensor

from ..batch import Batch

NEAR = 1e-4  # how far reals may move with the shape of a batch, relative


def require(holds: bool, what: str) -> None:
    """AssertionError that names what broke."""
    if not holds:
        raise AssertionError(what)


@contextmanager
def refused(kind: type[Exception], what: str) -> Iterator[None]:
    """The block must raise an error of this kind and no other."""
    try:
        yield
    except kind:
        return
    except Exception as why:
        raise AssertionError(f"{what}: wanted {kind.__name__}, got {type(why).__name__}: {str(why)[:200]}") from why
    raise AssertionError(f"{what}: wanted {kind.__name__}, got nothing")


@contextmanager
def untouched(what: str) -> Iterator[None]:
    """The global generators of torch, numpy and Python must end as they began."""
    before = _generators()
    yield
    after = _generators()
    for name, was, now in zip(("torch", "numpy", "random"), before, after, strict=True):
        require(was == now, f"{what} drew from the global generator of {name}")


def _generators() -> tuple[str, str, str]:
    state = get_state()
    return str(torch.get_rng_state().tolist()), str([x.tolist() if hasattr(x, "tolist") else x for x in state]), str(random.getstate())


def leaves(batch: Batch, name: str = "x") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a batch with its place."""
    for mark in ("seen", "length"):
        if (found := getattr(batch, mark)) is not None:
            yield f"{name}.{mark}", found
    if isinstance(batch.x, Tensor):
        yield name, batch.x
    elif isinstance(batch.x, Mapping):
        for part, inside in batch.x.items():
            yield from leaves(inside, f"{name}.{part}")
    else:
        yield from leaves(batch.x, f"{name}[]")


def same(one: Batch, other: Batch) -> bool:
    """Bit by bit."""
    a, b = dict(leaves(one)), dict(leaves(other))
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def differ(one: Batch, other: Batch) -> Tensor:
    """Which items differ by more than the promise allows, (n,): reals by 1e-4 relative, whole numbers at all."""
    if isinstance(one.x, Tensor):
        gap = _apart(one.tensor, other.tensor)
    elif isinstance(one.x, Mapping):
        gap = torch.stack([differ(b, other.parts[k]) for k, b in one.x.items()]).any(0)
    else:
        gap = one.lengths != other.lengths
        both = (~gap).nonzero()[:, 0]
        a, b = one.take(both), other.take(both)
        gap[both.repeat_interleave(a.lengths)[differ(a.elements, b.elements)]] = True
    if one.seen is None or other.seen is None:
        return gap
    return (one.seen != other.seen) | (gap & one.seen)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    x, y = (t.reshape(len(t), prod(t.shape[1:])) for t in (a, b))
    return ((x - y).abs() > NEAR * x.abs().clamp_min(1) if x.is_floating_point() else x != y).any(1)


def require_alike(one: Batch, other: Batch, what: str) -> None:
    """At most one item in a thousand may differ, and one of a hundred: a near-tie."""
    require(len(one) == len(other), f"{what}: {len(one)} items against {len(other)}")
    many = int(differ(one, other).sum())
    require(many <= max(int(len(one) >= 100), len(one) // 1000), f"{what}: {many} of {len(one)} items differ")


def listed(items: Any) -> list[Any]:
    """Raw items as plain Python: rows of a frame, nested lists of an array, texts."""
    if hasattr(items, "rows"):
        return list(items.rows())
    return list(items.tolist()) if hasattr(items, "tolist") else list(items)


def alike(one: Any, other: Any, near: float = NEAR) -> bool:
    """Whether plain values are equal, floats nearly."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(alike(a, b, near) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= near * max(1.0, abs(one))
    return bool(one == other)


def chi_square(seen: Tensor, expected: Tensor, what: str) -> float:
    """The p-value of counts (bins,) against expected ones, rare bins pooled; AssertionError for a count where none can be."""
    impossible = seen[expected <= 1e-9 * expected.sum()]
    require(float(impossible.sum()) <= 1e-5 * float(seen.sum()), f"{what}: made {int(impossible.sum())} items of probability 0")
    big = expected >= 5
    pooled = [torch.cat([t[big], t[~big].sum()[None]]).double() for t in (seen, expected)]
    keep = pooled[1] > 1e-3
    if int(keep.sum()) < 2:
        return 1.0
    want = pooled[1][keep] * pooled[0][keep].sum() / pooled[1][keep].sum()
    return float(chisquare(pooled[0][keep].numpy(), want.numpy()).pvalue)
