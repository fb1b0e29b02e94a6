"""The terms of a variational bound are averaged over places."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._kl import AVERAGES, averaged, reduced, signed, weighted
from ._losses import kind
from ._script import Place, ScriptFault
from ._syntax import constant, keyword
from ._trees import Program


class MeanInElbo(ScriptFault):
    """The KL is a mean over codes, or the reconstruction a mean over pixels, instead of sums for each item."""

    why = "a mean over places changes the weight of the KL by hundreds (of 784 pixels and 2 codes about 200): the posterior collapses, or the codes are not regular"
    remedy = "sum over pixels and over codes, then take the mean over the batch; put a wanted weight before the KL as beta"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            if averaged(code, call) is not None and not weighted(code, call) and not _later(code, call):
                yield call, "the KL is a mean over codes"
        for node in code.of(ast.BinOp):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                for one, other in ((node.left, node.right), (node.right, node.left)):
                    if signed(code, other) and _summed(code, other) and (found := _mean_loss(code, one)) is not None and not weighted(code, found):
                        yield found, "the reconstruction is a mean over places, the KL a sum"


def _later(code: Program, call: ast.Call) -> bool:
    """Whether the mean is weighed where it is used."""
    statement = code.statement(call)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    uses = [n for n in code.all if isinstance(n, ast.Name) and n.id == statement.targets[0].id and isinstance(n.ctx, ast.Load)]
    return any(weighted(code, n) for n in uses)


def _summed(code: Program, node: ast.expr) -> bool:
    """A KL term that nothing averages over codes and no weight stands before."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and not any(isinstance(c := constant(x), int | float) and abs(c) in (0.5, 1)
            for x in (node.left, node.right)):
        return False
    flow = list(code.flow(node))
    calls = [n for n in flow if isinstance(n, ast.Call)]
    weights = [n for n in flow if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult | ast.Div) and (signed(code, n.left) or signed(code, n.right))
               and weighted_by_name(n)]
    return not weights and any(code.tail(c) in ("sum", "reduce_sum") for c in calls) and not any(averaged(code, c) for c in calls)


def weighted_by_name(node: ast.BinOp) -> bool:
    """Whether a product has no plain half in it."""
    return not any(isinstance(c := constant(x), int | float) and abs(c) in (0.5, 1) for x in (node.left, node.right))


def _mean_loss(code: Program, node: ast.expr, deep: int = 0) -> ast.Call | None:
    """A loss that averages over all places."""
    if isinstance(node, ast.Name) and deep < 6:
        found = [_mean_loss(code, v, deep + 1) for v, _ in code.sources(node)]
        return found[0] if found and all(f is not None for f in found) else None
    if not isinstance(node, ast.Call):
        return None
    if code.tail(node) in ("mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "l1_loss"):
        return node if constant(keyword(node, "reduction")) in (None, "mean") and keyword(node, "size_average", "reduce") is None else None
    if kind(code, node) in ("mse", "bce", "bce_logits") and isinstance(node.func, ast.Name):
        made = [v for v, _ in code.sources(node.func) if isinstance(v, ast.Call)]
        return node if made and all(constant(keyword(m, "reduction")) in (None, "mean") and keyword(m, "size_average") is None
                                    and code.path(m.func).startswith("torch") for m in made) else None
    if code.tail(node) in AVERAGES and (inside := reduced(code, node)) is not None and isinstance(inside, ast.Call) and kind(code, inside) in ("mse", "bce"):
        return node
    return None
