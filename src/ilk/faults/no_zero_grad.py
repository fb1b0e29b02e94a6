"""Gradients are never set back to zero."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards, in_loop_or_called, methods, receiver, related, stepped
from ._script import Place, ScriptFault
from ._trees import Program


class NoZeroGrad(ScriptFault):
    """backward() and step() over and over, without zero_grad()."""

    why = "backward() adds to the gradients that are there, so every step follows the sum of all batches so far"
    remedy = "optimizer.zero_grad() once before each backward()"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        steps = list(stepped(code))
        names = {receiver(c) for c in steps}
        for call in steps:
            near = related(code, call)
            cleared = {receiver(c) for scope in near for c in methods(code, scope, "zero_grad")}
            by_hand = any(isinstance(n, ast.Assign) and any(isinstance(t, ast.Attribute) and t.attr == "grad" for t in n.targets) for n in code.all)
            if by_hand or any(methods(code, s, "zero_") for s in near) or not any(backwards(code, s) for s in near) or not in_loop_or_called(code, call):
                continue
            if not cleared or (cleared <= names and receiver(call) not in cleared):
                yield call, receiver(call)
