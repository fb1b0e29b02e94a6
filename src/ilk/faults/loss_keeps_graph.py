"""Losses are added up with their graphs."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards, loops
from ._script import Place, ScriptFault
from ._trees import Program


class LossKeepsGraph(ScriptFault):
    """`total += loss` without .item()."""

    why = "the sum holds on to the graph of every batch, so memory grows until it runs out"
    remedy = "add loss.item() (or loss.detach())"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        back = {ast.unparse(c.func.value) for c in backwards(code) if isinstance(c.func, ast.Attribute)}
        for loop in code.of(ast.For, ast.While):
            inner = {ast.unparse(c.func.value) for c in backwards(code, loop) if isinstance(c.func, ast.Attribute) and isinstance(c.func.value, ast.Name)}
            for node in ast.walk(loop):
                if (found := _kept(node)) and found[0] in inner and found[1] not in back and not _used(code, found[1]) and loops(code, node):
                    yield node, f"{found[1]} takes {found[0]} as it is"


def _kept(node: ast.AST) -> tuple[str, str] | None:
    """The loss that is kept and what keeps it."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
        return (ast.unparse(node.value), node.target.id) if isinstance(node.value, ast.Name) else _product(node.value, node.target.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append" and len(node.args) == 1 and isinstance(node.args[0], ast.Name):
        return node.args[0].id, ast.unparse(node.func.value)
    return None


def _product(value: ast.expr, target: str) -> tuple[str, str] | None:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div) and isinstance(value.left, ast.Name):
        return value.left.id, target
    return None


def _used(code: Program, total: str) -> bool:
    """Whether the sum goes into another loss, or is detached after all in the same program."""
    into = [c for c in code.calls if code.tail(c) in ("stack", "cat", "sum") and any(isinstance(n, ast.Name) and n.id == total for n in ast.walk(c))
            and backwards(code, code.statement(c))]
    return bool(into)
