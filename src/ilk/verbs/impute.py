"""impute: the missing cells of every row, given the cells that it has."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.batch import Batch
from ilk.distribution import Completes, Completion, Conditions, Marginal
from ilk.errors import UsageError
from ilk.given import Given, Keep, Where, tests_of
from ilk.lift import Same, ToRecord
from ilk.modality import Fills, HasParts, Lowered
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Test, Value
from ilk.run import Began, Ended, Listener, Progress, Run
from ilk.space import Discrete, Maybe, Row, Space, inner
from ilk.verbs.read import read
from ilk.verbs.sample import MOST, drawn

BLOCK, GUESSES = 2000, 100   # rows completed at once; draws that stand for a law where rows are taken one by one
SORTS = ("exact", "estimate", "guided", "rejected")


@dataclass(frozen=True, eq=False)
class Imputed:
    """Rows with their missing cells filled, and how the known ones were met: `ess` is the median effective sample size where that is an estimate.

    `cells` were filled; the model knows nothing of the columns `left`, in which cells are missing still.
    """

    items: Any
    met: str
    ess: float | None
    cells: int
    left: tuple[str, ...]


def impute(model: Model, rows: Any, n: int = 1, best: bool = False, seed: int = 0) -> Any:
    """The rows with their missing cells filled, n times each; known cells stay as they are. Cells are taken to be missing at random.

    Filled are draws from p(missing | known), the cells of a row together. With `best` it is the single best guess at each cell by itself:
    the most probable category, which is wrong least often, and the median of a number, which has the least expected absolute error.

    >>> import ilk, polars as pl
    >>> model = ilk.fit(pl.DataFrame({"a": [0, 1] * 50, "b": ["x", "y"] * 50}), ilk.ChowLiu())
    >>> impute(model, pl.DataFrame({"a": [1, None], "b": [None, "x"]}), best=True).rows()
    [(1, 'y'), (0, 'x')]
    """
    return imputed(model, rows, n, best, seed).items


def imputed(model: Model, rows: Any, n: int = 1, best: bool = False, seed: int = 0, listeners: Sequence[Listener] = ()) -> Imputed:
    """As `impute`, and how it was met."""
    if not isinstance(model.codec, Fills):
        raise UsageError(f"items of {registry.name_of('modalities', model.modality)} have no missing cells", code="CAPABILITY", remedy="ilk edit makes parts of them anew")
    if not 1 <= n <= MOST or (best and n > 1):
        raise UsageError(f"n is {n}", remedy="1: there is one best guess" if best else f"1 to {MOST} items", code="OPTION", param="n")
    items, rng = read(rows, model.modality).items, Rng(seed).child("impute")
    run, pieces = Run(listeners=tuple(listeners)), list[Piece]()
    run.emit(Began("impute", len(items)))
    for start in range(0, len(items), BLOCK):
        part = model.modality.take(items, torch.arange(start, min(start + BLOCK, len(items))))
        pieces.append(_together(model, part, n, best, rng.at(start)) or _singly(model, part, n, best, rng.at(start), run))
        run.emit(Progress(min(start + BLOCK, len(items)), min(1.0, (start + BLOCK) / len(items))))
    run.emit(Ended("impute", len(items), 0.0))
    ess = torch.cat([p.ess for p in pieces])
    made = model.modality.join([p.items for p in pieces])
    return Imputed(made, max((p.met for p in pieces), key=SORTS.index), float(ess.median()) if len(ess) else None,
                   sum(p.cells for p in pieces), tuple(c for c in made.columns if made[c].null_count()))


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows filled; the effective sample size of each where that is an estimate."""

    items: Any
    met: str
    ess: Tensor
    cells: int


def _together(model: Model, part: Any, n: int, best: bool, rng: Rng) -> Piece | None:
    """All rows in one pass; None where the family can't."""
    codec: Any = model.codec
    batch, known = codec.gaps(part, rng.child("code"))
    if bool(known.all()):
        return Piece(_repeated(model, [part] * n), "exact", torch.zeros(0), 0)
    found = _completion(model, batch, known, rng)
    if found is None:
        return None
    lowered, completion = found
    if bool((completion.log_mass == -inf).any()):
        row = rng.first + int((completion.log_mass == -inf).nonzero()[0]) + 1
        raise UsageError(f"the known cells of row {row} are impossible under this model{' and what is given' if model.givens else ''}", code="IMPOSSIBLE")
    if best:
        made = [codec.typical(completion.marginals(), rng.child("raw"))]
    else:
        draws = (model.lift.decode(completion.draw(rng.child("draw", k))) for k in range(n))
        frames = [lowered.codec.decode(draw, rng.child("raw", k)) for k, draw in enumerate(draws)]
        made = [{name: frame[name] for name in batch.parts} for frame in frames]
    full = _repeated(model, [codec.filled(part, cells) for cells in made])
    exact = completion.ess is None and codec.keeps != "refines"   # a number on a grid stands for its whole step
    return Piece(full, "exact" if exact else "estimate", torch.zeros(0) if completion.ess is None else completion.ess[~known.all(1)], int((~known).sum()))


