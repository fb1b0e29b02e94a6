"""The optimiser is made anew in the loop."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import epochs, loops, optimisers, stored
from ._script import Place, ScriptFault
from ._syntax import Function
from ._trees import Program

FRESH = {"load_state_dict", "deepcopy", "reset_parameters", "init_weights", "apply", "reset", "grow", "add_layer"}


class OptimizerInLoop(ScriptFault):
    """Adam is built in every epoch for the same parameters."""

    why = "its running averages are thrown away each time, so Adam or momentum starts from nothing again and again"
    remedy = "make the optimiser once, before the loop"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for made in optimisers(code):
            models = {n.value.id for n in ast.walk(made) if isinstance(n, ast.Attribute) and n.attr in ("parameters", "trainable_weights") and isinstance(n.value, ast.Name)}
            if not models:
                continue
            scope = code.scope(made)
            around = [(loop, models, made) for loop in loops(code, made)]
            if isinstance(scope, Function) and models <= set(p.arg for p in scope.args.args):
                around += [(loop, _names(call), call) for call in code.callers.get(scope, ()) for loop in loops(code, call)]
            if any(epochs(loop) and not _fresh(code, loop, names, made, call) for loop, names, call in around):
                yield made, ""


def _names(call: ast.Call) -> set[str]:
    return {n.id for a in (*call.args, *(k.value for k in call.keywords)) for n in ast.walk(a) if isinstance(n, ast.Name)}


def _fresh(code: Program, loop: ast.AST, models: set[str], made: ast.Call, call: ast.Call) -> bool:
    """Whether the loop makes a new model, or tries another setting."""
    target = {n.id for n in ast.walk(getattr(loop, "target", loop)) if isinstance(n, ast.Name)} if isinstance(loop, ast.For) else set()
    tried = target & (_names(made) | _names(call)) and not {t.lower() for t in target} & {"epoch", "i", "it", "step"}
    inner = {code.tail(n) for n in ast.walk(loop) if isinstance(n, ast.Call)}
    made_here = {n for n in stored(code, loop) & models if n not in _batches(code, loop)}
    return bool(made_here or tried or inner & FRESH)


def _batches(code: Program, loop: ast.AST) -> set[str]:
    """Names that inner loops bind: batches, no models."""
    return {n.id for inner in ast.walk(loop) if isinstance(inner, ast.For) for n in ast.walk(inner.target) if isinstance(n, ast.Name)}
