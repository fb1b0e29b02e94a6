"""A graph is kept that nothing goes back through again."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._gan import cuts
from ._loops import backwards, loops, stored
from ._script import Place, ScriptFault
from ._syntax import constant, keyword
from ._trees import Program


class NeedlessRetainGraph(ScriptFault):
    """`backward(retain_graph=True)` where no other backward() shares the graph."""

    why = "no other backward() goes through the same graph; keeping it holds memory, and hides errors such as a state that should have been detached"
    remedy = "leave retain_graph out"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in backwards(code):
            if constant(keyword(call, "retain_graph")) is not True or code.mentions("autograd", "functional_call"):
                continue
            others = [c for c in backwards(code, code.scope(call)) if c is not call]
            shared = any(_graph(code, call) & _graph(code, other) for other in others)
            if not shared and not _carried(code, call) and loops(code, call):
                yield call, ""


def _graph(code: Program, call: ast.Call) -> set[int]:
    """The calls that a loss comes from, those behind a detach() left out."""
    start = call.func.value if isinstance(call.func, ast.Attribute) else call
    return {id(n) for n in code.flow(start, cuts(code)) if isinstance(n, ast.Call)
            and code.tail(n) not in ("randn", "randn_like", "rand", "size", "to", "range", "view", "iter", "next")
            and code.path(n.func).rpartition(".")[2][:1] != "_" and not _makes_module(code, n)}


def _makes_module(code: Program, call: ast.Call) -> bool:
    return code.tail(call)[:1].isupper() or code.tail(call) in ("device", "is_available", "parse_args", "ones_like", "zeros_like", "ones", "zeros", "linspace",
                                                                "arange", "item")


def _carried(code: Program, call: ast.Call) -> bool:
    """Whether the loss comes from something that an earlier turn of the loop has left."""
    for loop in loops(code, call):
        bound = stored(code, loop)
        for node in code.flow(call.func.value if isinstance(call.func, ast.Attribute) else call, cuts(code)):
            if isinstance(node, ast.Name) and node.id in bound and any(b.where not in set(ast.walk(loop))
                    for b in code.bounds(node)) and code.statement(node) in set(ast.walk(loop)):
                return True
    return False
