"""Codes are drawn so that no gradient gets through."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._kl import kernel
from ._script import Place, ScriptFault
from ._trees import Program


class SampleWithoutGradient(ScriptFault):
    """`Normal(mu, std).sample()` or torch.normal(mu, std) in a variational autoencoder."""

    why = "sample() cuts the graph, so the encoder learns from the KL alone"
    remedy = "rsample(), or mu + std * torch.randn_like(std)"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        variational = any(isinstance(n, ast.BinOp) and kernel(n) for n in code.all) or code.mentions("kl_divergence")
        if not variational or code.mentions("rsample"):
            return
        for call in code.calls:
            of = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "sample" else None
            laws = _values(code, of) if of is not None else []
            drawn = any(isinstance(v, ast.Call) and code.tail(v) in ("Normal", "MultivariateNormal", "Independent") and not _standard(v) for v in laws)
            if (drawn or (code.path(call.func) == "torch.normal" and len(call.args) > 1 and not _standard(call))) and code.home(call) is not None:
                yield call, ""


def _values(code: Program, node: ast.expr, deep: int = 0) -> list[ast.expr]:
    """What an expression stands for, names and functions of the program followed."""
    found = [v for v, _ in code.sources(node)] if isinstance(node, ast.Name) else [v for v, _ in code.returned(node)] if isinstance(node, ast.Call) else []
    return [w for v in found for w in _values(code, v, deep + 1)] if found and deep < 6 else [node]


def _standard(law: ast.Call) -> bool:
    """Whether its parameters are fixed: a prior."""
    return not any(isinstance(n, ast.Name) and n.id not in ("torch", "np", "th") for a in law.args for n in ast.walk(a))
