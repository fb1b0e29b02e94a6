"""A mixture where every item has known places of its own: the completions of its components, weighed item by item."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ilk.batch import Batch, stack
from ilk.distribution import Completion, Marginal
from ilk.families._completed import Normals
from ilk.rng import Rng, choose


class Together:
    """p(unknown | known) of each item, exact as the components' are."""

    ess = None

    def __init__(self, log_weight: Tensor, parts: Sequence[Completion], known: Tensor) -> None:
        self.parts, self.known = parts, known
        joint = log_weight[:, None] + torch.stack([p.log_mass for p in parts])
        self.log_mass = joint.logsumexp(0)
        self.log_share = (joint - self.log_mass.where(self.log_mass > -torch.inf, 0.0)).T

    def draw(self, rng: Rng) -> Batch:
        """A component by its share, then its own completion."""
        n = len(self.known)
        which = choose(self.log_share, rng.child("which").uniform(n))
        made = stack([part.draw(rng.child("part", k)) for k, part in enumerate(self.parts)])
        return made.take(which * n + torch.arange(n))

    def marginals(self) -> list[Marginal]:
        """Sums over the components of weighted laws."""
        each = zip(*(part.marginals() for part in self.parts), strict=True)
        return [_summed(self.log_share[~known], laws) for known, laws in zip(self.known.T, each, strict=True)]


def _summed(log_share: Tensor, laws: Sequence[Marginal]) -> Marginal:
    """Tables weighted by shares (m, K), or the Gaussians of all."""
    tables = [law for law in laws if isinstance(law, Tensor)]
    if tables:
        return (torch.stack(tables, 1) + log_share[:, :, None]).logsumexp(1)
    normals = [law for law in laws if isinstance(law, Normals)]
    weight = torch.cat([s[:, None] * law.weight for s, law in zip(log_share.exp().T, normals, strict=True)], 1)
    return Normals(weight, torch.cat([law.mean for law in normals], 1), torch.cat([law.spread for law in normals], 1))
