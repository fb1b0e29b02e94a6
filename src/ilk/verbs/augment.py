"""augment: made items for classes that have few, if a classifier that learns from them as well is better on real test items for it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilk import registry
from ilk.dataset import Dataset, split_dataset
from ilk.distribution import Family
from ilk.errors import DataError, UsageError, nearest
from ilk.given import Keep, Label
from ilk.metrics._tables import generator
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Value
from ilk.run import Budget
from ilk.verbs._augment_judges import Judge, Told, judge_of
from ilk.verbs.condition import given
from ilk.verbs.fit import fit
from ilk.verbs.read import read
from ilk.verbs.sample import sample

SHARES = (0.0, 0.1, 0.3, 1.0)   # of the way to as many items in every class as the largest has
FAMILIES: Mapping[str, tuple[str, int]] = {"table": ("circuit", 5), "array": ("gmm", 5), "image": ("vae", 3)}   # and how often all is done anew
VALID, FEWEST, BOOTSTRAPS, OUTSIDE = 0.2, 5, 2000, 2.5


@dataclass(frozen=True)
class Gain:
    """What a figure on real test items gained by made items, with its 95 % interval; `real` and `both` are the figure without and with them."""

    value: float
    low: float
    high: float
    real: float
    both: float

    def __repr__(self) -> str:
        return f"{self.real:.3f} -> {self.both:.3f}, {self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True, eq=False)
class Augmented:
    """Real items, then made ones (`synthetic`), the class of each as a number of `classes`, and what that was worth.

    `balanced` is the mean recall over classes, by which it is decided; `recalls` are those of each class, `accuracy` is over all items.
    """

    by: str
    classes: tuple[Value, ...]
    items: Any
    codes: Tensor
    synthetic: Tensor
    many: tuple[int, ...]
    rare: Value
    balanced: Gain
    recalls: Mapping[Value, Gain]
    accuracy: Gain

    @property
    def helps(self) -> bool:
        """Whether the interval of the gain in balanced accuracy lies above 0."""
        return self.balanced.low > 0

    def __repr__(self) -> str:
        made = ", ".join(f"{m} {c}" for c, m in zip(self.classes, self.many, strict=True) if m) or "nothing"
        lines = [f"{'helps' if self.helps else 'does not help'}: {made} made", f"balanced accuracy {self.balanced}", f"recall of {self.rare} {self.recalls[self.rare]}",
                 f"accuracy {self.accuracy}"]
        return "\n  ".join(lines)


def augment(data: Any, by: str = "label", family: Family | None = None, *, repeats: int | None = None, force: bool = False, seed: int = 0,
            budget: str | float | Budget | None = None) -> Augmented:
    """The data with made items of the classes that are rare, if these help; without any (unless forced) if that can't be shown.

    `by` is "label", or a column. Each of some `repeats` divides what is not test items anew, fits the family to its training part, and trains a judge
    on real items and on real and made ones; how many are made is chosen by validation items. The interval is over repeats and test items.

    >>> import ilk, numpy as np, polars as pl
    >>> rng = np.random.default_rng(0)
    >>> noise = pl.DataFrame({"x": rng.standard_normal(300), "kind": ["a" if u < 0.2 else "b" for u in rng.uniform(size=300)]})
    >>> augment(noise, by="kind", family=ilk.GMM(components=1), repeats=2).helps
    False
    """
    found = data if isinstance(data, Dataset) else read(data)
    kind = registry.name_of("modalities", found.modality)
    judge = judge_of(found.modality, by)
    task = _task(found, by)
    name, often = FAMILIES[kind]
    if repeats is not None and not 2 <= repeats <= 1000:
        raise UsageError(f"repeats is {repeats}", code="OPTION", param="repeats", remedy="2 to 1000")
    family = family or registry.get("families", name)()
    rng = Rng(seed).child("augment")
    rounds = [_round(task, family, judge, rng.child(i), budget) for i in range(repeats or often)]
    best = int(torch.stack([r.held for r in rounds]).mean(0).argmax())
    best = max(best, 1) if force else best
    test, codes = task.take(task.test), task.codes[task.test]
    right = torch.stack([torch.stack([r.told[i](test) == codes for i in (0, best)]) for r in rounds]).double()   # (repeats, without and with, items)
    return _answer(task, rounds[0], SHARES[best], right, rng.child("bootstrap"), force)


@dataclass(frozen=True, eq=False)
class Task:
    """Data with a class of each item, and which of them learn and which test."""

    data: Dataset[Any]
    by: str
    classes: tuple[Value, ...]
    codes: Tensor
    pool: Tensor
    test: Tensor
    kept: Tensor     # items to be given back: all, or those that are not somebody's own test items

    def take(self, index: Tensor) -> Any:
        """Some items."""
        return self.data.modality.take(self.data.items, index)

    def count(self, index: Tensor) -> Tensor:
        """How many of some items are of each class."""
        return torch.bincount(self.codes[index], minlength=len(self.classes))


def _task(data: Dataset[Any], by: str) -> Task:
    own, whole = "test" in data.splits, split_dataset(data)
    classes, codes = _classes(whole, by)
    learn = torch.cat([whole.index("train"), whole.index("valid")]).sort().values
    pool, test = (index[codes[index] >= 0] for index in (learn, whole.index("test")))
    task = Task(whole, by, classes, codes, pool, test, learn if own else torch.arange(len(whole)))
    count = task.count(task.pool)
    if len(classes) < 2 or int(count.min()) < FEWEST or not len(task.test):
        few = classes[int(count.argmin())] if len(classes) else by
        raise DataError(f"{int(count.min()) if len(count) else 0} items of {few!r} to learn from, in {len(classes)} classes, {len(task.test)} to test", code="TOO_FEW",
                        remedy=f"two classes and {FEWEST} items of each at least")
    return task


def _classes(data: Dataset[Any], by: str) -> tuple[tuple[Value, ...], Tensor]:
    """The classes and the number of each item's, -1 where it has none."""
    columns = {c.name: c for c in getattr(data.modality, "columns", ()) if c.kind in ("category", "boolean")}
    if by in columns:
        series = data.items[by]
        there = torch.from_numpy(series.is_not_null().to_numpy().copy())
        return columns[by].raw, columns[by].codes(series).where(there, -1)
    if by == "label" and data.labels is not None:
        return data.labels.names, data.labels.codes
    remedy = nearest(by, columns) if columns else "name items by folders or an array y; or a column with --types NAME=category"
    raise UsageError(f"no class `{by}`", code="COLUMN", param="balance", remedy=remedy)


