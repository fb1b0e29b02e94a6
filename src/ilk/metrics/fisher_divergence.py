"""How far the slopes of a model's log density are from those of the data's, on average over held-out items: Fisher divergence, up to what depends on the data alone."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import torch

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._slopes import NOISE, Slopes, slopes

DRAWS = 8


class FisherDivergence(Metric):
    """E |s|^2 / 2 + div s over test items, s being the slope of the model's log density (Hyvarinen 2005).

    It is E |s - s'|^2 / 2 - E |s'|^2 / 2, with s' that of the data: so the difference of two models is that of their Fisher divergences, and
    the value alone says little. Items have a little noise on them, which turns the divergence of s into a mean of products (Vincent 2011)
    and is meant to hold for densities with kinks too.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean over items of eight noises each, of either sign."""
        found = slopes(case, rng)
        if isinstance(found, str):
            return NotApplicable(found)
        each = torch.stack([_losses(found, rng.child("draw", i)) for i in range(DRAWS)]).mean(0)
        error = float(each.std() / len(each) ** 0.5) if case.errors else None
        return Reading(float(each.mean()), error, len(each), {},
                       "Hyvarinen's loss: the Fisher divergence less E |slope of the data|^2 / 2, which no model changes; "
                       f"test items with noise of {NOISE} standard deviations, coordinates in theirs; slope {found.name}; n={len(each)}")


def _losses(found: Slopes, rng: Rng) -> torch.Tensor:
    """|s|^2 / 2 + s.noise / noise^2 of each item, (n,): by Stein's identity its mean is that of |s|^2 / 2 + div s over items with noise."""
    noisy, dice = found.noisy(rng)
    total = torch.zeros(len(dice), dtype=torch.float64)
    for x, side in ((noisy, dice), (2 * found.items - noisy, -dice)):
        slope = found.at(x)
        total += (slope.square() / 2 + slope * side / found.noise).sum(1) / 2
    return total
