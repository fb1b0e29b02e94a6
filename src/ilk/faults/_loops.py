"""Training loops: optimisers, backward passes, evaluation."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._syntax import LOOPS, Function, keyword, tokens
from ._trees import Program

OPTIMISERS = {"Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "LBFGS", "Lion", "Adafactor"}
QUIET = ("no_grad", "inference_mode", "set_grad_enabled")


def optimisers(code: Program) -> list[ast.Call]:
    """Where torch optimisers are made: calls by their names, of something's parameters."""
    return [c for c in code.calls if code.tail(c) in OPTIMISERS and (c.args or keyword(c, "params")) and not code.path(c.func).startswith(("tensorflow", "keras", "tf"))]


def backwards(code: Program, within: ast.AST | None = None) -> list[ast.Call]:
    """Backward passes, in a part of the program or in all of it."""
    nodes = code.calls if within is None else [n for n in code.inside(within, ast.Call) if isinstance(n, ast.Call)]
    return [c for c in nodes if isinstance(c.func, ast.Attribute) and c.func.attr == "backward"]


def receiver(call: ast.Call) -> str:
    """What a method is called on, as text."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def methods(code: Program, within: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a method of this name."""
    return [c for c in code.inside(within, ast.Call) if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute) and c.func.attr == name]


def stepped(code: Program) -> Iterator[ast.Call]:
    """Steps of optimisers: of what one was bound to, or is named so."""
    for call in code.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "step" and not call.args and is_optimiser(code, call.func.value):
            yield call


def is_optimiser(code: Program, node: ast.expr) -> bool:
    """Whether a name stands for a torch optimiser."""
    values = [v for v, _ in code.sources(node)] if isinstance(node, ast.Name) else code.attribute(node) if isinstance(node, ast.Attribute) else []
    if values := [v for v in values if not isinstance(v, ast.Name | ast.Attribute)]:
        return any(isinstance(v, ast.Call) and code.tail(v) in OPTIMISERS and _known(code, v) for v in values)
    last = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(tokens(last) & {"opt", "optim", "optimizer", "optimiser"}) and not tokens(last) & {"scheduler", "sched", "state"}


def _known(code: Program, made: ast.Call) -> bool:
    """Whether it is of PyTorch, as far as imports say: others may clear gradients in their own way."""
    path = code.path(made.func)
    return path.startswith(("torch", "optim.", "transformers", "bitsandbytes")) or "." not in path


def related(code: Program, node: ast.AST) -> list[ast.AST]:
    """The function that a node is in (or the module), the functions that this calls, and those that call it, one from another."""
    found: list[ast.AST] = [code.scope(node)]
    for scope in found:
        inner = [code.local(c) for c in code.inside(scope, ast.Call) if isinstance(c, ast.Call)]
        outer = [code.scope(c) for c in code.callers.get(scope, ())] if isinstance(scope, Function) else []
        found += [f for f in (*inner, *outer) if f is not None and f not in found]
    return found


def quiet(code: Program, node: ast.AST) -> bool:
    """Whether gradients are off where it stands: by a `with`, a decorator, or that of a function around it."""
    for outer in code.ancestors(node):
        if isinstance(outer, ast.With | ast.AsyncWith) and any(q in ast.dump(i.context_expr) for i in outer.items for q in QUIET):
            return True
        if isinstance(outer, Function) and any(q in ast.dump(d) for d in outer.decorator_list for q in QUIET):
            return True
    return False


def loops(code: Program, node: ast.AST) -> list[ast.AST]:
    """The loops around a node within its function, from the inside."""
    found: list[ast.AST] = []
    for outer in code.ancestors(node):
        if isinstance(outer, LOOPS):
            found.append(outer)
        if isinstance(outer, Function | ast.Lambda):
            break
    return found


def epochs(loop: ast.AST) -> bool:
    """Whether a loop counts epochs or steps: `for epoch in range(...)`, or `while`."""
    if isinstance(loop, ast.While):
        return True
    if not isinstance(loop, ast.For):
        return False
    names = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    counted = isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func).rpartition(".")[2] in ("range", "trange", "tqdm", "count", "enumerate")
    return counted and bool({"epoch", "ep", "e", "_", "i", "it", "step", "iteration", "iter", "n"} & {t for n in names for t in ({n} | tokens(n))})


def block(code: Program, node: ast.AST) -> list[ast.stmt]:
    """The statements that stand beside the one that a node is in."""
    statement = code.statement(node)
    outer = code.parent.get(statement)
    for field in ("body", "orelse", "finalbody"):
        if isinstance(found := getattr(outer, field, None), list) and statement in found:
            return found
    return []


def stored(code: Program, within: ast.AST) -> set[str]:
    """The names that a part of the program binds."""
    return {n.id for n in ast.walk(within) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def in_loop_or_called(code: Program, node: ast.AST) -> bool:
    """Whether it is done again and again: within a loop, or in a function that is called within one, or that others than this file call."""
    if loops(code, node):
        return True
    scope = code.scope(node)
    callers = code.callers.get(scope, ()) if isinstance(scope, Function) else ()
    return isinstance(scope, Function) and (not callers or any(loops(code, c) for c in callers))
