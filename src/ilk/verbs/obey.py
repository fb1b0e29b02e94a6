"""obeying: items of a model that obey constraints, all of them always: projected onto them, and drawn again where nothing can be mended."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
import torch

from ilk import registry
from ilk.constraints import Constraint, Depends, Unique, as_constraints
from ilk.dataset import Dataset, split_dataset
from ilk.distribution import How
from ilk.errors import UsageError
from ilk.given import tests_of
from ilk.metric import Case, Reading, measured
from ilk.modality import Modality
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Test
from ilk.verbs._alike import Table, agreed, cells, keys, repeated, settled, tables
from ilk.verbs._bound import Numeric
from ilk.verbs._conflict import refuse
from ilk.verbs._projection import Flags
from ilk.verbs.condition import BLOCK, LEAST, PROBE
from ilk.verbs.read import native, read
from ilk.verbs.sample import MOST, bound, named

TYPICAL, FEWEST, JUDGED = 500, 100, 2000   # items that tell the scale; that are judged
FIDELITY = ("column_shapes", "pair_trends", "energy_distance")


@dataclass(frozen=True)
class Fidelity:
    """A figure against held-out items, before and after the repair."""

    name: str
    before: float
    after: float
    better: str


@dataclass(frozen=True, eq=False)
class Obeyed:
    """Items that obey, and what it took.

    `share`: of the draws, how many obeyed each constraint by themselves. `repaired`: the share of the items that are not as they were drawn;
    `moved`: how far the numbers of these moved on average, in standard deviations (root of the sum of squares); `redrawn`: draws thrown away, per item.
    """

    items: Any
    n: int
    seed: int
    how: str
    share: Mapping[str, float]
    repaired: float
    moved: float
    redrawn: float
    fidelity: tuple[Fidelity, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.n} items obey all of {len(self.share)}: {self.repaired:.1%} repaired, moved by {self.moved:.2f} standard deviations on average, "
                 f"{self.redrawn:.2f} draws thrown away per item"]
        lines += [f"  {name}: {share:.1%} of draws obeyed" for name, share in self.share.items()]
        lines += [f"  {f.name} ({f.better} is better): {f.before:.4f} before, {f.after:.4f} after" for f in self.fidelity]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Mended:
    """Items; which of them obey (but for keys), which were changed, and how far their numbers moved, (B,) each."""

    items: Any
    good: Flags
    changed: Flags
    moved: Any


@dataclass(frozen=True, eq=False)
class Repair:
    """Constraints bound to a kind of data. `typical` items give the scale of distances, `train` the pairs of dependencies.

    `tests` hold of the items as they are drawn and `never` don't: they are given, and the repair leaves it so."""

    modality: Modality[Any]
    constraints: tuple[Constraint, ...]
    typical: Any
    train: Any = None
    tests: tuple[Test, ...] = ()
    never: tuple[tuple[Test, ...], ...] = ()

    @cached_property
    def numeric(self) -> Numeric:
        """Those between numbers."""
        return Numeric(self.modality, self.constraints, self.typical, self.tests)

    @cached_property
    def _learned(self) -> list[Table]:
        return tables(self.modality, self.constraints, self.train)

    def tables(self) -> list[Table]:
        """New look-ups, one for each dependency."""
        return [Table(t.depends, dict(t.known)) for t in self._learned]

    def obeyed(self, items: Any) -> dict[str, Flags]:
        """Which items obey each constraint, (B,); of items that are alike the first obeys. Nothing is rounded."""
        return self._alone(items) | {str(c): ~repeated(self.modality, c, items) for c in self.constraints if isinstance(c, Unique)}

    def _alone(self, items: Any) -> dict[str, Flags]:
        """As `obeyed`, without keys."""
        numbers = {str(c): good for c, good in self.numeric.obeyed(self.numeric.values(items)).items()}
        return numbers | {str(t.depends): agreed(self.modality, t, items) for t in self.tables()}

    def mended(self, items: Any, known: Sequence[Table]) -> Mended:
        """The items with look-ups and numbers mended; those that obey already are as they were, to the bit."""
        changed = np.zeros(len(items), dtype=bool)
        for table in known:
            items, other = settled(self.modality, table, items)
            changed |= other
        before, moved = self.numeric.values(items), np.zeros(len(items))
        good = self._numbers(before)
        if len(bad := np.flatnonzero(~good)):
            made, mends = self.numeric.mended(before[bad], self._held)
            here = bad[mends]
            items = self._put(items, here, made[mends])
            changed[here], moved[here] = True, np.sqrt(np.nansum(((made[mends] - before[here]) / self.numeric.scale) ** 2, 1))
            good = self._numbers(self.numeric.values(items))
        return Mended(items, good & self.given(items), changed, moved)

    def given(self, items: Any) -> Flags:
        """Which items are as is given, (B,)."""
        good = self.modality.obeys(items, self.tests)
        for tests in self.never:
            good &= ~self.modality.obeys(items, tests)
        return good.numpy()

    def _put(self, items: Any, where: Any, values: Any) -> Any:
        """The items, some of them with other numbers."""
        take, rest = self.modality.take, np.setdiff1d(np.arange(len(items)), where)
        new = self.modality.renumbered(take(items, torch.from_numpy(where)), self.numeric.names, values)  # type: ignore[attr-defined]
        order = np.argsort(np.concatenate([rest, where]))
        return take(self.modality.join([take(items, torch.from_numpy(rest)), new]), torch.from_numpy(order))

    @cached_property
    def _held(self) -> Flags:
        tied = {name for c in self.constraints if isinstance(c, Depends) for name in (*c.on, *c.what)}
        return np.array([name in tied for name in self.numeric.names], dtype=bool)

    def _numbers(self, values: Any) -> Flags:
        found = self.numeric.obeyed(values)
        return np.asarray(np.stack([np.ones(len(values), dtype=bool), *found.values()]).all(0))


