"""The KL term has the wrong sign."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._kl import signed
from ._losses import kind
from ._script import Place, ScriptFault
from ._syntax import tokens
from ._trees import Program

LOSSY = {"bce", "mse", "recon", "reconstruction", "rec", "nll", "reproduction"}


class KlSign(ScriptFault):
    """`loss = bce + 0.5 * sum(1 + logvar - mu**2 - exp(logvar))`: minus the KL."""

    why = "what is added to the loss is minus the KL, so training drives the posterior away from the prior without bound"
    remedy = "-0.5 * sum(1 + logvar - mu**2 - exp(logvar))"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for node in code.of(ast.BinOp):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
                down = isinstance(node.op, ast.Sub)
                if _loss(code, node.left) and signed(code, node.right) == (1 if down else -1) or not down and _loss(code, node.right) and signed(code, node.left) == -1:
                    yield node, ""


def _loss(code: Program, node: ast.expr) -> bool:
    """Whether it is a reconstruction loss: by its name, or by what it calls."""
    if isinstance(node, ast.Name):
        return bool(tokens(node.id) & LOSSY) and not {"log", "ll", "elbo"} & tokens(node.id)
    return isinstance(node, ast.Call) and bool(kind(code, node))
