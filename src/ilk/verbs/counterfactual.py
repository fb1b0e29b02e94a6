"""counterfactual: for rows, the nearest likely rows of which something else holds."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.errors import UsageError, nearest
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import parse
from ilk.verbs._counter import Answers, mended, pool_of
from ilk.verbs.read import alone, native


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """Rows, and for each the number of the given row that it answers; those without an answer are not among them.

    `changed` counts columns beside those of the rule; `distance` adds up, over all columns, a half for being another value and a half for how far
    (of numbers in spans of the middle 90 %); `sure` is p(rule | other columns), `percentile` the share of the model's own rows that
    are less likely.
    """

    items: Any
    of: Tensor
    changed: Tensor
    distance: Tensor
    sure: Tensor
    percentile: Tensor

    def __repr__(self) -> str:
        return (f"{len(self.items)} rows: {float(self.changed.double().mean()):.2f} columns changed in the mean, distance {float(self.distance.mean()):.3g}, "
                f"the rule's chance {float(self.sure.min()):.2f} at least, likelier than {float(self.percentile.min()):.1%} of the model's rows at least")


def counterfactual(model: Model, rows: Any, want: str, keep: Sequence[str] = (), sure: float = 0.5, plausible: float = 0.05, seed: int = 0) -> Counterfactuals:
    """For each row the nearest one found that obeys the rule `want`, not by chance but since its other columns make it so.

    An answer obeys; under the model p(rule | its other columns) is `sure` at least, and its density not below the quantile `plausible` of the model's
    own rows. Columns of `keep` stay as they are; bounds to the others are given beforehand: `counterfactual(model.given("hours < 50"), ...)`. Few changed columns
    count as much as near ones (after Wachter et al. 2017; Mothilal et al. 2020). It says what the model holds for likely, not what causes what.

    >>> import ilk
    >>> model = ilk.fit({"rain": [0, 0, 1, 1] * 60, "wet": ["no", "no", "yes", "yes"] * 60, "day": ["a", "b"] * 120}, ilk.ChowLiu())
    >>> counterfactual(model, {"rain": [0], "wet": ["no"], "day": ["b"]}, want="wet == 'yes'").items.row(0)
    (1, 'yes', 'b')
    """
    if registry.name_of("modalities", model.modality) != "table":
        raise UsageError(f"items of {type(model.modality).__name__} are no rows", code="CAPABILITY", remedy="ilk attribute changes what pictures and arrays show")
    if not 0 <= sure < 1 or not 0 <= plausible < 1:
        raise UsageError(f"sure is {sure} and plausible {plausible}", code="OPTION", param="sure", remedy="shares from 0 to below 1")
    tests = model.modality.checked(parse(want))
    found = native(model.modality, rows)
    if not len(found):
        raise UsageError("there is no row", code="ITEMS", remedy="pass one at least")
    if odd := [name for name in keep if name not in found.columns]:
        raise UsageError(f"there is no column {odd[0]!r}", code="COLUMN", param="keep", remedy=nearest(odd[0], found.columns))
    if both := [t.part for t in tests if t.part in keep]:
        raise UsageError(f"`{both[0]}` is kept and wanted otherwise", code="CONTRADICTION", param="keep", remedy="keep other columns")
    rng = Rng(seed).child("counterfactual")
    answers = Answers.of(model, want, tests, sure, plausible, rng)
    free = [name for name in found.columns if name not in {*keep, *alone(model.modality)}]
    pool = cache(lambda kept: pool_of(model, dict(zip(keep, kept, strict=True)), want, rng.child("pool")))
    made = [mended(answers, one, pool(one.select(keep).row(0) if keep else ()), free) for one in found.iter_slices(1)]
    if all(m is None for m in made):
        raise UsageError(f"no row was found that is likely and of which {want} holds", code="TOO_RARE", param="want",
                         remedy="keep fewer columns, or ask for a smaller sure or plausible")
    return _told(model, answers, found, made)


def _told(model: Model, answers: Answers, rows: Any, made: Sequence[Any]) -> Counterfactuals:
    of = torch.tensor([i for i, m in enumerate(made) if m is not None])
    items = model.modality.join([m for m in made if m is not None])
    gaps = torch.cat([answers.gaps(m, rows[i:i + 1]) for i, m in enumerate(made) if m is not None])
    ruled = torch.tensor([name in answers.values.columns for name in items.columns])
    return Counterfactuals(items, of, ((gaps > 0) & ~ruled).sum(1), gaps.sum(1), answers.chance(items), answers.percentile(items))