@dataclass(frozen=True, eq=False)
class Round:
    """One division: items made for each class, and for each share of them a judge and its balanced accuracy on validation items, (shares,)."""

    made: Sequence[Any]
    told: Sequence[Told]
    held: Tensor


def _round(task: Task, family: Family, judge: Judge, rng: Rng, budget: Any) -> Round:
    train, valid = _divided(task, rng.child("divide"))
    many = task.count(train)
    short = (many.max() - many).tolist()
    if not any(short):
        raise DataError(f"all classes of `{task.by}` have {int(many[0])} items to learn from: there is nothing to balance", code="BALANCED", param="balance")
    parts = _makers(task, family, (train, valid), short, rng.child("fit"), budget)
    made = [sample(maker, n, int(rng.child("make", k).key() % 2**31)).items for k, (maker, n) in enumerate(zip(parts, short, strict=True))]
    told = [judge(*_joined(task, train, made, share), rng.child("judge")) for share in SHARES]
    items, codes = task.take(valid), task.codes[valid]
    return Round(made, told, torch.stack([_balanced(codes, (one(items) == codes).double()) for one in told]))


def _divided(task: Task, rng: Rng) -> tuple[Tensor, Tensor]:
    """Training and validation items, some of every class in both."""
    order = task.pool[rng.shuffle(len(task.pool))]
    held = [of[:ceil(VALID * len(of))] for k in range(len(task.classes)) if len(of := order[task.codes[order] == k])]
    valid = torch.cat(held).sort().values
    return task.pool[~torch.isin(task.pool, valid)], valid


