"""What was generated is judged by printing its numbers."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import makes
from ._script import Place, ScriptFault
from ._trees import Program

LOOKS = {"imshow", "save_image", "imsave", "make_grid", "savefig", "fid", "metric", "metrics", "save", "scatter", "hist", "plot", "add_images", "add_image",
         "fromarray", "write", "evaluate"}


class SamplesPrinted(ScriptFault):
    """`print(fake_images)` as the evaluation of a generator."""

    why = "thousands of numbers on a terminal tell neither whether the pictures look real nor whether all kinds of them are made"
    remedy = "save a grid of pictures, and measure: a distance to held-out items, and how many classes are covered"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if LOOKS & (code.words | code.tokens):
            return
        for call in code.calls:
            if isinstance(call.func, ast.Name) and call.func.id == "print" and len(call.args) == 1 and isinstance(call.args[0], ast.Name) and _made(code, call.args[0]):
                yield call, ""


def _made(code: Program, name: ast.Name, deep: int = 0) -> bool:
    """Whether a name is what a generator made, as it is."""
    return any(makes(code, v) or (isinstance(v, ast.Call) and code.tail(v) in ("cpu", "detach", "numpy", "to")
                                  and any(isinstance(n, ast.Name) and _made(code, n, deep + 1) for n in ast.walk(v.func)))
               for v, _ in code.sources(name)) if deep < 4 else False
