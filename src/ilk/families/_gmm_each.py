"""A Gaussian mixture where every item has known places of its own: components weighed by what is known, the rest by regression on it."""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Marginal
from ilk.families._completed import Normals
from ilk.families._gaussians import CACHE, Diagonal, Full, Gaussians
from ilk.families._mixed import Items
from ilk.families._mixture_given import Asked, MixturePosterior
from ilk.rng import Rng, choose

if TYPE_CHECKING:
    from ilk.families.gmm import GaussianMixture


class GaussianCompletion:
    """p(unknown | known) of each item; `said` may weigh categories and presences."""

    ess = None

    def __init__(self, whole: GaussianMixture, batch: Batch, places: Tensor, said: Asked, rng: Rng) -> None:
        self.whole, self.places, self.raw = whole, places, whole.layout.split(batch)
        self.numbers, self.codes = whole.layout.known(places)
        self.loose = MixturePosterior(whole, said, rng)
        self.items = self._known(whole.items(batch))
        joint = whole.law.joint(self.items) + self._weights(said) + self._presence(said)
        self.log_mass = joint.logsumexp(0) - self.items.x_there.double() @ whole.scale.log()
        self.log_share = joint.log_softmax(0).T

    def _known(self, items: Items) -> Items:
        """Of standardised items what is known: presences are weighed apart."""
        x_there, codes_there = items.x_there & self.numbers, items.codes_there & self.codes
        return replace(items, x=items.x.where(x_there, 0.0), x_there=x_there, codes_there=codes_there, bits=items.bits[:, :0])

    def _weights(self, said: Asked) -> Tensor:
        """Of categories that are weighed: the weight of the one that is known, or the log mass of all, (K, n)."""
        total = torch.zeros(len(self.whole.law.log_weight), len(self.places), dtype=torch.float64)
        for j, weight in said.weights.items():
            free = (self.whole.law.tables[j] + weight).logsumexp(1, keepdim=True)
            total = total + weight[self.raw.codes[:, j]].where(self.codes[:, j], free)
        return total

    def _presence(self, said: Asked) -> Tensor:
        """Log weights of presences, known or not, (K, n)."""
        law, total = self.whole.law, torch.zeros(len(self.whole.law.log_weight), len(self.places), dtype=torch.float64)
        for bit, known in enumerate(self._bits().T):
            there, gone = said.presence.get(bit, (0.0, 0.0))
            both = torch.stack([law.log_gone[:, bit] + gone, law.log_there[:, bit] + there])
            total = total + torch.cat([both, both.logsumexp(0)[None]]).T[:, self.raw.bits[:, bit].long().where(known, 2)]
        return total

    def _bits(self) -> Tensor:
        """Where presences are known, (n, bits)."""
        layout, at = self.whole.layout, 0
        known = torch.ones(len(self.places), layout.bits, dtype=torch.bool)
        for part in layout.parts:
            if part.bit >= 0:
                known[:, part.bit] = self.places[:, at]
            at += part.width
        return known

    def draw(self, rng: Rng) -> Batch:
        """A component by its share, numbers by Matheron's rule, the rest by its laws."""
        n, d = self.items.x.shape
        which = choose(self.log_share, rng.child("which").uniform(n))
        x = joined(self.whole.law.gauss, which, self.items, rng.child("noise").normal(n, d)) * self.whole.scale + self.whole.center
        noise = rng.child("codes").uniform(n, self.codes.shape[1])
        codes = [choose(table, noise[:, j], which) for j, table in enumerate(self.loose.tables)]
        made = torch.stack(codes, 1) if codes else self.raw.codes
        bits = rng.child("bits").uniform(n, self.whole.layout.bits) < self.loose.there[which]
        return self.whole.layout.join(replace(self.raw, x=self.raw.x.where(self.numbers, x), codes=self.raw.codes.where(self.codes, made),
                                              bits=self.raw.bits.where(self._bits(), bits)))

    def marginals(self) -> list[Marginal]:
        """Mixtures over the components."""
        mean, var = expected(self.whole.law.gauss, self.items)
        found: list[Marginal] = []
        for (number, c), known in zip(self.whole.layout.places(), self.places.T, strict=True):
            share = self.log_share[~known]
            if number:
                law = Normals(share.exp(), mean[~known, :, c], var[~known, :, c].sqrt())
                found.append(law.scaled(self.whole.center[c], self.whole.scale[c]))
            else:
                found.append((share.exp() @ self.loose.tables[c].exp()).log())
        return found


def joined(gauss: Gaussians, which: Tensor, items: Items, noise: Tensor) -> Tensor:
    """Numbers of the components `which` given those that are there: any draw, moved by the regression on where it went wrong (Matheron)."""
    x, there = gauss.draw(which, noise), items.x_there
    if isinstance(gauss, Diagonal):
        return items.x.where(there, x)
    gap = ((items.x - x) * there)[:, :, None]
    seen = gauss.cov[which] * (there[:, None] & there[:, :, None]) + torch.diag_embed((~there).double())
    return items.x.where(there, x + (gauss.cov[which] @ torch.linalg.solve(seen, gap))[:, :, 0])


def expected(gauss: Gaussians, items: Items) -> tuple[Tensor, Tensor]:
    """Means and variances of all numbers in every component given those that are there, (n, K, d)."""
    k, d = gauss.mean.shape
    if not isinstance(gauss, Full) or not d:
        return gauss.mean.expand(len(items), k, d), gauss.cov.reshape(k, d).expand(len(items), k, d)
    means, variances = [], []
    for x, there in zip(*(t.split(max(1, CACHE // (k * d * d))) for t in (items.x, items.x_there)), strict=True):
        _, gap, inverse = gauss.by_row(x, there)
        gain = gauss.cov @ inverse
        means.append(gauss.mean + (gain @ gap[..., None])[..., 0])
        variances.append((gauss.cov.diagonal(dim1=1, dim2=2) - (gain * gauss.cov).sum(3)).clamp_min(1e-300))
    return torch.cat(means), torch.cat(variances)
