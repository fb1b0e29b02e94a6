"""After the first validation the model trains in evaluation mode."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards, methods, related
from ._script import Place, ScriptFault
from ._syntax import Function
from ._trees import Program

NOISY = {"Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "from_pretrained", "LSTM", "TransformerEncoderLayer"}


class TrainModeForgotten(ScriptFault):
    """model.eval() in the epoch loop, and model.train() nowhere in it."""

    why = "from the second epoch on dropout is off and batch statistics are frozen while the weights still move"
    remedy = "model.train() at the beginning of every epoch"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not any(code.tail(c) in NOISY for c in code.calls) or not backwards(code):
            return
        for loop in code.of(ast.For, ast.While):
            inner = [loop, *(f for c in ast.walk(loop) if isinstance(c, ast.Call) for f in [code.local(c)] if isinstance(f, Function))]
            offs = [c for part in inner for c in methods(code, part, "eval") if not c.args]
            if offs and any(backwards(code, part) for part in inner) and not _leaves(loop, offs[0]) and not _on(code, inner):
                yield offs[0], ""


def _on(code: Program, inner: list[ast.AST]) -> bool:
    """Whether training mode is set in the loop, in what it calls, or in what these call."""
    reached = [*inner, *(r for f in inner[1:] if isinstance(f, Function) for r in related(code, f.body[0]) if isinstance(r, Function))]
    return any(methods(code, part, "train") for part in reached)


def _leaves(loop: ast.AST, call: ast.AST) -> bool:
    """Whether the loop ends after it, or the model is another."""
    return isinstance(call, ast.Call) and any(isinstance(n, ast.Break | ast.Return) and getattr(n, "lineno", 0) > call.lineno for n in ast.walk(loop))
