"""Two linear layers follow each other with nothing between."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._nets import is_linear, layer_ending, layers
from ._script import Place, ScriptFault
from ._syntax import constant, keyword, tokens
from ._trees import Program

MEANT = {"lora", "proj", "projection", "factor", "low", "rank", "linear", "pca", "adapter", "embed", "embedding", "down", "a", "b"}


class LinearWithoutActivation(ScriptFault):
    """`fc2(fc1(x))`: one linear layer in the end."""

    why = "two linear layers without an activation are one linear layer: the network can't learn more than that"
    remedy = "an activation between them, such as ReLU or SiLU"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            home = code.home(call)
            if (home is not None and tokens(home.name) & MEANT) or {"lora", "pca"} & {t.lower() for f in [code.scope(call)] for t in tokens(getattr(f, "name", ""))}:
                continue
            if code.tail(call) == "Sequential":
                yield from self._sequence(code, call)
            elif len(call.args) == 1 and is_linear(code, call.func) and (first := _before(code, call)) is not None:
                yield call, f"{ast.unparse(first)} and {ast.unparse(call.func)}"

    def _sequence(self, code: Program, call: ast.Call) -> Iterator[Place]:
        parts = [p for p in layers(code, call) if code.tail(p) not in ("Dropout", "Flatten", "Input", "InputLayer", "Unflatten")]
        for one, two in zip(parts, parts[1:], strict=False):
            if all(isinstance(p, ast.Call) and code.tail(p) in ("Linear", "Dense") and layer_ending(code, p) == "linear" for p in (one, two)) and not _meant(one):
                yield two, ""


def _meant(layer: ast.AST) -> bool:
    return isinstance(layer, ast.Call) and constant(keyword(layer, "bias", "use_bias")) is False


def _before(code: Program, call: ast.Call) -> ast.expr | None:
    """The linear layer whose output is the input of this one, as it is."""
    given = call.args[0]
    found = [v for v, _ in code.sources(given)] if isinstance(given, ast.Name) else [given]
    if len(found) != 1 or not isinstance(found[0], ast.Call):
        return None
    first = found[0]
    while code.tail(first) in ("dropout", "drop", "view", "reshape", "flatten") and isinstance(first, ast.Call) and first.args and isinstance(first.args[0], ast.Call):
        first = first.args[0]
    if not isinstance(first, ast.Call) or not is_linear(code, first.func):
        return None
    names = {t for f in (first.func, call.func) if isinstance(f, ast.Name | ast.Attribute) for t in tokens(f.id if isinstance(f, ast.Name) else f.attr)}
    return None if names & MEANT else first.func
