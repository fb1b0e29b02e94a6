"""All items of a batch have the same noise level."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._diffusion import drawn, mixes, reads
from ._loops import backwards, related
from ._script import Place, ScriptFault
from ._syntax import Function, constant, keyword
from ._trees import Program


class OneTimestepPerBatch(ScriptFault):
    """`t = random.randint(0, T - 1)` for a whole batch."""

    why = "each step then sees one noise level only: the loss jumps with t and training is slow and noisy"
    remedy = "t = torch.randint(0, T, (len(x),)), one for each item"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for mix in mixes(code):
            for read in (r for f in (mix.kept, mix.added) for r in reads(code, f)):
                for draw in drawn(code, read.slice):
                    if _single(code, draw) and _trains(code, draw):
                        yield draw, ""


def _single(code: Program, draw: ast.Call) -> bool:
    """Whether one number is drawn."""
    path = code.path(draw.func)
    sizes = [a for a in (*draw.args, keyword(draw, "size")) if isinstance(a, ast.Tuple | ast.List)]
    if path.startswith("torch."):
        return bool(sizes) and all(all(constant(e) == 1 for e in s.elts) for s in sizes)
    if path.startswith("numpy.random") or path.endswith(".integers"):
        return len(draw.args) < 3 and keyword(draw, "size") is None
    return path.startswith("random.")


def _trains(code: Program, draw: ast.Call) -> bool:
    scope = code.scope(draw)
    if isinstance(scope, Function) and scope.name in ("__getitem__", "collate", "sample", "p_sample", "preview"):
        return False
    return any(backwards(code, s) for s in related(code, draw))
