"""Cheats that take part in a race and must lose: copies of training items, as they are or with a little noise."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ilk.batch import Batch, Source
from ilk.dataset import Coded, Dataset
from ilk.distribution import Distribution, Family
from ilk.errors import UsageError
from ilk.lift import Same
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Many, Maybe, Reals, Row, Space
from ilk.store import State

LIVELY, FLIPPED = 0.01, 0.02   # how far a noisy copy is from its original: of a standard deviation, and of the whole numbers


def cheat(noisy: bool, data: Dataset[Any]) -> Model:
    """A cheat as a model: training items as they are, or with a little noise. It has no likelihood."""
    kind = data.modality.codecs()[0]
    codec = kind.learned(data.modality, data.sample("train", 100_000, Rng(0).child("learn")))
    body = _Copies(_Copying(noisy), codec.space, Rng(0), {})
    body.fit(Coded(data, "train", codec, Same(codec.space), Rng(0).child("encode")), Run())
    return Model(data.modality, codec, Same(codec.space), body)


@dataclass(frozen=True)
class _Copying(Family):
    """Not learning but copying."""

    noisy: bool = False

    def refuses(self, space: Space) -> str | None:
        return None

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Distribution[Any]:
        return _Copies(self, space, rng, about or {})


class _Copies(Distribution[_Copying]):
    """Gives back training items, changed a little if it is noisy."""

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        self.known = data

    def sample(self, n: int, rng: Rng, how: Any = None) -> Batch:
        at = (rng.child("which").uniform(n) * len(self.known)).long()
        other = (rng.child("other").uniform(n) * len(self.known)).long()
        items = self.known.take(at)
        return shaken(self.space, items, self.known.take(other), rng.child("noise")) if self.family.noisy else items

    def state(self) -> State:
        raise UsageError("a cheat is not saved")

    def restore(self, state: State) -> None:
        raise UsageError("a cheat is not loaded")


def shaken(space: Space, items: Batch, others: Batch, rng: Rng) -> Batch:
    """Items with noise: numbers moved by a share of their deviation, some whole numbers taken from other items. Lengths stay."""
    if isinstance(space, Row):
        return replace(items, x={k: shaken(part, items.parts[k], others.parts[k], rng.child(k)) for k, part in space.parts.items()})
    if isinstance(space, Maybe):
        return replace(shaken(space.of, replace(items, seen=None), replace(others, seen=None), rng), seen=items.seen)
    if isinstance(space, Many):
        inner = items.elements
        return replace(items, x=shaken(space.of, inner, inner.take(torch.arange(len(inner)).roll(1)), rng)) if len(inner) else items
    x = items.tensor
    if isinstance(space, Reals):
        scale = x.std(0) if len(x) > 1 else torch.zeros_like(x[0])
        return replace(items, x=x + LIVELY * scale * rng.normal(*x.shape).to(x.dtype))
    return replace(items, x=torch.where(rng.uniform(*x.shape) < FLIPPED, others.tensor, x))
