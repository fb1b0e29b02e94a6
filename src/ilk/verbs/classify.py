"""classify: which class an item is of, by Bayes' rule from a joint model, p(y | x) = p(x, y) / sum over y of p(x, y)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import exp
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ilk import registry
from ilk.dataset import Dataset
from ilk.errors import UsageError, nearest
from ilk.given import Keep, Label
from ilk.model import Model
from ilk.rules import Value
from ilk.verbs.condition import given
from ilk.verbs.read import alone, native
from ilk.verbs.score import score

KINDS, BINS, HALVINGS, HOTTEST = ("category", "boolean"), 10, 60, 10.0


@dataclass(frozen=True, eq=False)
class Classified:
    """Log chances of the classes, (n, classes), of every item, and its true class (-1 if it is not known).

    `sort` is exact where the joint density is. `temperature` divides the log chances, so that they are no surer than they are right.
    """

    by: str
    classes: tuple[Value, ...]
    log_chances: Tensor
    sort: str
    truth: Tensor
    temperature: float = 1.0

    @property
    def chances(self) -> Tensor:
        """Chances of the classes, (n, classes)."""
        return self.log_chances.exp()

    @property
    def best(self) -> list[Value]:
        """The likeliest class of each item."""
        return [self.classes[i] for i in self.log_chances.argmax(1).tolist()]

    @property
    def accuracy(self) -> float:
        """The share of items whose likeliest class is the true one; NaN where no class is known."""
        return float(self._right().double().mean())

    @property
    def log_loss(self) -> float:
        """Mean nats of the true class that were missing."""
        known = self.truth >= 0
        return -float(self.log_chances[known].gather(1, self.truth[known, None]).mean())

    @property
    def calibration_error(self) -> float:
        """How far chances are from how often they come true, a mean over ten equal stretches of the largest chance (Naeini et al. 2015)."""
        right, sure = self._right().double(), self.chances[self.truth >= 0].max(1).values
        place = (sure * BINS).long().clamp_max(BINS - 1)
        gap = torch.zeros(BINS, dtype=torch.float64).index_add_(0, place, right - sure)
        return float(gap.abs().sum() / max(1, len(right)))

    def _right(self) -> Tensor:
        known = self.truth >= 0
        return self.log_chances[known].argmax(1) == self.truth[known]

    def __repr__(self) -> str:
        known = int((self.truth >= 0).sum())
        said = f"; accuracy {self.accuracy:.4f}, log loss {self.log_loss:.4f}, calibration error {self.calibration_error:.4f} (n={known})" if known else ""
        return f"{len(self.truth)} items by {self.by}, {len(self.classes)} classes ({self.sort}){said}"


def classify(model: Model, items: Any, by: str | None = None, held: Any = None, seed: int = 0) -> Classified:
    """The class of each item: a value of the column `by` (which the items may lack), or a label if `by` is None or "label".

    A cell that is missing where the model knows of no missing ones is unknown and summed out. `held` are other items, of known classes, by which
    a temperature is chosen (Guo et al. 2017): for chances from bounds, which are too sure. A Dataset counts as its test items.

    >>> import ilk, polars as pl
    >>> rows = pl.DataFrame({"length": [1.0, 1.5, 2.0, 7.0, 7.5, 8.0] * 20, "sort": ["short", "short", "short", "long", "long", "long"] * 20})
    >>> classify(ilk.fit(rows, ilk.GMM(components=2)), pl.DataFrame({"length": [1.2, 7.7]}), by="sort").best
    ['short', 'long']
    """
    found = _classified(model, items, by, seed)
    if held is None:
        return found
    known = _classified(model, held, by, seed)
    if not bool((known.truth >= 0).any()):
        raise UsageError("the held-out items have no class", code="ITEMS", param="held", remedy=f"items with {found.by}")
    heat = _temperature(known.log_chances, known.truth)
    return replace(found, log_chances=(found.log_chances / heat).log_softmax(1), temperature=heat)


def _classified(model: Model, items: Any, by: str | None, seed: int) -> Classified:
    columns = [c.name for c in getattr(model.modality, "columns", ()) if c.kind in KINDS]
    if by in columns:
        return _by_column(model, items, str(by), seed)
    if by in (None, "label") and model.labels:
        return _by_label(model, items, seed)
    what = f"no class `{by}`" if by is not None else "nothing says which classes there are"
    remedy = nearest(str(by), columns) if columns else "fit with labels, or a table with a column of categories (--types NAME=category)"
    raise UsageError(what, code="COLUMN", param="by", remedy=remedy)


def _by_label(model: Model, items: Any, seed: int) -> Classified:
    """log p(x | label) + log of the label's share among the items learned from."""
    truth = torch.full((len(items),), -1)
    if isinstance(items, Dataset):
        index = items.index("test")
        truth = torch.full((len(index),), -1) if items.labels is None else _places(model.labels, [items.labels.names[i] for i in items.labels.codes[index].tolist()])
        items = items.test
    scored = [score(given(model, Label(label)), items, seed) for label in model.labels]
    count = torch.tensor(model.card.get("label_counts", [1] * len(model.labels))).double()
    joint = torch.stack([s.nats for s in scored], 1) + (count / count.sum()).log()
    return Classified("label", model.labels, _shares(joint), "exact" if all(s.sort == "exact" for s in scored) else "estimate", truth)


