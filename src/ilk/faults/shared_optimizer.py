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
        whose = [(made, _roles(code, made)) for made in optimisers(code)]
        if not any(roles == {"g"} for _, roles in whose):   # one for both may stand beside those of each, as in InfoGAN
            yield from ((made, "") for made, roles in whose if {"g", "d"} <= roles)


def _roles(code: Program, made: ast.Call) -> set[str]:
    """Whose parameters an optimiser has."""
    nets = [n.value for n in code.flow(made.args[0] if made.args else made) if isinstance(n, ast.Attribute) and n.attr == "parameters"]
    return {role(code, n) for n in nets} - {""}
