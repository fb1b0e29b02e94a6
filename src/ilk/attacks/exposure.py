"""Exposure: how high a planted item ranks by likelihood among others like it that were never seen."""
from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import ClassVar

import torch
from torch import Tensor

from ..attack import Attack, Finding, Target
from ..rng import Rng

CHANCE = 1.4426950408889634   # log2(e) bits: the mean of -log2 of a uniform number
SURE = 0.99


class Exposure(Attack):
    """log2 of how many alternatives there are, less log2 of the rank (Carlini et al. 2019): 1.44 bits in the mean for what was not learned, log2 of all for the first."""

    needs: ClassVar[tuple[str, ...]] = ("secrets",)
    asks: ClassVar[str] = "secrets"

    def find(self, target: Target, rng: Rng) -> Sequence[Finding]:
        """The mean over the secrets: exact for these alternatives, so that its interval is a point."""
        secrets, others = target.secrets or (torch.zeros(0), torch.zeros(0))
        many = len(others) + 1
        value = float(bits(ranks(secrets, others), many).mean())
        return [Finding("exposure", value, value, value, CHANCE, _bar(len(secrets)), many,
                        f"bits by which {len(secrets)} planted items stand out among {many - 1} alternatives: "
                        f"1.44 in the mean if they were not learned, {log2(many):.3g} at most")]


def ranks(secrets: Tensor, others: Tensor) -> Tensor:
    """The place of each secret among itself and the others, (n,), from 1 for the likeliest; equal ones share the mean of their places."""
    order = others.sort().values
    below, upto = (torch.searchsorted(order, secrets.contiguous(), right=right).double() for right in (False, True))
    return 1 + len(others) - (below + upto) / 2


def bits(rank: Tensor, many: int) -> Tensor:
    """The exposure of ranks.

    >>> bits(torch.tensor([1.0, 8.0]), 8).tolist()
    [3.0, 0.0]
    """
    return log2(many) - rank.double().log2()


def _bar(secrets: int) -> float:
    """What so many secrets exceed in the mean with a chance of 1 % if none was learned: each is then exponential."""
    from scipy.special import gammaincinv  # not above: it takes time to import

    return float(gammaincinv(secrets, SURE)) * CHANCE / secrets