def _repeated(model: Model, copies: Sequence[Any]) -> Any:
    """Collections of the same rows, those of a row side by side."""
    if len(copies) == 1:
        return copies[0]
    index = torch.arange(len(copies[0]))[:, None] + len(copies[0]) * torch.arange(len(copies))
    return model.modality.take(model.modality.join(copies), index.flatten())


def _completion(model: Model, batch: Batch, known: Tensor, rng: Rng) -> tuple[Lowered[Any], Completion] | None:
    """What the body makes of the rows and of what is given besides; None where it can't take that for many at once."""
    tests = [tests_of(g) for g in model.givens]
    if not isinstance(model.body, Completes) or not isinstance(model.lift, Same | ToRecord) or not all(tests):
        return None
    there = [Test(name, "!=", None) for name in _maybe(model)]
    lowered = model.codec.given([*model.modality.checked([t for some in tests for t in some]), *there])
    evidence = model.lift.evidence(lowered.known) if lowered.known else None
    if lowered.rest or (lowered.known and evidence is None):
        return None
    found = model.body.given_each(model.lift.encode(batch, rng.child("lift")), known, evidence, rng.child("each"))
    return None if found is None else (lowered, found)


def _parts(model: Model) -> Mapping[str, Space]:
    """The columns that the model knows of."""
    return model.codec.space.parts if isinstance(model.codec.space, Row) else {}


def _maybe(model: Model) -> list[str]:
    """Columns whose cells may be missing under the model: those to fill are taken to be there."""
    return [name for name, part in _parts(model).items() if isinstance(part, Maybe)]


def _singly(model: Model, part: Any, n: int, best: bool, rng: Rng, run: Run) -> Piece:
    """Row by row, each through `given`."""
    name = registry.name_of("families", model.body.family)
    if not isinstance(model.body, Conditions) or not isinstance(model.modality, HasParts):
        raise UsageError(f"{name} can't be told what is known of a row: it lacks Completes and Conditions", code="CAPABILITY",
                         remedy="circuit, gmm, chow_liu, mixture and made can")
    rows, sorts, ess, cells = [], ["exact"], [], 0
    for i in range(len(part)):
        one = model.modality.take(part, torch.tensor([i]))
        kept = {c: v for c, v in model.modality.parts(one).items() if c in _parts(model)}
        gone = [c for c, v in kept.items() if v is None]
        if not gone:
            rows.append(_repeated(model, [one] * n))
            continue
        told = _told(model, kept)
        made = drawn(told, GUESSES if best else n, rng.child("row", rng.first + i), None)
        rows.append(_guessed(model, one, made, rng) if best else _each_filled(model, one, made, gone))
        sorts.append("estimate" if best else told.met.met.sort)
        ess += [told.met.met.ess] if told.met.met.ess else []
        cells += len(gone)
        run.emit(Progress(rng.first + i + 1, min(1.0, (i + 1) / len(part))))
    return Piece(model.modality.join(rows), max(sorts, key=SORTS.index), torch.tensor(ess), cells)


def _told(model: Model, cells: Mapping[str, Value]) -> Model:
    """The model given the cells that are known, and that the others are there."""
    stays = {c: v for c, v in cells.items() if v is not None}
    there = " and ".join(str(Test(c, "!=", None)) for c in _maybe(model) if c not in stays)
    more: list[Given] = [*([Keep(stays)] if stays else []), *([Where(there)] if there else [])]
    return replace(model, givens=(*model.givens, *more))


def _each_filled(model: Model, one: Any, made: Any, gone: Sequence[str]) -> Any:
    """A row as many times as there are draws, each with the cells of its own."""
    codec: Any = model.codec
    return codec.filled(model.modality.take(one, torch.zeros(len(made), dtype=torch.long)), {c: made[c] for c in gone})


def _guessed(model: Model, one: Any, made: Any, rng: Rng) -> Any:
    """A row with its best guesses by how often draws come."""
    codec: Any = model.codec
    draws, known = codec.gaps(made, rng)[0].parts, codec.gaps(one, rng)[1][0]
    laws = [_counted(draws[name].tensor, space, int(not here)) for (name, space), here in zip(_parts(model).items(), known, strict=True)]
    return codec.filled(one, codec.typical(laws, rng))


@dataclass(frozen=True, eq=False)
class Drawn:
    """A number of m items by its draws, (m, draws)."""

    x: Tensor

    def quantile(self, level: float) -> Tensor:
        """(m,)."""
        return self.x.quantile(level, dim=1)


def _counted(x: Tensor, space: Space, m: int) -> Marginal:
    """The law of m items (one or none) by the draws (draws,) of one place."""
    atom = inner(space)
    if isinstance(atom, Discrete):
        return torch.bincount(x, minlength=atom.each[0]).double().log().expand(m, -1)
    return Drawn(x.double().expand(m, -1))
