"""Groups of items: rows by the values of their categories, other items by the label that a classifier of the training items gives them."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..metric import Case
from ._features import ALWAYS, HUGE, Space, alike, space_of
from ._kept import Kept, digest
from ._tables import Cells, Column, Sides, arrays, columns, frames_of, sides, some
from ._text_space import TextSpace, text_space
from ._texts import are_texts

VALUES, FEWEST, MOST, ROWS, HELD, FAR = 20, 30, 5000, 4000, 5, 5.0
_TOLD: Kept[tuple[Pipeline, float]] = Kept(2)


@dataclass(frozen=True, eq=False)
class Group:
    """A group by name, and which of the made and of the test items are of it; the column that says so, if one does."""

    name: str
    made: Cells
    test: Cells
    column: str = ""


@dataclass(frozen=True, eq=False)
class Grouped:
    """Groups of at least 30 test items that should have as many made ones; all items as vectors, and as columns if they are rows."""

    groups: Sequence[Group]
    made: Cells
    test: Cells
    columns: Sequence[Sides]
    convention: str


def grouped(case: Case) -> Grouped | str:
    """The groups of a case, or why there are none."""
    found = _rows(case) if isinstance(case.made, pl.DataFrame) else _labelled(case)
    if isinstance(found, str):
        return found
    least = FEWEST * max(1.0, len(found.test) / len(found.made))
    large = [group for group in found.groups if group.test.sum() >= least]
    return replace(found, groups=large) if len(large) > 1 else f"no two groups have {FEWEST} test items and should have as many made ones"


def kinds(seen: Sequence[Column], frame: pl.DataFrame) -> list[Column]:
    """The columns of 2 to 20 categories."""
    return [c for c in seen if not c.number and 2 <= frame[c.name].drop_nulls().n_unique() <= VALUES]


def _rows(case: Case) -> Grouped | str:
    frames = frames_of(case.made, case.test)
    if isinstance(frames, str):
        return frames
    seen = columns(case.model, frames)
    groups = [group for column in kinds(seen, frames[1]) for group in _values(column, frames)]
    if not groups:
        return f"no column has 2 to {VALUES} categories"
    both = sides(case.model, *frames)
    made, test = _vectors(both)
    return Grouped(groups, made, test, both, f"values of columns of 2 to {VALUES} categories, {FEWEST} rows each at least")


def _values(column: Column, frames: Sequence[pl.DataFrame]) -> list[Group]:
    made, test = arrays(column, frames)
    names = pl.concat([f[column.name].cast(pl.String, strict=False) for f in frames])
    named = dict(zip(np.concatenate([made, test]).tolist(), names.to_list(), strict=True))
    return [Group(f"{column.name}={named[code]}", made == code, test == code, column.name) for code in np.unique(test[test >= 0]).tolist()]


def _vectors(both: Sequence[Sides]) -> tuple[Cells, Cells]:
    """Rows as points: numbers in standard deviations, at most 5 from the mean, missing ones there; categories as 0 and 1 of half the weight."""
    parts: list[tuple[Cells, Cells]] = []
    for column in both:
        if column.number:
            made, real = (np.clip(x.astype(np.float64), -HUGE, HUGE) for x in (column.made, column.test))
            there = real[~np.isnan(real)]
            mean, off = (float(there.mean()), float(there.std())) if len(there) else (0.0, 1.0)
            made, real = (np.nan_to_num(np.clip((x - mean) / (off if off > 0 else 1.0), -FAR, FAR))[:, None] for x in (made, real))
        else:
            common = np.argsort(-np.bincount(column.test[column.test >= 0], minlength=1), kind="stable")[:VALUES]
            made, real = ((x[:, None] == common) / 2**0.5 for x in (column.made, column.test))
        parts.append((made, real))
    return np.concatenate([made for made, _ in parts], axis=1), np.concatenate([test for _, test in parts], axis=1)


def _labelled(case: Case) -> Grouped | str:
    if case.train is None or case.train_labels is None:
        return "the training items have no labels"
    labels = np.asarray(case.train_labels)
    space = _space(case)
    if isinstance(space, str):
        return space
    vectors: Callable[[Any], Cells] = space.vectors
    learned = some(len(case.train), MOST, ALWAYS.child("groups"))
    train = vectors(_taken(case.train, learned))
    if len(np.unique(labels[learned])) < 2:
        return "the training items have only one label"
    judge, sure = _TOLD.get(digest(train, labels[learned]), lambda: _judge(train, labels[learned]))
    made, test = (vectors(_taken(x, some(len(x), ROWS, ALWAYS.child("some")))) for x in (case.made, case.test))
    ours, real = judge.predict(made), judge.predict(test)
    names = case.test_labels.names if case.test_labels is not None else range(int(labels.max()) + 1)
    groups = [Group(f"label={names[code]}", ours == code, real == code) for code in judge.classes_]
    return Grouped(groups, made, test, (), f"labels as logistic regression tells them, right about {sure:.3f} of held-out training items, in {space.name}")


def _space(case: Case) -> Space | TextSpace | str:
    if are_texts(case.made, case.train, case.test):
        return text_space(case.train)
    return alike(case.made, case.test, case.train) or space_of(case)


def _taken(items: Any, index: Cells) -> Any:
    return items[index] if isinstance(items, np.ndarray) else [items[i] for i in index]


def _judge(x: Cells, labels: Cells) -> tuple[Pipeline, float]:
    """A classifier of four fifths of the items, and how often it is right about the others."""
    held = np.arange(len(x)) % HELD == 0
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x[~held], labels[~held])
    return judge, float(np.mean(judge.predict(x[held]) == labels[held]))
