"""Syntax by itself: words of identifiers, arguments, what a statement binds."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module
LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMMON = {"F": "torch.nn.functional", "nn": "torch.nn", "optim": "torch.optim", "np": "numpy", "pd": "pandas", "tf": "tensorflow", "plt": "matplotlib.pyplot",
          "K": "keras.backend", "th": "torch", "jnp": "jax.numpy"}   # what is meant where the import is left out
_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
Env = Mapping[str, tuple[ast.expr, "Env | None"]]
Seen = tuple[ast.expr, Env | None]


@dataclass(frozen=True, eq=False)
class Bound:
    """What a name takes: an expression, or its part number `part`; `each` where it is one element at a time."""

    name: str
    where: ast.AST
    value: ast.expr | None
    part: int | None = None
    each: bool = False


def tokens(name: str) -> set[str]:
    """The words of an identifier, in lower case.

    >>> sorted(tokens("lossG_fake"))
    ['fake', 'g', 'loss']
    """
    return {w.lower() for w in _SPLIT.findall(name)}


def position(node: ast.AST) -> tuple[int, int]:
    """Where it begins."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def after(node: ast.AST) -> tuple[int, int]:
    """Where it ends."""
    return getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """The value of the first keyword of these names."""
    return next((k.value for k in call.keywords if k.arg in names), None)


def argument(call: ast.Call, at: int, *names: str) -> ast.expr | None:
    """An argument by position or name."""
    return call.args[at] if at < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: at + 1]) else keyword(call, *names)


def constant(node: ast.AST | None) -> object:
    """The number, text or truth that stands there; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(found := constant(node.operand), int | float):
        return -found
    return node.value if isinstance(node, ast.Constant) else None


def parameters(scope: ast.AST) -> list[str]:
    """The names that a function takes."""
    if not isinstance(scope, Function | ast.Lambda):
        return []
    a = scope.args
    return [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x))]


def returns(called: Function) -> list[ast.expr]:
    """What a function returns, apart from functions within it."""
    found: list[ast.expr] = []
    stack: list[ast.AST] = list(called.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            found.append(node.value)
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            stack += ast.iter_child_nodes(node)
    return sorted(found, key=position)


def method(of: ast.ClassDef, *names: str) -> Function | None:
    """The first method of these names."""
    return next((n for name in names for n in of.body if isinstance(n, Function) and n.name == name), None)


def pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets and values of an assignment, tuples taken apart."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _matched(target, node.value)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value


def _matched(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _matched(one, other)
    else:
        yield target, value


def bound_by(node: ast.AST) -> Iterator[Bound]:
    """The names that a node binds, itself and not by its parts."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        for target, value in pairs(node):
            yield from _targets(target, value, node, False)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        yield Bound(node.target.id, node, ast.copy_location(ast.BinOp(before, node.op, node.value), node))
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield from _targets(node.target, node.iter, node, True)
    elif isinstance(node, ast.NamedExpr):
        yield Bound(node.target.id, node, node.value)
    elif isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            if item.optional_vars is not None:
                yield from _targets(item.optional_vars, item.context_expr, node, True)
    elif (isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ("fill_", "copy_")
          and isinstance(call.func.value, ast.Name)):
        yield Bound(call.func.value.id, node, call)


def _targets(target: ast.expr, value: ast.expr, where: ast.AST, each: bool) -> Iterator[Bound]:
    if isinstance(target, ast.Name):
        yield Bound(target.id, where, value, None, each)
    elif isinstance(target, ast.Tuple | ast.List):
        for i, one in enumerate(target.elts):
            for inner in _targets(one, value, where, each):
                yield Bound(inner.name, where, value, i if inner.part is None else None, each)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value, value, where, each)


def named(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The identifiers among some nodes."""
    for n in nodes:
        if isinstance(n, ast.Name):
            yield n.id
        elif isinstance(n, ast.Attribute):
            yield n.attr
