"""Graphs are built while the model is judged."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards, quiet
from ._script import Place, ScriptFault
from ._syntax import Function
from ._trees import Program

GRADED = {"requires_grad_", "requires_grad", "autograd", "grad", "detach", "GradientTape", "backward"}


class NoGradForgotten(ScriptFault):
    """An evaluation over a loader without torch.no_grad()."""

    why = "every batch builds a graph that nothing goes back through: memory and time for nothing, and it runs out where outputs are kept"
    remedy = "@torch.no_grad(), or `with torch.inference_mode():` around the loop"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not backwards(code):
            return
        for called in [n for n in code.all if isinstance(n, Function)]:
            evals = [c for c in ast.walk(called) if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute) and c.func.attr == "eval"
                     and isinstance(c.func.value, ast.Name) and not c.args]
            names = {n.attr for n in ast.walk(called) if isinstance(n, ast.Attribute)} | {n.id for n in ast.walk(called) if isinstance(n, ast.Name)} | {
                n.arg for n in ast.walk(called) if isinstance(n, ast.keyword) and n.arg}
            if not evals or names & GRADED or any(isinstance(n, ast.Yield) for n in ast.walk(called)):
                continue
            models = {ast.unparse(c.func.value) for c in evals if isinstance(c.func, ast.Attribute)}
            uses = [c for c in ast.walk(called) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name) and c.func.id in models
                    and code.near(c, ast.For, ast.While) is not None]
            callers = code.callers.get(called, [])
            if uses and not quiet(code, uses[0]) and not (callers and all(quiet(code, c) for c in callers)):
                yield uses[0], ""
