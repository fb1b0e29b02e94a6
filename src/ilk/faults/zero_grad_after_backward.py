"""Gradients are set to zero before they are used."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import block, methods, receiver
from ._script import Place, ScriptFault
from ._trees import Program


class ZeroGradAfterBackward(ScriptFault):
    """backward(), zero_grad(), step(): the step sees zeros."""

    why = "zero_grad() stands between backward() and step(), so the step is made with gradients of zero and nothing is learned"
    remedy = "zero_grad() before backward(), or after step()"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in [c for c in code.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "zero_grad"]:
            beside = block(code, call)
            here = beside.index(code.statement(call)) if code.statement(call) in beside else -1   # type: ignore[arg-type]
            if here < 1 or not methods(code, beside[here - 1], "backward"):
                continue
            for later in beside[here + 1:]:
                if methods(code, later, "backward"):
                    break
                if any(receiver(c) == receiver(call) for c in methods(code, later, "step")):
                    yield call, ""
                    break
