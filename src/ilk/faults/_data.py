"""Data as faults look at them: the cells, texts or arrays of some items, what is to be told of an item, and items as rows of numbers."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.rng import Rng

MOST, WIDE = 20_000, 64                       # items looked at; numbers an item as which a classifier sees it
PIXELS, PLACES = 20_000_000, 1024              # of all pictures looked at; of one, where a classifier looks at it
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "diagnosis", "species")
CLASSES, TREES, NARROW = 20, 40, 32

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """The class of each of some items: its column's name ("label" for labels beside items), whole numbers, and what they stand for."""

    name: str
    codes: NDArray[np.int64]
    names: tuple[Any, ...]


def rows(data: Dataset[Any], split: str | None = None, at_most: int = MOST) -> torch.Tensor:
    """Which items are looked at: of all or of a split, at most so many."""
    index = torch.arange(len(data)) if split is None else data.splits[split]
    return index if len(index) <= at_most else index[Rng(0).child("doctor").shuffle(len(index))[:at_most].sort().values]


def taken(data: Dataset[Any], index: torch.Tensor) -> Any:
    """Those items, an array as it is and not as torch has it."""
    return data.modality.take(data.items, index)


def frame(data: Dataset[Any]) -> pl.DataFrame:
    """Rows of a table; no columns where there are none."""
    if not hasattr(data.modality, "columns"):
        return pl.DataFrame()
    found = taken(data, rows(data))
    return found if isinstance(found, pl.DataFrame) else pl.DataFrame()


def texts(data: Dataset[Any]) -> list[str]:
    """Texts that are items; none where items are something else."""
    return list(taken(data, rows(data))) if isinstance(data.items, list) and all(isinstance(t, str) for t in data.items[:100]) else []


def strings(data: Dataset[Any]) -> Iterator[tuple[str, list[str]]]:
    """Texts by where they stand: the items, or each column of texts and the columns' names."""
    if found := texts(data):
        yield "the texts", found
    table = frame(data)
    if table.width:
        yield "the columns' names", table.columns
    for name in table.columns:
        if table[name].dtype == pl.String:
            yield f"column {name!r}", table[name].drop_nulls().to_list()


def series(data: Dataset[Any]) -> Iterator[tuple[pl.Series, str]]:
    """Columns and their kinds: of a table, or of rows of a few real numbers."""
    table = frame(data)
    kinds = {c.name: c.kind for c in getattr(data.modality, "columns", ())}
    yield from ((table[name], kinds.get(name, "")) for name in table.columns)
    if isinstance(data.items, np.ndarray) and data.items.ndim == 2 and data.items.dtype.kind == "f" and data.items.shape[1] <= WIDE:
        cells = np.asarray(taken(data, rows(data)), dtype=np.float64)
        yield from ((pl.Series(f"{i}", cells[:, i]), "number") for i in range(cells.shape[1]))


def pictures(data: Dataset[Any]) -> NDArray[Any]:
    """Items that are pictures, (n, h, w, ...); (0, 0, 0) where they are none."""
    if not isinstance(data.items, np.ndarray) or data.items.ndim not in (3, 4) or min(data.items.shape[1:3]) < 6 or data.items.shape[3:] not in ((), (1,), (3,), (4,)):
        return np.zeros((0, 0, 0))
    return np.asarray(taken(data, rows(data, at_most=shown(data))))


def shown(data: Dataset[Any]) -> int:
    """How many pictures are looked at: few, where they are large."""
    return max(100, min(5000, PIXELS // max(1, int(np.prod(data.items.shape[1:])))))


def target(data: Dataset[Any], index: torch.Tensor) -> Target | None:
    """The class of each item: a label, else the cells of a column that is named like one, else of the last if that is of few categories."""
    if data.labels is not None:
        return Target("label", data.labels.codes[index].numpy(), data.labels.names)
    if not hasattr(data.modality, "columns"):
        return None
    table = taken(data, index)
    name = next((c for c in table.columns if c.lower() in TARGETS), table.columns[-1])
    cells = table[name].cast(pl.String).fill_null("")
    if table[name].dtype.is_float() or not 2 <= cells.n_unique() <= min(CLASSES, len(table) // 5) or (name.lower() not in TARGETS and table[name].dtype.is_numeric()):
        return None
    names = cells.unique().sort().to_list()
    return Target(name, cells.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy(), tuple(names))


def features(data: Dataset[Any], index: torch.Tensor, without: str = "") -> tuple[list[str], Numbers]:
    """Items as rows of numbers that trees can tell apart, and what each is called: cells, pixels (or their main directions), or directions of character n-grams."""
    items = taken(data, index)
    if isinstance(items, pl.DataFrame):
        names = [c for c in items.columns if c != without]
        return names, np.stack([_cells(items[c]) for c in names], 1) if names else np.zeros((len(items), 0))
    if isinstance(items, list):
        return _named(_directions(_grams(items)))
    flat = np.asarray(items).reshape(len(items), -1)
    flat = flat[:, np.linspace(0, flat.shape[1] - 1, min(flat.shape[1], PLACES)).astype(np.int64)].astype(np.float64)
    return _named(_directions(flat) if flat.shape[1] > WIDE else flat)


def _named(found: Numbers) -> tuple[list[str], Numbers]:
    return [f"{i}" for i in range(found.shape[1])], found


def _cells(column: pl.Series) -> Numbers:
    """Numbers and times as they are, texts by their order, so that dates written as text keep theirs; missing cells below all others."""
    if column.dtype == pl.String:
        column = column.rank("dense")
    found = column.to_physical().cast(pl.Float64).fill_nan(None)
    low = found.min()
    return found.fill_null((low if isinstance(low, float) else 0.0) - 1.0).to_numpy()


def _grams(items: list[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=4096, alternate_sign=False).transform([t[:2000] for t in items])


def _directions(rows: Any) -> Numbers:
    """The main directions of many numbers (Halko, Martinsson & Tropp 2011)."""
    from sklearn.decomposition import TruncatedSVD

    with np.errstate(invalid="ignore", divide="ignore"):  # items that are all alike have no spread to be a share of
        found = TruncatedSVD(min(WIDE, rows.shape[1] - 1, max(1, rows.shape[0] - 1)), n_iter=2, random_state=0).fit_transform(rows)
    return np.asarray(found, dtype=np.float64)


def chances(x: Numbers, y: NDArray[np.int64], folds: int) -> Numbers:
    """What extremely randomised trees (Geurts et al. 2006) that have not seen an item hold its class to be, (n, classes)."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    trees = ExtraTreesClassifier(TREES, min_samples_leaf=5, max_features=0.5 if x.shape[1] <= NARROW else "sqrt", random_state=0)
    found = cross_val_predict(trees, x, y, cv=StratifiedKFold(folds, shuffle=True, random_state=0), method="predict_proba")
    return np.asarray(found, dtype=np.float64)
