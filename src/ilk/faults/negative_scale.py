"""A standard deviation may be negative."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import ending
from ._script import Place, ScriptFault
from ._syntax import argument
from ._trees import Program

LAWS = {"Normal": (1, "scale"), "LogNormal": (1, "scale"), "Laplace": (1, "scale"), "Gumbel": (1, "scale"), "gaussian_nll_loss": (2, "var"),
        "MultivariateNormalDiag": (1, "scale_diag"),
        "normal": (1, "std")}


class NegativeScale(ScriptFault):
    """`Normal(mu, sigma)` where sigma comes straight out of a Linear layer."""

    why = "a linear layer gives negative numbers too: the law stops with an error, or its density is NaN"
    remedy = "exp() of a log-scale, or softplus() plus a small number"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            if code.tail(call) in LAWS and (code.tail(call) != "normal" or code.path(call.func) == "torch.normal"):
                scale = argument(call, *LAWS[code.tail(call)])
                if scale is not None and _linear(code, scale):
                    yield call, f"{ast.unparse(scale)[:30]} is the output of a linear layer"


def _linear(code: Program, scale: ast.expr) -> bool:
    if isinstance(scale, ast.Name):
        bounds = code.bounds(scale)
        parts = [b for b in bounds if b.part is not None and isinstance(b.value, ast.Call)]
        if parts and len(parts) == len(bounds):      # mu, sigma = self.net(x).chunk(2, -1)
            return all(isinstance(b.value, ast.Call) and _part_linear(code, b.value, b.part or 0) for b in parts)
    return ending(code, scale) == "linear"


def _part_linear(code: Program, call: ast.Call, part: int) -> bool:
    if code.tail(call) in ("chunk", "split", "unbind"):
        return ending(code, call) == "linear"
    back = code.returned(call)
    tuples = [(v, env) for v, env in back if isinstance(v, ast.Tuple) and part < len(v.elts)]
    return bool(back) and len(tuples) == len(back) and all(ending(code, v.elts[part], env) == "linear" for v, env in tuples if isinstance(v, ast.Tuple))
