"""A layer is made and never used."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import KERAS, LINEAR
from ._script import Place, ScriptFault
from ._trees import Program

LAYERS = LINEAR | KERAS | {"Sequential", "Embedding", "LSTM", "GRU", "BatchNorm1d", "BatchNorm2d", "LayerNorm"}


class UnusedLayer(ScriptFault):
    """`self.decoder_logvar = Dense(784)` that no line reads."""

    why = "no line of the program reads it, so the network is not the one that was meant (and weight decay or a sum over parameters still counts it)"
    remedy = "use it in forward(), or leave it out"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if code.mentions("getattr", "__dict__", "named_children", "children", "_modules", "modules"):
            return
        read = {n.attr for n in code.all if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
        bases = {ast.unparse(b) for c in code.classes.values() for b in c.bases}
        for name, made in code.attributes.items():
            for home, value in made:
                if home is None or name in read or home.name in bases or not home.bases or any(ast.unparse(b).rpartition(".")[2] not in ("Module", "Model", "Layer")
                        for b in home.bases):
                    continue
                if isinstance(value, ast.Call) and code.tail(value) in LAYERS:
                    yield value, f"self.{name}"
