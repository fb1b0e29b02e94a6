"""A gradient is asked of more than one number."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards
from ._nets import judges
from ._script import Place, ScriptFault
from ._syntax import Env, constant, keyword
from ._trees import Program

SMALLER = {"mean", "sum", "norm", "item", "max", "min", "reduce_mean", "logsumexp", "median", "nanmean", "backward"}
LOSSES = {"mse_loss", "l1_loss", "cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss", "smooth_l1_loss", "huber_loss", "kl_div"}


class NonScalarBackward(ScriptFault):
    """`loss = D(G(z))` is a number for each item; `loss.backward()` wants one."""

    why = "PyTorch stops with `grad can be implicitly created only for scalar outputs`"
    remedy = "take the mean over the batch (or the sum) before backward()"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in backwards(code):
            if not call.args and keyword(call, "gradient") is None and isinstance(call.func, ast.Attribute) and _many(code, call.func.value, None, 0):
                yield call, "this loss has a number for each item"


def _many(code: Program, node: ast.AST, env: Env | None, deep: int) -> bool:
    """Whether it surely has a number for each item."""
    if deep > 12:
        return False
    if isinstance(node, ast.Name):
        found = code.sources(node, env)
        return bool(found) and all(_many(code, v, inner, deep + 1) for v, inner in found)
    if isinstance(node, ast.BinOp):
        return _many(code, node.left, env, deep + 1) or _many(code, node.right, env, deep + 1)
    if isinstance(node, ast.UnaryOp):
        return _many(code, node.operand, env, deep + 1)
    if not isinstance(node, ast.Call) or code.tail(node) in SMALLER:
        return False
    if judges(code, node) or (code.tail(node) in LOSSES and constant(keyword(node, "reduction")) == "none"):
        return True
    if code.tail(node) in ("log", "softplus", "relu", "logsigmoid", "square") and node.args:
        return _many(code, node.args[0], env, deep + 1)
    return any(_many(code, v, inner, deep + 1) for v, inner in code.returned(node, env))
