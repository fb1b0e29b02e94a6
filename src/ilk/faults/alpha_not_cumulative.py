"""The noise of one step is taken for that of all steps so far."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._diffusion import mixes
from ._script import Place, ScriptFault
from ._syntax import constant, tokens
from ._trees import Program

PRODUCTS = {"cumprod", "cumsum", "cumulative_prod", "cos", "exp", "sigmoid", "cumprod_", "accumulate", "prod"}


class AlphaNotCumulative(ScriptFault):
    """x_t made with alpha_t = 1 - beta_t where its cumulative product belongs."""

    why = "alpha_t stays near 1 at every t, so the model never sees noise, while sampling starts from nothing but noise (with the usual 1000 steps .995 where .280 is meant)"
    remedy = "alpha_bar = torch.cumprod(1 - betas, 0), and sqrt(alpha_bar[t]) * x + sqrt(1 - alpha_bar[t]) * noise"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for mix in mixes(code):
            flow = [*code.flow(mix.kept), *code.flow(mix.added)]
            if any(isinstance(n, ast.Call) and code.tail(n) in PRODUCTS for n in flow):
                continue
            if any(_of_beta(n) for n in flow) or (not code.mentions(*PRODUCTS) and any(_alphas(code, n) for n in flow)):
                yield mix.at, ""


def _of_beta(node: ast.AST) -> bool:
    """1 - betas."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and constant(node.left) in (1, 1.0)):
        return False
    name = node.right.value if isinstance(node.right, ast.Subscript) else node.right
    last = name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else ""
    return bool({"beta", "betas"} & tokens(last)) and not {"bar", "cum", "hat"} & tokens(last)


def _alphas(code: Program, node: ast.AST) -> bool:
    """A schedule that nothing here makes and that is called alphas."""
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and tokens(node.value.id) <= {"alpha", "alphas"} and not code.sources(node.value)
