"""Raw scores are taken for probabilities."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._losses import computed, output
from ._nets import ending
from ._script import Place, ScriptFault
from ._syntax import constant
from ._trees import Program

LOGS = {"torch.log", "numpy.log", "tensorflow.math.log", "tensorflow.log", "jax.numpy.log"}


class MissingSigmoid(ScriptFault):
    """`torch.log(D(x))` or BCELoss of a network that ends with a Linear layer."""

    why = "the network ends with a linear layer, so its output may be negative or above 1: the logarithm is NaN, or BCELoss stops with an error"
    remedy = "BCEWithLogitsLoss or softplus on the raw scores; or a sigmoid at the end of the network"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            if (code.path(call.func) in LOGS or (isinstance(call.func, ast.Attribute) and call.func.attr == "log" and not call.args)) and (inner := _logged(code, call)):
                yield call, f"log of {ast.unparse(inner)[:40]}"
        for call, kind in computed(code):
            given = output(code, call) if kind == "bce" else None
            if given is not None and ending(code, given) == "linear":
                yield call, f"{ast.unparse(call.func)[:30]} of raw scores"


def _logged(code: Program, call: ast.Call) -> ast.expr | None:
    inner = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else call
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub) and constant(inner.left) in (1, 1.0):
        inner = inner.right
    return inner if _called(code, inner) and ending(code, inner) == "linear" else None


def _called(code: Program, node: ast.AST) -> bool:
    """A call of a network, or a name for one."""
    return isinstance(node, ast.Call) or (isinstance(node, ast.Name) and any(isinstance(v, ast.Call) for v, _ in code.sources(node)))
