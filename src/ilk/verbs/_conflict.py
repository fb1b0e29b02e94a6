"""Which constraints contradict each other: a set of them that can't be obeyed together, but without any one of them can."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from ilk.errors import UsageError
from ilk.verbs._bound import Numeric
from ilk.verbs._steps import Whole, bounds
from ilk.verbs._whole import FREE

SEARCHED, NODES = 200, 10_000   # columns up to which whole numbers are taken for whole; how long that is searched


def refuse(numeric: Numeric) -> None:
    """UsageError that names them, if there are any."""
    if not numeric.names:
        return
    lines: dict[str, list[Whole]] = {}
    for row, line in zip([*numeric.rows, *numeric.given], numeric.lines, strict=True):
        lines.setdefault(row.said, []).append(line)
    for i, name in enumerate(numeric.names):
        low, high = bounds(numeric.gauges[name], numeric.grid.steps[i], numeric.grid.anchors[i])
        if (low, high) != (-FREE, FREE):
            lines[f"the bounds of `{name}`"] = [Whole({i: 1}, low, high)]
    if _possible(numeric, lines):
        return
    for said in list(lines):
        without = {k: v for k, v in lines.items() if k != said}
        if not _possible(numeric, without):
            lines = without
    raise UsageError(f"these can't be obeyed together: {'; '.join(lines)}", code="CONTRADICTION", param="obey", remedy="leave one of them out")


def _possible(numeric: Numeric, lines: Mapping[str, Sequence[Whole]]) -> bool:
    flat = [line for group in lines.values() for line in group]
    if not flat:
        return True
    per = np.array([1.0 if numeric.gauges[n].step or n in numeric.asked else s / float(step)
                    for n, s, step in zip(numeric.names, numeric.scale, numeric.grid.steps, strict=True)])
    few = len(per) <= SEARCHED
    place = [(j, i, f * per[i]) for j, line in enumerate(flat) for i, f in line.factors.items()]
    j, i, factor = (np.array(x) for x in zip(*place, strict=True))
    size = np.sqrt(np.bincount(j, factor**2))
    rows = csr_array((factor / size[j], (j, i)), shape=(len(flat), len(per)))
    low, high = (_real([getattr(line, end) for line in flat]) / size for end in ("low", "high"))
    if (low > high).any():
        return False
    options: dict[str, Any] = {"node_limit": NODES, "presolve": False}
    found = milp(np.zeros(len(per)), integrality=(per == 1.0) & few, constraints=LinearConstraint(rows, low, high), bounds=Bounds(-np.inf, np.inf), options=options)
    return bool(found.status != 2)


def _real(limits: Sequence[int]) -> Any:
    return np.array([np.copysign(np.inf, x) if abs(x) >= FREE else float(x) for x in limits])