@dataclass(frozen=True, eq=False)
class Obeying:
    """A model and what its items shall obey. It is no model: what is repaired has no density, so it only samples."""

    model: Model
    constraints: tuple[Constraint, ...]
    data: Dataset[Any] | None = None

    @cached_property
    def repair(self) -> Repair:
        """The constraints bound to the model's kind of data, worked out once."""
        tests = self.model.modality.checked([t for g in self.model.givens for t in tests_of(g)])
        train = None if self.data is None else self.data.train
        return Repair(self.model.modality, self.constraints, self._typical(), train, tests, self.model.met.never)

    def _typical(self) -> Any:
        if self.data is not None:
            return self.data.sample("train", TYPICAL, Rng(0).child("typical"))
        return next(replace(self.model, givens=()).met.draws(Rng(0).child("typical"), TYPICAL))

    def broken(self, items: Any) -> dict[str, int]:
        """How many of some items break each constraint: nothing is rounded."""
        found = native(self.model.modality, items)
        return {name: int((~good).sum()) for name, good in self.repair.obeyed(found).items()}

    def sample(self, n: int = 1, seed: int = 0, how: How | None = None) -> Obeyed:
        """n items that obey everything. Item i is the same whatever n is; what needs no repair is as `model.sample` draws it."""
        if not 0 <= n <= MOST:
            raise UsageError(f"n is {n}", remedy=f"0 to {MOST} items", code="OPTION", param="n")
        way, drawn, rng, first = bound(self.model, how), _Drawn(self.repair), Rng(seed).child("sample"), min(BLOCK, max(1, n))
        for items in chain(islice(self.model.met.draws(rng, first, way), 1), self.model.met.draws(rng.at(first), BLOCK, way)):
            drawn.take(items, n)
            if drawn.have >= n:
                break
            if drawn.tried >= PROBE and drawn.have * PROBE < LEAST * drawn.tried:
                raise UsageError(f"{drawn.have} of {drawn.tried} draws can be made to obey: {drawn.reasons()}", code="TOO_RARE", param="obey",
                                 remedy="ask for fewer items, or leave out what no draw can be mended to")
        return drawn.obeyed(n, seed, how, self.model, self.data)


