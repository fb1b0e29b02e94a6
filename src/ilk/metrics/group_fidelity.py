"""Whether a model does justice to every group: how often each is made, how true to it, and how much of its variety."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._groups import Group, Grouped, grouped
from ._neighbours import K, four
from ._tables import Cells, Sides, some, spread
from .column_shapes import shape

MOST = 1000


class GroupFidelity(Metric):
    """The worst that a group gets of three: its share of made items over that of test items (at most 1), fidelity within it, coverage of it.

    Groups are values of categorical columns, or labels, with at least 30 test items. Fidelity is that of `column_shapes` for rows, `precision` for
    other items; coverage is that of `coverage`. Fewer than 6 made items have neither: their share says so.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("table", "text", "array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The worst group's worst; `parts` has all three of every group. The error is that of the one figure, the group taken as given."""
        found = grouped(case)
        if isinstance(found, str):
            return NotApplicable(found)
        judged = {(group.name, what): figure for group in found.groups for what, figure in _judged(found, group, rng).items()}
        name, what = min(judged, key=lambda one: judged[one].value)
        worst = judged[name, what]
        parts = {f"{name}: {what}": figure.value for (name, what), figure in judged.items()}
        return Reading(worst.value, worst.error() if case.errors else None, len(found.made), parts,
                       f"worst is the {what} of {name} among {len(found.groups)} groups; {found.convention}")


@dataclass(frozen=True)
class Figure:
    """What a group gets, and how its error is worked out if it is wanted."""

    value: float
    error: Callable[[], float | None]


def _judged(found: Grouped, group: Group, rng: Rng) -> dict[str, Figure]:
    """Share of the made items over that of the test items, at most 1; fidelity and coverage of as many made and test items, or coverage would tell of numbers."""
    made, test, here = group.made.nonzero()[0], group.test.nonzero()[0], rng.child(group.name)
    share = {"share": _share(len(made), len(found.made), len(test), len(found.test))}
    n = min(len(made), len(test), MOST)
    if n <= K:
        return share
    made, test = made[some(len(made), n, here.child("made"))], test[some(len(test), n, here.child("test"))]
    near = {name: Figure(value, partial(float, error)) for name, (value, error) in four(found.made[made], found.test[test]).items()}
    others = [column.take(made, test) for column in found.columns if column.name != group.column]
    return {**share, "fidelity": _shapes(others, n, here) if others else near["precision"], "coverage": near["coverage"]}


def _share(made: int, of_made: int, test: int, of_test: int) -> Figure:
    ours, real, soft = made / of_made, test / of_test, (made + 1) / (of_made + 2)
    error = (soft * (1 - soft) / of_made + real * (1 - real) / of_test * (ours / real) ** 2) ** 0.5 / real
    return Figure(min(1.0, ours / real), partial(float, error))


def _shapes(columns: Sequence[Sides], n: int, rng: Rng) -> Figure:
    """Mean column shape within a group."""
    def value(ours: Cells, real: Cells) -> float:
        found = [shape(column.take(ours, real)) for column in columns]
        return float(np.nanmean(found)) if np.isfinite(found).any() else 1.0

    return Figure(value(np.arange(n), np.arange(n)), lambda: spread(value, n, n, rng))
