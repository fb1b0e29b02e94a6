"""A logarithm is taken of what may be zero."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import ending
from ._script import Place, ScriptFault
from ._syntax import constant
from ._trees import Program

LOGS = {"torch.log", "numpy.log", "numpy.log2", "tensorflow.math.log", "torch.log2", "jax.numpy.log"}
COUNTS = {"histogram", "bincount", "relu", "value_counts", "histogram2d", "histogramdd"}


class LogOfZero(ScriptFault):
    """`torch.log(torch.softmax(x, 1))`, `np.log(counts / counts.sum())`."""

    why = "probabilities round to zero in float32 and counts are zero: the logarithm is -inf and the gradient NaN"
    remedy = "log_softmax, logsigmoid or a loss on raw scores; for counts leave the empty bins out or add a pseudo-count"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            method = isinstance(call.func, ast.Attribute) and call.func.attr in ("log", "log2") and not call.args
            if not method and code.path(call.func) not in LOGS:
                continue
            inner = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else call
            if (said := _zero(code, inner)) and not _masked(code, call):
                yield call, f"log of {said}"


def _zero(code: Program, node: ast.expr, deep: int = 0) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and constant(node.left) in (1, 1.0):
        return _zero(code, node.right, deep + 1)
    if code.mentions("backward", "GradientTape", "value_and_grad", "grad") and (found := ending(code, node)) in ("softmax", "sigmoid"):
        return f"a {found}"
    weighed = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult) for n in code.ancestors(node))   # p log p
    return "counts" if weighed and _counts(code, node, 0) else ""


def _counts(code: Program, node: ast.AST, deep: int) -> bool:
    """Counts as they are, or divided by something."""
    if deep > 8:
        return False
    if isinstance(node, ast.Name):
        found = code.sources(node)
        return bool(found) and all(_counts(code, v, deep + 1) for v, _ in found)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _counts(code, node.left, deep + 1)
    if isinstance(node, ast.Call) and code.tail(node) in ("astype", "float", "double", "to") and isinstance(node.func, ast.Attribute):
        return _counts(code, node.func.value, deep + 1)
    return isinstance(node, ast.Call) and code.tail(node) in COUNTS


def _masked(code: Program, call: ast.Call) -> bool:
    """Within what puts the bad ones right."""
    outer = [code.tail(n) for n in code.ancestors(call) if isinstance(n, ast.Call)]
    return bool({"where", "nan_to_num", "nansum", "clamp", "clip", "maximum"} & set(outer)) or any(isinstance(n, ast.With) and "errstate" in ast.dump(n.items[0])
            for n in code.ancestors(call))
