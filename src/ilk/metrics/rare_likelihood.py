"""How well a model knows the rarest groups: nats of their held-out items, beside those of all."""
from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._groups import FEWEST, kinds
from ._likelihood import scored
from ._tables import Cells, arrays, columns


class RareLikelihood(Metric):
    """Mean log p(item) over the test items of the rarest groups: of every categorical column the rarest value with at least 30 test rows, or the rarest label.

    `parts` has the mean over all test items, the gap to it, and each group. Rare groups have lower nats by nature, since their share is paid for: compare
    the gap with those of other models, not with 0.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean and its error over the items of those groups."""
        groups = _rarest(case)
        if case.model is None or not groups:
            return NotApplicable(f"no column of categories, and no labels, divide the test items into groups of {FEWEST}")
        found = scored(case.model, case.test, rng, case.test_labels)
        if isinstance(found, NotApplicable):
            return found
        nats = found.nats.numpy()
        means = {name: float(nats[there].mean()) for name, of in groups.items() if (there := of[: len(nats)]).sum() > 1}
        if not means or not isfinite(float(nats.mean())):
            return NotApplicable("the model holds some test item impossible" if means else f"too few of the {len(nats)} items scored are of a rare group")
        rare = nats[np.any([of[: len(nats)] for of in groups.values()], axis=0)]
        parts = {"all": found.mean, "gap": float(rare.mean()) - found.mean, **means}
        return Reading(float(rare.mean()), float((rare.var(ddof=1) / len(rare) + found.mass_error**2) ** 0.5), len(rare), parts,
                       f"nats an item, {found.sort}, of the rarest groups of at least {FEWEST} of {len(case.test)} test items; {found.measure}")


def _rarest(case: Case) -> Mapping[str, Cells]:
    """Which test items are of the rarest value of each column of categories, or of the rarest label, by name."""
    if isinstance(case.test, pl.DataFrame):
        sorts = {c.name: arrays(c, [case.test])[0] for c in kinds(columns(case.model, [case.test]), case.test)}
    else:
        sorts = {} if case.test_labels is None else {"label": case.test_labels.codes.numpy()}
    return {_named(case, name, least, codes): codes == least for name, codes in sorts.items() if (least := _least(codes)) is not None}


def _least(codes: Cells) -> int | None:
    """The rarest code of those with enough items; None if there are not two of them."""
    many = np.bincount(codes[codes >= 0])
    enough = (many >= FEWEST).nonzero()[0]
    return int(enough[many[enough].argmin()]) if len(enough) > 1 else None


def _named(case: Case, name: str, code: int, codes: Cells) -> str:
    if case.test_labels is not None and not isinstance(case.test, pl.DataFrame):
        return f"label={case.test_labels.names[code]}"
    return f"{name}={case.test[name].cast(pl.String, strict=False)[int((codes == code).argmax())]}"
