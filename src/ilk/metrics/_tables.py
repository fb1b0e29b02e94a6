"""Tables as metrics see them: the columns that count, as numbers or as categories, and their cells as arrays."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..rng import Rng

if TYPE_CHECKING:
    from ..model import Model

Cells = NDArray[Any]
LEFT_OUT, DRAWS, FEW = ("identifier", "text"), 20, 10


@dataclass(frozen=True)
class Column:
    """A column, whether its cells are numbers (dates are), and how its dates are written if they are texts."""

    name: str
    number: bool
    form: str | None = None


@dataclass(frozen=True, eq=False)
class Sides:
    """A column of the made and of the test table, as `arrays` gives its cells."""

    name: str
    number: bool
    made: Cells
    test: Cells

    def take(self, made: Cells, test: Cells) -> Sides:
        """Some rows of each."""
        return Sides(self.name, self.number, self.made[made], self.test[test])


def columns(model: Model | None, frames: Sequence[pl.DataFrame]) -> list[Column]:
    """Columns that all frames have, by the model's word or else by dtype; identifiers, free text and nested ones are left out."""
    known = {c.name: c for c in getattr(model.modality, "columns", ())} if model is not None else {}
    found = [_column(name, known.get(name), [f[name].dtype for f in frames]) for name in frames[0].columns if all(name in f.columns for f in frames)]
    return [c for c in found if c is not None]


def _column(name: str, known: Any, dtypes: Sequence[pl.DataType]) -> Column | None:
    if (known is not None and known.kind in LEFT_OUT) or any(d.is_nested() or d == pl.Object for d in dtypes):
        return None
    if known is not None:
        return Column(name, known.kind in ("number", "when"), getattr(known, "form", None))
    return Column(name, all(d.is_numeric() for d in dtypes) or all(d.is_temporal() for d in dtypes))


def arrays(column: Column, frames: Sequence[pl.DataFrame]) -> list[Cells]:
    """Its cells in each frame: floats, NaN where missing; or codes of values common to all frames, -1 where missing."""
    series = [f[column.name] for f in frames]
    return [_floats(column, s) for s in series] if column.number else _codes(series)


def sides(model: Model | None, made: pl.DataFrame, test: pl.DataFrame) -> list[Sides]:
    """The columns that count, of both tables."""
    return [Sides(c.name, c.number, *arrays(c, (made, test))) for c in columns(model, (made, test))]


def _floats(column: Column, series: pl.Series) -> Cells:
    if column.form and series.dtype == pl.String:
        series = series.str.strptime(pl.Datetime("us"), column.form, strict=False)
    if series.dtype in (pl.Date, pl.Datetime):
        series = series.cast(pl.Datetime("us", getattr(series.dtype, "time_zone", None)))
    plain = series.to_physical() if series.dtype.is_temporal() else series
    made: Cells = (plain if plain.dtype.is_float() else plain.cast(pl.Float64, strict=False)).to_numpy()
    return made


def _codes(series: Sequence[pl.Series]) -> list[Cells]:
    texts = [s.cast(pl.String, strict=False) for s in series]
    values = pl.concat(texts, rechunk=True).drop_nulls().unique().sort()
    if not len(values):
        return [np.full(len(s), -1) for s in texts]
    return [s.replace_strict(values, pl.Series(range(len(values)), dtype=pl.Int64), default=None).fill_null(-1).to_numpy() for s in texts]


def frames_of(*collections: Any) -> list[pl.DataFrame] | str:
    """The collections as frames, or why they are not to be used as such."""
    if not all(isinstance(c, pl.DataFrame) for c in collections):
        return "it is about tables"
    return list(collections) if all(len(c) for c in collections) else "there are no rows"


def generator(rng: Rng) -> np.random.Generator:
    """numpy's generator of a stream."""
    return np.random.Generator(np.random.Philox(key=rng.key()))


def some(n: int, most: int, rng: Rng) -> Cells:
    """At most so many of n rows, at random, in order."""
    found: Cells = np.arange(n) if n <= most else np.sort(rng.shuffle(n)[:most].numpy())
    return found


def spread(value: Callable[[Cells, Cells], float], made: int, test: int, rng: Rng) -> float | None:
    """The standard error of a figure by bootstrap over the rows of both sides (20 draws); None for fewer than 10 rows."""
    if min(made, test) < FEW:
        return None
    dice = generator(rng.child("bootstrap"))
    got = np.array([value(dice.integers(made, size=made), dice.integers(test, size=test)) for _ in range(DRAWS)])
    got = got[np.isfinite(got)]
    return float(got.std(ddof=1)) if len(got) > DRAWS // 2 else None
