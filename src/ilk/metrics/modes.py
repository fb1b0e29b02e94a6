"""How many modes of the data are made, labels or clusters, and how far their shares are off: mode count and reverse KL divergence."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from scipy.stats import binom

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import MOST
from ._modes import modes_of
from ._tables import Cells, some

TENTH, FEWEST = 0.1, 20


class ModeShare(Metric):
    """Share of the modes of the training items that made items reach; a mode is reached by a tenth of the items that it should have, at least one.

    `parts` has the `count` of modes reached, `of` how many; `reverse_kl`, the divergence KL(made || real) of their shares in nats (Srivastava et
    al. 2017); `outside`, the share of made items in no cluster; and `real`, the share of modes that as many real items reach on average.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share; its error is that of other made items of the same model, by the binomial law of each mode."""
        known = modes_of(case)
        if isinstance(known, str):
            return NotApplicable(known)
        n = min(len(case.made), MOST)
        if n < FEWEST:
            return NotApplicable(f"{n} made items are too few for the shares of modes: it takes at least {FEWEST}")
        which = known.of(case.made[some(len(case.made), n, rng.child("made"))])
        many = len(known.real)
        made = np.bincount(which[which >= 0], minlength=many)
        share = (known.real + 0.5) / (known.real.sum() + many / 2)
        least = np.maximum(1, np.ceil(TENTH * share * n))
        count = int((made >= least).sum())
        again = binom.sf(least - 1, n, (made + 0.5) / (n + many / 2))
        parts = {"count": float(count), "of": float(many), "outside": float((which < 0).mean())}
        if made.any():
            parts["reverse_kl"] = reverse_kl(made, known.real)
        if case.errors:
            parts["real"] = float(binom.sf(least - 1, n, share).mean())
        error = float((again * (1 - again)).sum() ** 0.5) / many if case.errors else None
        return Reading(count / many, error, n, parts, f"modes are {known.name}; n={n}; reverse KL in nats, less its bias")


def reverse_kl(made: Cells, real: Cells) -> float:
    """KL(made || real) of counts, in nats, half an item added to every real one, less the bias to first order in both numbers of items."""
    n, m = made.sum(), real.sum() + len(real) / 2
    q, p = made / n, (real + 0.5) / m
    plain = float((q * np.log(np.where(q > 0, q, 1.0) / p)).sum())
    return plain - float(((q > 0).sum() - 1) / (2 * n)) - float((q * (1 - p) / p).sum() / (2 * m))
