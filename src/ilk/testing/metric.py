"""What every metric must do."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from ..metric import Case, Metric, NotApplicable, Reading, measured
from ..rng import Rng
from ._same import require, untouched

CHANCE = 0.1


def check_metric(metric: Metric, cases: Sequence[Case]) -> list[Reading]:
    """All that holds for every metric. `cases` go from the best (identity: made items are real ones) to the worst.

    Each figure lies inside [low, high] and is the same twice; the first is the best of all within
    its error, or near the middle where that is best.
    """
    name = type(metric).__name__
    require(metric.better in ("higher", "lower", "middle", "real") and metric.low < metric.high, f"{name}: better, low and high make no sense")
    fields = {"model", "made", "train", "test", "holdout"}
    require(set(metric.needs) <= fields and bool(metric.needs), f"{name}.needs {metric.needs}; a Case has {sorted(fields)}")
    for absent in metric.needs:
        found = measured(metric, replace(cases[0], **dict[str, Any]({absent: None})), Rng(0))
        require(isinstance(found, NotApplicable) and absent in found.reason, f"{name} without {absent} gave {found}")
    read = [_read(metric, case) for case in cases]
    best, middle = read[0], (metric.low + metric.high) / 2
    for other in read[1:]:
        if metric.better == "real":
            continue  # real items are the best whatever they give
        good, bad = ((abs(r.value - middle) if metric.better == "middle" else r.value) for r in (best, other))
        slack = 2 * ((best.error or 0.0) + (other.error or 0.0)) + 1e-9
        ahead = good >= bad - slack if metric.better == "higher" else good <= bad + slack
        require(ahead, f"{name} ({metric.better} is better) gives identity {best.value} and something else {other.value}")
    if metric.better == "middle":
        require(abs(best.value - middle) <= max(CHANCE, 4 * (best.error or 0.0)), f"{name} gives identity {best.value}, not {middle}")
    return read


def _read(metric: Metric, case: Case) -> Reading:
    name = type(metric).__name__
    with untouched(name):
        found, again = (measured(metric, case, Rng(2)) for _ in range(2))
    if not isinstance(found, Reading):
        raise AssertionError(f"{name} does not apply to a whole case: {found.reason}")
    require(found == again, f"{name}: the same rng gave {found.value} and then {again}")
    require(isfinite(found.value) and metric.low <= found.value <= metric.high, f"{name} is {found.value}, outside [{metric.low}, {metric.high}]")
    require(found.n > 0 and (found.error is None or found.error >= 0), f"{name}: n is {found.n}, the error {found.error}")
    return found
