"""A factor for each item is multiplied with pictures as it is."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._diffusion import drawn, mixes, reads, reshaped
from ._script import Place, ScriptFault
from ._syntax import constant
from ._trees import Program


class ScheduleNotReshaped(ScriptFault):
    """`alphas[t] * x` with (B,) beside (B, C, H, W)."""

    why = "shapes (B,) and (B, C, H, W) don't fit; where B happens to be the width, columns are scaled instead of items, and nothing says so"
    remedy = "alpha_bar[t].view(-1, 1, 1, 1), or [:, None, None, None]"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for mix in mixes(code):
            for factor in (mix.kept, mix.added):
                if not reshaped(code, factor) and any(_batch(code, read) for read in reads(code, factor)):
                    yield mix.at, ""


def _batch(code: Program, read: ast.Subscript) -> bool:
    """Whether the step is one for each item: drawn so, or an argument that a model takes beside the items."""
    index = read.slice
    if reshaped(code, index):
        return False
    if draws := drawn(code, index):
        sizes = [a for d in draws for a in (*d.args, *(k.value for k in d.keywords if k.arg == "size")) if isinstance(a, ast.Tuple | ast.List)]
        return bool(sizes) and all(len(s.elts) == 1 and constant(s.elts[0]) != 1 for s in sizes if isinstance(s, ast.Tuple | ast.List))
    if not isinstance(index, ast.Name) or code.sources(index) or code.bounds(index):
        return False
    scope = code.scope(read)
    return any(len(c.args) > 1 and ast.unparse(c.args[1]) == index.id and isinstance(c.func, ast.Name) for c in ast.walk(scope) if isinstance(c, ast.Call))