def _makers(task: Task, family: Family, splits: tuple[Tensor, Tensor], short: Sequence[int], rng: Rng, budget: Any) -> list[Model]:
    """What makes the items of each class: one model given it, or models of each class alone where the family can't be told labels."""
    seed = int(rng.key() % 2**31)

    def fitted(train: Tensor, valid: Tensor) -> Model:
        return fit(replace(task.data, splits={"train": train, "valid": valid, "test": task.test[:0]}), family, seed=seed, budget=budget)

    labels = task.data.labels
    if task.by == "label" and labels is not None and family.refuses_context({"label": labels.space}) is not None:
        own = [[index[task.codes[index] == k] for index in splits] for k in range(len(task.classes))]
        whole = {k: fitted(*parts) for k, parts in enumerate(own) if short[k]}
        return [whole.get(k, next(iter(whole.values()))) for k in range(len(own))]
    model = fitted(*splits)
    return [given(model, Label(value) if model.labels else Keep({task.by: value})) for value in task.classes]   # type: ignore[arg-type]


def _joined(task: Task, real: Tensor, made: Sequence[Any], share: float) -> tuple[Any, Tensor]:
    """Real items, then a share of those made for each class, and the classes of both."""
    many = [round(share * len(of)) for of in made]
    pieces = [task.data.modality.take(of, torch.arange(n)) for of, n in zip(made, many, strict=True) if n]
    codes = torch.arange(len(many)).repeat_interleave(torch.tensor(many))
    return task.data.modality.join([task.take(real), *pieces]), torch.cat([task.codes[real], codes])


def _balanced(codes: Tensor, right: Tensor) -> Tensor:
    """The mean over classes of the share that is told right."""
    return torch.stack([right[codes == k].mean() for k in codes.unique()]).mean()


def _answer(task: Task, first: Round, share: float, right: Tensor, rng: Rng, force: bool) -> Augmented:
    codes = task.codes[task.test]
    sides = {k: right[:, :, codes == k] for k in codes.unique().tolist()}
    gains = {task.classes[k]: _gain({k: side}, rng.child(k)) for k, side in sides.items()}
    balanced = _gain(sides, rng)
    use = share if balanced.low > 0 or force else 0.0
    items, every = _joined(task, task.kept, first.made, use)
    many = tuple(round(use * len(made)) for made in first.made)
    counted = task.count(task.pool)
    rare = min(sides, key=lambda k: int(counted[k]))
    return Augmented(task.by, task.classes, items, every, torch.arange(len(every)) >= len(task.kept), many, task.classes[rare], balanced, gains,
                     _gain({0: right}, rng.child("all")))


def _gain(sides: Mapping[int, Tensor], rng: Rng) -> Gain:
    """The mean over classes of the gain in recall, (repeats, 2, items) each, and its interval by bootstrap over repeats and the items of each class."""
    dice, drawn = generator(rng), np.zeros(BOOTSTRAPS)
    repeats = next(iter(sides.values())).shape[0]
    which = dice.integers(repeats, size=(BOOTSTRAPS, repeats))
    for side in sides.values():
        more = (side[:, 1] - side[:, 0]).numpy()
        n = more.shape[1]
        weight = dice.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS) / n
        drawn += (weight @ more.T)[np.arange(BOOTSTRAPS)[:, None], which].mean(1) / len(sides)
    low, high = np.percentile(drawn, [OUTSIDE, 100 - OUTSIDE])
    real, both = (float(np.mean([float(side[:, i].mean()) for side in sides.values()])) for i in (0, 1))
    return Gain(both - real, float(low), float(high), real, both)

