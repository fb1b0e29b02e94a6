"""How much each number of a code says of items, and whether all of them together say nothing: posterior collapse."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from ilk.families.vae import VAE

ACTIVE, FEW, NIL = 0.01, 0.1, 0.1   # variance of means from which a code is active; share of codes, and nats of all, below which they say nothing


@dataclass(frozen=True, eq=False)
class Units:
    """Of each code, (codes,): the variance over items of its posterior mean, and the mean KL from the prior in nats."""

    variance: Tensor
    kl: Tensor

    @classmethod
    def of(cls, mean: Tensor, log_var: Tensor) -> Units:
        """From means and log variances of the posteriors of some items, (n, codes) each."""
        return cls(mean.double().var(0, correction=0), divergence(mean, log_var).mean(0))

    @property
    def active(self) -> Tensor:
        """Which codes tell items apart: means that vary by more than .01 (Burda et al. 2016, section 4.2)."""
        return self.variance > ACTIVE


def divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL of each normal law from the standard one, in nats, float64."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).double()


def collapsed(units: Units, family: VAE) -> str:
    """What to say if the codes say nothing; "" if they do."""
    active, nats = int(units.active.sum()), float(units.kl.sum())
    if active >= FEW * len(units.kl) or nats > NIL:
        return ""
    less = f"a beta below {family.beta:g}, " if family.beta > 1 else ""
    return (f"posterior collapse: {active} of {len(units.kl)} codes are active (KL {nats:.2g} nats an item), so the codes say nothing of the items; "
            f"unless there is nothing to say, try {less}free_bits=0.1 or warm_up=0.3")
