"""Noise mixed into items by a schedule, known by its shape: sqrt(a) x + sqrt(1 - a) noise."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ._nets import is_noise
from ._syntax import constant, tokens
from ._trees import Program

RESHAPED = {"view", "reshape", "unsqueeze", "expand", "expand_as", "rearrange", "broadcast_to", "expand_dims", "repeat", "extract", "reshape_as", "atleast_2d", "None",
            "unsqueeze_"}


@dataclass(frozen=True, eq=False)
class Mix:
    """A noised item: the factors of the item and of the noise."""

    at: ast.BinOp
    kept: ast.expr
    added: ast.expr


def mixes(code: Program) -> Iterator[Mix]:
    """Where noise is mixed in."""
    for node in code.of(ast.BinOp):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [p for p in (node.left, node.right) if isinstance(p, ast.BinOp) and isinstance(p.op, ast.Mult)]
            if len(parts) == 2:
                yield from _mix(code, node, parts[0], parts[1])


def _mix(code: Program, node: ast.BinOp, one: ast.BinOp, two: ast.BinOp) -> Iterator[Mix]:
    for kept, added in ((one, two), (two, one)):
        for factor, noise in ((added.left, added.right), (added.right, added.left)):
            if not _noise(code, noise) or _noise(code, factor):
                continue
            own = next((f for f in (kept.left, kept.right) if _root(code, f)), None)
            if own is not None and _root(code, factor) and _rest(code, factor):
                yield Mix(node, own, factor)
                return


def _noise(code: Program, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return bool({"noise", "eps", "epsilon"} & tokens(node.id)) or any(is_noise(code, v) for v, _ in code.sources(node))
    return is_noise(code, node)


def _root(code: Program, node: ast.expr) -> bool:
    """Whether a square root goes into it."""
    return any((isinstance(n, ast.Call) and code.tail(n) in ("sqrt", "sqrt_")) or (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow) and constant(n.right) == 0.5)
               or (isinstance(n, ast.Name) and "sqrt" in tokens(n.id)) for n in code.flow(node))


def _rest(code: Program, node: ast.expr) -> bool:
    """Whether 1 - a goes into it."""
    return any((isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) and constant(n.left) in (1, 1.0)) or (isinstance(n, ast.Name) and "minus" in tokens(n.id))
               for n in code.flow(node))


def reads(code: Program, factor: ast.expr) -> list[ast.Subscript]:
    """Where a schedule is read at a step: `alphas[t]`."""
    return [n for n in code.flow(factor) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Name) and isinstance(n.value, ast.Name | ast.Attribute)]


def reshaped(code: Program, factor: ast.expr) -> bool:
    """Whether the factor gets the axes of the items."""
    for n in code.flow(factor):
        if isinstance(n, ast.Call) and (code.tail(n) in RESHAPED or {"extract", "broadcast", "gather"} & tokens(code.tail(n))):
            return True
        if isinstance(n, ast.Subscript) and any(isinstance(i, ast.Constant) and i.value is None or "newaxis" in ast.dump(i) for i in ast.walk(n.slice)):
            return True
    return False


def drawn(code: Program, index: ast.expr) -> list[ast.Call]:
    """The draws that a step comes from."""
    return [n for n in code.flow(index) if isinstance(n, ast.Call) and code.tail(n) in ("randint", "randrange", "choice", "integers")]
