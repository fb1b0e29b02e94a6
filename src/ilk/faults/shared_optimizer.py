"""One optimiser has the parameters of both adversaries."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import optimisers
from ._nets import role
from ._script import Place, ScriptFault
from ._trees import Program


class SharedOptimizer(ScriptFault):
    """`Adam(list(G.parameters()) + list(D.parameters()))`."""

    why = "every step moves both networks against the loss of one of them, so they no longer play against each other"
    remedy = "an optimiser for each, stepped after its own loss"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for made in optimisers(code):
            nets = [n.value for n in code.flow(made.args[0] if made.args else made) if isinstance(n, ast.Attribute) and n.attr == "parameters"]
            if {"g", "d"} <= {role(code, n) for n in nets}:
                yield made, ""
