"""A Frechet distance of too few items."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import argument, constant, keyword
from ._trees import Program

MAKERS = {"FrechetInceptionDistance": 2048, "calculate_fid": 2048, "compute_fid": 2048, "calculate_frechet_distance": 2048, "fid_score": 2048, "get_fid": 2048, "FID": 2048,
          "frechet_distance": 2048}
SIZED = {"randn", "sample", "generate", "normal", "randn_like", "standard_normal"}


class FewFidSamples(ScriptFault):
    """FID of 500 pictures with features of 2048 numbers."""

    why = "with fewer items than features the covariance is singular and the figure biased upwards by far; it ranks models by chance"
    remedy = "10,000 items or more (2,048 at the least), the same for every model that is compared; or KID, which is unbiased"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        makers = [c for c in code.calls if code.tail(c) in MAKERS]
        least = min((_features(c) for c in makers), default=0)
        for call in code.calls:
            if makers and code.tail(call) in SIZED and _judged(code, call) and not code.near(call, ast.For, ast.While):
                size = _size(code, call)
                if size is not None and 1 < size < least:
                    yield call, f"{size} items, {least} features"


def _features(call: ast.Call) -> int:
    given = constant(argument(call, 0, "feature") if call.func and ast.unparse(call.func).endswith("FrechetInceptionDistance") else keyword(call, "feature", "dims"))
    return given if isinstance(given, int) else 2048


def _size(code: Program, call: ast.Call) -> int | None:
    """How many are drawn, if that is a number."""
    first = call.args[0] if call.args else keyword(call, "n", "num_samples", "n_samples", "size")
    if isinstance(first, ast.Tuple | ast.List) and first.elts:
        first = first.elts[0]
    if isinstance(first, ast.Name):
        values = [constant(v) for v, _ in code.sources(first)]
        return values[0] if len(values) == 1 and isinstance(values[0], int) and not isinstance(values[0], bool) else None
    value = constant(first)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _judged(code: Program, call: ast.Call) -> bool:
    """Whether it goes into the distance."""
    for outer in code.calls:
        last = code.tail(outer)
        fed = last in MAKERS or (last == "update" and isinstance(outer.func, ast.Attribute) and "fid" in ast.unparse(outer.func.value).lower())
        if fed and not code.near(outer, ast.For, ast.While) and any(n is call for a in (*outer.args, *(k.value for k in outer.keywords)) for n in code.flow(a)):
            return True
    return False
