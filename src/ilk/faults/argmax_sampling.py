"""What is called sampling takes the likeliest token each time."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import Function, parameters, tokens
from ._trees import Program

DRAWS = {"multinomial", "Categorical", "choice", "choices", "gumbel", "Gumbel", "gumbel_softmax", "categorical", "exponential_", "random_categorical", "sample",
         "searchsorted", "rand"}


class ArgmaxSampling(ScriptFault):
    """argmax in a function that takes a temperature."""

    why = "a temperature does not move the argmax, so every text is the same and often goes in circles"
    remedy = "torch.multinomial(softmax(logits / temperature), 1)"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for called in [n for n in code.all if isinstance(n, Function)]:
            inner = [n for n in ast.walk(called) if isinstance(n, ast.Call)]
            heated = "temperature" in parameters(called) or any(isinstance(n, ast.Name) and n.id == "temperature" for n in ast.walk(called))
            named = bool({"sample", "sampling"} & tokens(called.name)) and bool({"logits", "probs", "tokens", "vocab"} & {t for n in ast.walk(called)
                    if isinstance(n, ast.Name) for t in tokens(n.id)})
            if not (heated or named) or any(code.tail(c) in DRAWS or "sample" in tokens(code.tail(c)) for c in inner) or "greedy" in tokens(called.name):
                continue
            yield from ((c, "") for c in inner if code.tail(c) == "argmax" and code.near(c, ast.For, ast.While) is not None)