class _Drawn:
    """Items kept so far, in the order in which they were drawn."""

    def __init__(self, repair: Repair) -> None:
        self.repair, self.tables = repair, repair.tables()
        self.seen: dict[Unique, set[Any]] = {c: set() for c in repair.constraints if isinstance(c, Unique)}
        self.right = {str(c): 0 for c in repair.constraints}
        self.raw: list[Any] = []
        self.made: list[Any] = []
        self.changed, self.moved = np.zeros(0, dtype=bool), np.zeros(0)
        self.tried = self.doubles = self.unmended = 0

    @property
    def have(self) -> int:
        """How many items are kept."""
        return len(self.changed)

    def take(self, items: Any, n: int) -> None:
        """Mends a block and keeps what obeys and is like nothing before, up to n in all."""
        found = self.repair.mended(items, self.tables)
        keys_of = {c: keys(self.repair.modality, c, found.items) for c in self.seen}
        new = [i for i in np.flatnonzero(found.good).tolist() if self._new({c: k[i] for c, k in keys_of.items()})]
        keep = new[:n - self.have]
        self.doubles, self.unmended, self.tried = self.doubles + int(found.good.sum()) - len(new), self.unmended + int((~found.good).sum()), self.tried + len(items)
        for name, good in self.repair.obeyed(items).items():
            self.right[name] += int(good.sum())
        self.raw.append(items)
        self.made.append(self.repair.modality.take(found.items, torch.tensor(keep, dtype=torch.long)))
        self.changed, self.moved = np.concatenate([self.changed, found.changed[keep]]), np.concatenate([self.moved, found.moved[keep]])

    def _new(self, key: Mapping[Unique, Any]) -> bool:
        """Whether no item before has one of these keys; if so they are taken."""
        if any(k is not None and k in self.seen[c] for c, k in key.items()):
            return False
        for c, k in key.items():
            self.seen[c].add(k)
        return True

    def reasons(self) -> str:
        """Why draws were thrown away."""
        rules = [str(c) for c in self.repair.constraints]
        found = [f"{self.doubles} were like earlier ones in {', '.join(map(str, self.seen))}" if self.doubles else "",
                 f"{self.unmended} found nothing near that obeys {', '.join(r for r in rules if not r.startswith('unique'))}" if self.unmended else ""]
        return "; ".join(filter(None, found))

    def obeyed(self, n: int, seed: int, how: How | None, model: Model, data: Dataset[Any] | None) -> Obeyed:
        """The first n."""
        join, take = self.repair.modality.join, self.repair.modality.take
        items = join(self.made)
        raw = take(join(self.raw), torch.arange(min(JUDGED, n)))
        fidelity = () if data is None or n < FEWEST else _fidelity(self.repair, model, data, (raw, take(items, torch.arange(min(JUDGED, n)))))
        moved = self.moved[self.moved > 0]
        return Obeyed(items, n, seed, named(how), {name: right / max(1, self.tried) for name, right in self.right.items()},
                      float(self.changed.mean()) if n else 0.0, float(moved.mean()) if len(moved) else 0.0,
                      (self.doubles + self.unmended) / max(1, n), fidelity)


def _fidelity(repair: Repair, model: Model, data: Dataset[Any], sides: tuple[Any, Any]) -> tuple[Fidelity, ...]:
    """Figures of the draws as they were, and of the items made of them, against those held-out items that are as is given."""
    train, test = (data.modality.take(found, torch.from_numpy(repair.given(found)).nonzero()[:, 0])
                   for found in (data.sample(split, JUDGED, Rng(0).child(split)) for split in ("train", "test")))
    kind, found = registry.name_of("modalities", model.modality), []
    for name in FIDELITY:
        metric = registry.get("metrics", name)()
        if not metric.modalities or kind in metric.modalities:
            both = [measured(metric, Case(model=model, made=m, train=train, test=test, errors=False), Rng(0).child(name)) for m in sides]
            before, after = (b.value if isinstance(b, Reading) else None for b in both)
            if before is not None and after is not None:
                found.append(Fidelity(name, before, after, metric.better))
    return tuple(found)


def obeying(model: Model, rules: str | Constraint | Sequence[str | Constraint], data: Any = None) -> Obeying:
    """A sampler of items that obey every one of these constraints, always. UsageError if they contradict each other.

    What is given of the model stays as exact as it was: constraints are met after it is drawn. `data`, a Dataset or items, teach dependencies,
    and their held-out part judges what the repair costs.

    >>> import ilk, polars as pl
    >>> x = ilk.Rng(1).uniform(200, 2).mul(100).round().numpy()
    >>> data = ilk.read(pl.DataFrame({"start": x.min(1), "end": x.max(1)}))
    >>> made = obeying(ilk.fit(data, ilk.GMM(components=1)), "start <= end and 0 <= start").sample(500)
    >>> bool((made.items["start"] <= made.items["end"]).all()), 0 < made.repaired < 1
    (True, True)
    """
    found = Obeying(model, as_constraints(rules), None if data is None else _held_out(model, data))
    for c in found.constraints:
        if isinstance(c, Unique | Depends) and (names := c.names if isinstance(c, Unique) else (*c.on, *c.what)):
            cells(model.modality, model.modality.take(found.repair.typical, torch.arange(0)), names)
    found.repair.tables()
    refuse(found.repair.numeric)
    return found


def _held_out(model: Model, data: Any) -> Dataset[Any]:
    if isinstance(data, Dataset):
        return data if "test" in data.splits else split_dataset(data)
    found = native(model.modality, read(data, model.modality).items if isinstance(data, str) else data)
    return split_dataset(Dataset(model.modality, found))
