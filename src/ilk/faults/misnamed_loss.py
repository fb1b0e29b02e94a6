"""A loss has the name of another."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._losses import OF, kind
from ._script import Place, ScriptFault
from ._syntax import tokens
from ._trees import Program

SAID = {"bce": "cross", "xent": "cross", "crossentropy": "cross", "mse": "square"}
IS = {"bce": "cross", "bce_logits": "cross", "ce": "cross", "ce_probabilities": "cross", "mse": "square"}


class MisnamedLoss(ScriptFault):
    """`xent_loss = mean_squared_error(...)`."""

    why = "what is computed is another loss than the name says; whoever reads the figure takes it for nats"
    remedy = "compute the one that is meant (a cross-entropy for outputs of a sigmoid), or name it for what it is"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for scope in code.bindings.values():
            for name, bounds in scope.items():
                said = {SAID[t] for t in tokens(name) if t in SAID} | ({"cross"} if {"cross", "entropy"} <= tokens(name) else set())
                for bound in bounds:
                    found = IS.get(_loss(code, bound.value), "") if isinstance(bound.value, ast.Call) else ""
                    if len(said) == 1 and found and found not in said:
                        yield bound.where, f"{name} is {ast.unparse(bound.value)[:40]}" if bound.value is not None else name


def _loss(code: Program, call: ast.Call) -> str:
    """The loss, or that of which it is the mean."""
    return kind(code, call) or OF.get(code.tail(call), "") or next((f for a in call.args if isinstance(a, ast.Call) and (f := kind(code, a))), "")
