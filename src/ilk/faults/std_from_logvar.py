"""A log-variance is taken for a standard deviation."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import is_noise
from ._script import Place, ScriptFault
from ._syntax import constant, tokens
from ._trees import Program


class StdFromLogvar(ScriptFault):
    """`mu + logvar.exp() * eps`: that is the variance, or `mu + logvar * eps`."""

    why = "the noise is scaled by the variance or its logarithm, while the KL is that of another law"
    remedy = "mu + torch.exp(0.5 * logvar) * eps"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for node in code.of(ast.BinOp):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(code.parent.get(node), ast.BinOp):
                for scale, noise in ((node.left, node.right), (node.right, node.left)):
                    if _noise(code, noise) and (said := _wrong(code, scale)):
                        yield node, said


def _noise(code: Program, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        found = code.sources(node)
        return bool(found) and all(is_noise(code, v) for v, _ in found)
    return is_noise(code, node)


def _wrong(code: Program, scale: ast.expr, deep: int = 0) -> str:
    if is_logvar(scale):
        return f"{ast.unparse(scale)} itself scales the noise"
    if isinstance(scale, ast.Name) and deep < 4:
        return next((said for v, _ in code.sources(scale) if isinstance(v, ast.Call) and (said := _wrong(code, v, deep + 1))), "")
    if isinstance(scale, ast.Call) and code.tail(scale) == "exp":
        inner = scale.args[0] if scale.args else scale.func.value if isinstance(scale.func, ast.Attribute) else None
        return "exp of the log-variance scales the noise" if inner is not None and is_logvar(inner) else ""
    return ""


def is_logvar(node: ast.AST) -> bool:
    """Whether a name says that it is the logarithm of a variance."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    words = tokens(name)
    return constant(node) is None and bool({"logvar", "lv"} & words or {"log", "var"} <= words or {"log", "variance"} <= words)
