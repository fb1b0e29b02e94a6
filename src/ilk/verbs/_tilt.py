"""Soft givens: draws are kept by how much they have of a quantity, or by how near they are to an item."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.errors import DataError, UsageError, nearest
from ilk.given import Avoid, Given, Like, Towards
from ilk.grammar import written
from ilk.modality import HasNumbers
from ilk.model import Model
from ilk.quantity import Quantity, Values
from ilk.rules import parse
from ilk.verbs._vectors import vectors
from ilk.verbs.read import native, read

FIRST, PROBE, LEAST = 1000, 20_000, 30   # draws that scales are taken from; draws looked at, of which so many have to be kept


@dataclass(frozen=True, eq=False)
class Pull:
    """One soft given: strength times the normal score of a quantity, in nats; a missing value has the middle one.

    The normal score of a value is the quantile of a standard normal at its rank among `known` draws, so strength s moves the mean by s standard
    deviations where the quantity is normal, and no heavy tail makes the law diverge.
    """

    said: str
    values: Values
    strength: float
    known: Tensor

    def nats(self, items: Any) -> Tensor:
        """Nats of each item, (B,)."""
        found = self.values(items)
        left, right = (torch.searchsorted(self.known, found, right=side).double() for side in (False, True))
        rank = ((left + right) / 2).clamp(0.5, len(self.known) - 0.5) / len(self.known)
        score: Tensor = torch.special.ndtri(rank)
        return self.strength * score.where(~found.isnan(), torch.zeros_like(rank))


@dataclass(frozen=True, eq=False)
class Tilt:
    """Items weighed by exp(sum of pulls): a draw is kept with the probability that its weight is of the largest, exp(top).

    `log_mean` is the log of the mean weight and `error` its standard error, `ess` the effective number of the draws it comes from.
    """

    pulls: tuple[Pull, ...]
    top: float = 0.0
    log_mean: float = 0.0
    error: float = 0.0
    ess: float = 0.0

    def nats(self, items: Any) -> Tensor:
        """Log weights, (B,)."""
        return torch.stack([p.nats(items) for p in self.pulls]).sum(0)

    def keeps(self, items: Any, uniform: Tensor) -> Tensor:
        """Which draws are kept, by a uniform number of each."""
        return uniform.log() < self.nats(items) - self.top

    @property
    def share(self) -> float:
        """The share of draws that is kept."""
        return float(exp(self.log_mean - self.top))


def measured(model: Model, soft: Sequence[Given], draws: Iterator[Any]) -> Tilt:
    """The tilt of some soft givens, its scales taken from draws; UsageError if hardly any draw would be kept."""
    first = next(draws)
    while len(first) < FIRST:
        first = model.modality.join([first, next(draws)])
    tilt = Tilt(tuple(_pull(model, given, first) for given in soft))
    weights = tilt.nats(first)
    while _kept(weights) < LEAST and len(weights) < PROBE:
        weights = torch.cat([weights, tilt.nats(next(draws))])
    if _kept(weights) < LEAST:
        raise UsageError(f"of {len(weights)} draws only about {_kept(weights):.0f} have enough of {' and '.join(p.said for p in tilt.pulls)}", code="TOO_RARE",
                         param="given", remedy="ask for less of it: a smaller strength")
    ess = float((2 * weights.logsumexp(0) - (2 * weights).logsumexp(0)).exp())
    error = max(0.0, 1 / ess - 1 / len(weights)) ** 0.5
    return replace(tilt, top=float(weights.max()), log_mean=float(weights.logsumexp(0)) - log(len(weights)), error=error, ess=ess)


def _kept(weights: Tensor) -> float:
    """How many of the draws with these log weights would be kept."""
    return float((weights.logsumexp(0) - weights.max()).exp())


def _pull(model: Model, given: Given, draws: Any) -> Pull:
    sign = -given.strength if isinstance(given, Avoid) else 1.0
    what = given.what if isinstance(given, Avoid) else given
    if isinstance(what, Like):
        values, strength = _nearness(model, what, draws), sqrt(-2 * log(1 - what.strength))
    elif isinstance(what, Towards):
        values, strength = quantity(model, what.quantity, draws), what.strength
    else:
        raise TypeError(f"{type(what).__name__} is not soft")
    known = values(draws)
    known = known[~known.isnan()].sort().values
    if not len(known) or known[0] == known[-1]:
        raise UsageError(f"{len(draws)} draws are all the same in {written(given)}", code="QUANTITY", param="given", remedy="lean towards something that varies")
    return Pull(written(given), values, sign * strength, known)


def quantity(model: Model, name: str, items: Any) -> Values:
    """What measures the quantity of that name in items such as these: a part that is a number, a registered one, what a path holds, or how well a rule is obeyed."""
    modality = model.modality
    if isinstance(modality, HasNumbers):
        try:
            modality.number(items, name)
        except UsageError as why:
            if why.code != "COLUMN":
                raise
        else:
            return partial(_number, modality, name)
    if name in registry.names("quantities"):
        made: Quantity = registry.get("quantities", name)()
        return made.of(model)
    if os.path.exists(name):
        kinds: list[type[Quantity]] = [registry.get("quantities", kind) for kind in registry.names("quantities")]
        if held := next((one for kind in kinds if (one := kind.opened(Path(name))) is not None), None):
            return held.of(model)
        raise DataError(f"{name} holds no quantity", code="QUANTITY", remedy="the folder of a saved model, or another quantity that was saved")
    try:
        tests = model.modality.checked(parse(name))
    except UsageError as why:
        if why.code != "RULE":
            raise
        raise UsageError(f"there is no quantity {name[:100]!r}", code="QUANTITY", param="given",
                         remedy=f"{nearest(name, registry.names('quantities'))}; a part of the items that is a number; a rule; or a saved model") from None
    return lambda items: model.modality.obeys(items, tests).double()


def _number(modality: HasNumbers, part: str, items: Any) -> Tensor:
    return modality.number(items, part)


def _nearness(model: Model, like: Like, draws: Any) -> Values:
    """Minus the squared distance to an item, in standard deviations of draws; with the strength of its pull, about (1 - strength)^2 of draws count."""
    known = vectors(model, draws)
    spread = known.std(0)
    spread = spread.where(spread > 1e-9, torch.ones_like(spread))
    at = vectors(model, reference(model, like)) / spread
    return lambda items: -(vectors(model, items) / spread - at).square().sum(1)


def reference(model: Model, like: Like) -> Any:
    """The item of a Like as the modality holds it: its values, or what a file holds; UsageError for more or less than one."""
    kind = registry.name_of("modalities", model.modality)
    said = like.item
    if isinstance(said, str):
        found = read(said, model.modality).items if os.path.exists(said) else [said] if kind == "text" else None
        if found is None:
            raise UsageError(f"there is no file {said[:100]!r} with an item", code="NOT_FOUND", param="given", remedy="a file, or the item's values")
    elif isinstance(said, dict):
        found = native(model.modality, {k: [v] for k, v in said.items()})
    else:
        found = _array(model, said)
    if len(found) != 1:
        raise UsageError(f"{len(found)} items to be like", code="GIVEN", param="given", remedy="one item")
    return found


def _array(model: Model, said: Any) -> Any:
    import numpy as np

    shape = getattr(model.modality, "shape", None)
    found = np.asarray(said)
    if shape is None or found.size != np.prod(shape, dtype=int) or found.dtype.kind not in "biuf":
        raise UsageError(f"an item of shape {found.shape} is not like those of the model", code="GIVEN", param="given", remedy=f"shape {shape}")
    return found.reshape(1, *shape).astype(getattr(model.modality, "dtype", "uint8"))
