"""Dropout or batch statistics are on while the model is judged."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards, quiet
from ._nets import role
from ._script import Place, ScriptFault
from ._syntax import Function, position, tokens
from ._trees import Program

NOISY = {"Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "dropout"}
JUDGED = {"test", "eval", "evaluate", "validate", "validation", "predict", "sample", "generate", "infer", "inference", "accuracy"}


class EvalModeForgotten(ScriptFault):
    """A network with dropout that is sampled or tested without model.eval()."""

    why = "dropout and batch statistics stay on, so the figures are noisy and depend on what else is in the batch"
    remedy = "model.eval() before, model.train() after"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        noisy = any(code.tail(c) in NOISY for c in code.calls) or any(n.arg == "dropout" for n in code.of(ast.keyword) if isinstance(n, ast.keyword))
        last = max((position(c) for c in backwards(code)), default=(0, 0))
        if not noisy or not last[0] or code.mentions("eval", "Trainer", "LightningModule") or any(isinstance(c.func, ast.Attribute) and c.func.attr == "train"
                and c.args for c in code.calls):
            return
        for call in code.calls:
            if isinstance(call.func, ast.Name) and _model(code, call) and not role(code, call.func) and quiet(code, call) and (_judging(code, call) or position(call) > last):
                yield call, ""


def _model(code: Program, call: ast.Call) -> bool:
    """Whether it calls something whose backward pass the program makes: a network by its name."""
    return isinstance(call.func, ast.Name) and bool({"model", "net", "network", "classifier", "mlp", "cnn", "lm", "vae", "encoder", "decoder",
                                                     "gpt"} & tokens(call.func.id)) and call.func.id not in code.functions


def _judging(code: Program, call: ast.Call) -> bool:
    scope = code.scope(call)
    return isinstance(scope, Function) and bool(tokens(scope.name) & JUDGED)
