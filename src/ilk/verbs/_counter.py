"""How rows are judged as answers to "what would have to be otherwise": how far they are, how likely, and how surely the rule holds of them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ilk.given import Keep, Where
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Test
from ilk.verbs.condition import given
from ilk.verbs.read import alone
from ilk.verbs.sample import drawn
from ilk.verbs.score import score

DRAWS, VALUES, FINITE = 2000, 128, 64   # of the model's own rows and of the rule's columns; values of those that are gone through one by one
FEW, STEPS = 16, 4                      # rows that are mended, and values of a number that are tried on the way back


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model says of rows, for one rule; `least` is the log density that answers have, `sure` the chance of the rule."""

    model: Model
    rule: str
    tests: tuple[Test, ...]
    values: pl.DataFrame    # of the rule's columns, (V,)
    weight: Tensor          # log weight of each
    typical: Tensor         # sorted nats of the model's own rows
    scale: dict[str, float]
    least: float
    sure: float

    @classmethod
    def of(cls, model: Model, rule: str, tests: tuple[Test, ...], sure: float, plausible: float, rng: Rng) -> Answers:
        """Looks at the model's own rows."""
        own = drawn(model, DRAWS, rng.child("own"), None)
        typical = score(model, own).nats.sort().values
        parts = list(dict.fromkeys(t.part for t in tests))
        values, weight = _values(model, own.select(parts), parts)
        scale = {c.name: float(_numbers(own[c.name]).drop_nulls().quantile(0.95) or 0) - float(_numbers(own[c.name]).drop_nulls().quantile(0.05) or 0)
                 for c in model.modality.columns if c.kind in NUMBERS}  # type: ignore[attr-defined]
        return cls(model, rule, tests, values, weight, typical, scale, float(typical.quantile(plausible)), sure)

    def gaps(self, rows: pl.DataFrame, one: pl.DataFrame) -> Tensor:
        """Of each column how far it is from one row's, (n, columns): a half for being another, and a half for how far, which is all of it for what has no distance."""
        found = []
        for name in rows.columns:
            mine, its = rows[name], one[name][0]
            other = torch.from_numpy((~mine.eq_missing(pl.Series([its], dtype=mine.dtype))).to_numpy().copy()).double()
            far = torch.ones(len(rows), dtype=torch.double)
            if name in self.scale and its is not None:
                middle = float(_numbers(one[name])[0])
                far = torch.from_numpy(((_numbers(mine) - middle).abs() / max(self.scale[name], 1e-12)).fill_null(1.0).clip(0, 1).to_numpy().copy())
            found.append(other * (1 + far) / 2)
        return torch.stack(found, 1)

    def chance(self, rows: pl.DataFrame) -> Tensor:
        """p(rule | all other columns) under the model, (n,): exact where the rule's columns have few values, else over draws of them."""
        many = len(self.values)
        told = pl.concat([rows.with_columns([pl.lit(cell[name][0], dtype=rows.schema[name]).alias(name) for name in cell.columns])
                          for cell in self.values.iter_slices(1)])
        nats = score(self.model, told).nats.reshape(many, len(rows)) + self.weight[:, None]
        obeys = self.model.modality.obeys(told, self.tests).reshape(many, len(rows))
        return (nats.where(obeys, -torch.inf).logsumexp(0) - nats.logsumexp(0)).exp().nan_to_num(0.0)

    def good(self, rows: pl.DataFrame) -> Tensor:
        """Which rows obey, are likely enough, and obey surely enough, (n,)."""
        found = self.model.modality.obeys(rows, self.tests)
        for value, least in ((lambda r: score(self.model, r).nats, self.least), (self.chance, self.sure)):
            here = found.nonzero()[:, 0]
            if len(here):
                found[here] = value(rows[here.numpy()]) >= least
        return found

    def percentile(self, rows: pl.DataFrame) -> Tensor:
        """The share of the model's own rows that are less likely, (n,)."""
        return torch.searchsorted(self.typical, score(self.model, rows).nats).double() / len(self.typical)


NUMBERS = ("number", "when")


def _numbers(cells: pl.Series) -> pl.Series:
    return cells.to_physical().cast(pl.Float64)


def _values(model: Model, own: pl.DataFrame, parts: Sequence[str]) -> tuple[pl.DataFrame, Tensor]:
    """Every value of columns that have few; else draws, each weighed by one over how often it is drawn."""
    columns = {c.name: c for c in model.modality.columns}  # type: ignore[attr-defined]
    if all(columns[p].kind in ("category", "boolean") for p in parts):
        cells = list(product(*([*columns[p].raw, *([None] if columns[p].maybe else [])] for p in parts)))
        if len(cells) <= FINITE:
            return pl.DataFrame(cells, schema={p: own.schema[p] for p in parts}, orient="row"), torch.zeros(len(cells), dtype=torch.double)
    some = own.head(VALUES)
    return some, -torch.tensor([given(model, Keep(row)).met.met.log_mass for row in some.iter_rows(named=True)], dtype=torch.double)


def mended(answers: Answers, one: pl.DataFrame, pool: pl.DataFrame, free: Sequence[str]) -> pl.DataFrame | None:
    """The best row that is found: the nearest good ones of a pool, each brought nearer column by column while it stays good; None where none is good."""
    pool = pool.with_columns([one[name].new_from_index(0, len(pool)) for name in alone(answers.model.modality)])
    far = answers.gaps(pool, one).sum(1)
    order = far.argsort(stable=True)
    good = order[answers.good(pool[order.numpy()])][:FEW]
    if not len(good):
        return None
    rows = pool[good.numpy()]
    tries = {name: _back(answers, one[name], pool[name]) for name in free}
    while True:
        far = answers.gaps(rows, one).sum(1)
        steps = [rows.with_columns(pl.lit(value, dtype=rows.schema[name]).alias(name)) for name in free for value in tries[name]]
        every = pl.concat(steps)
        gain = far.repeat(len(steps)) - answers.gaps(every, one).sum(1)
        better = (gain > 1e-9).nonzero()[:, 0]
        gain = torch.full_like(gain, -1.0).index_copy(0, better, gain[better].where(answers.good(every[better.numpy()]), -1.0)) if len(better) else gain
        best = gain.reshape(len(steps), len(rows)).max(0)
        if not bool((best.values > 1e-9).any()):
            return rows[int(far.argmin())]
        at = torch.arange(len(rows))
        chosen = (best.indices * len(rows) + at).where(best.values > 1e-9, len(every) + at)
        rows = pl.concat([every, rows])[chosen.numpy()]


def _back(answers: Answers, mine: pl.Series, pool: pl.Series) -> list[Any]:
    """Values to try in a column: the row's own, and values of the pool that lie between."""
    seen = pool.drop_nulls().unique().sort()
    if mine.name not in answers.scale or mine[0] is None:
        return [mine[0], *(seen.to_list() if len(seen) <= FINITE else [])]
    near = seen.gather((_numbers(seen) - float(_numbers(mine)[0])).abs().arg_sort())
    places = range(len(near)) if len(near) <= STEPS else [len(near) * k * k // (4 * STEPS * STEPS) for k in range(1, STEPS + 1)]
    return [mine[0], *(near[k] for k in places)]


def pool_of(model: Model, kept: Mapping[str, Any], rule: str, rng: Rng) -> pl.DataFrame:
    """Rows that obey and hold what is kept."""
    still = alone(model.modality)
    asked = {name: value for name, value in kept.items() if name not in still}
    found: pl.DataFrame = drawn(given(given(model, Keep(asked)) if asked else model, Where(rule)), DRAWS, rng, None)
    return found