def _by_column(model: Model, items: Any, by: str, seed: int) -> Classified:
    column = next(c for c in model.modality.columns if c.name == by)  # type: ignore[attr-defined]
    rows: pl.DataFrame = native(model.modality, items.test if isinstance(items, Dataset) else items)
    truth = _places(column.raw, rows[by].to_list()) if by in rows.columns else torch.full((len(rows),), -1)
    gaps = [c.name for c in model.modality.columns if not c.maybe and c.name != by and c.name in rows.columns]  # type: ignore[attr-defined]
    holed = torch.from_numpy(sum((rows[gap].is_null().to_numpy() for gap in gaps), np.zeros(len(rows), dtype=bool)))
    joint, sorts = torch.empty(len(rows), len(column.raw), dtype=torch.float64), {"exact"}
    if bool((~holed).any()):
        scored = [score(model, _with(rows.filter((~holed).numpy()), by, value), seed) for value in column.raw]
        joint[~holed], sorts = torch.stack([s.nats for s in scored], 1), {s.sort for s in scored}
    for i in holed.nonzero()[:, 0].tolist():
        seen = {c.name: rows[c.name][i] for c in model.modality.columns if c.name not in {by, *alone(model.modality)} and rows[c.name][i] is not None}  # type: ignore[attr-defined]
        joint[i] = torch.tensor([_mass(model, {**seen, by: value}, sorts) for value in column.raw])
    return Classified(by, column.raw, _shares(joint), "exact" if sorts == {"exact"} else "estimate", truth)


def _with(rows: pl.DataFrame, by: str, value: Value) -> pl.DataFrame:
    return rows.with_columns(pl.lit(value).alias(by))


def _mass(model: Model, known: dict[str, Any], sorts: set[str]) -> float:
    """Log p of some cells, the others summed out."""
    try:
        met = given(model, Keep(known)).met.met
    except UsageError as why:
        if why.code == "IMPOSSIBLE":
            return -torch.inf
        raise
    if met.sort not in ("exact", "estimate"):
        raise UsageError(f"{registry.name_of('families', model.body.family)} can't sum out missing cells", code="CAPABILITY", remedy="fill them, or fit circuit or gmm")
    sorts.add(met.sort)
    return met.log_mass


def _places(classes: Sequence[Value], values: Sequence[Any]) -> Tensor:
    """Which class each value is; -1 for none."""
    place = {value: i for i, value in enumerate(classes)}
    return torch.tensor([place.get(value, -1) for value in values], dtype=torch.long)


def _shares(joint: Tensor) -> Tensor:
    """Log chances; an item that no class allows is as likely to be of any."""
    lost = (joint == -torch.inf).all(1, keepdim=True)
    return joint.where(~lost, 0.0).log_softmax(1)


def _temperature(log_chances: Tensor, truth: Tensor) -> float:
    """What the log chances have to be divided by for the least log loss, which is convex in 1 / temperature."""
    known = truth >= 0
    chances, right = log_chances[known].clamp_min(-1e6), truth[known, None]
    cost = partial(_cost, chances, right)
    low, high = -HOTTEST, HOTTEST / 4
    for _ in range(HALVINGS):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if cost(a) < cost(b) else (a, high)
    return exp(-low)


def _cost(chances: Tensor, right: Tensor, cold: float) -> float:
    return -float((chances * exp(cold)).log_softmax(1).gather(1, right).mean())
