"""A language model is trained to repeat its input."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._language import MASKED, next_token
from ._losses import computed
from ._script import Place, ScriptFault
from ._trees import Program

SPEAKS = {"lm", "gpt", "language", "vocab", "tokens", "token", "char", "chars", "tokenizer"}
SHAPED = {"view", "reshape", "flatten", "long", "to", "contiguous", "transpose", "permute"}


class UnshiftedTarget(ScriptFault):
    """`cross_entropy(model(x), x)`: the target is the token that was just given."""

    why = "the model sees the very token that it is to tell, so it learns to copy, the loss falls to zero and what it writes is worthless"
    remedy = "model(x[:, :-1]) with the target x[:, 1:]"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if next_token(code) or MASKED & code.tokens or not SPEAKS & code.tokens or {"decoder", "vae", "autoencoder", "reconstruct", "mask", "masked", "noised",
                "diffusion"} & code.tokens:
            return
        for call, kind in computed(code):
            if kind != "ce" or len(call.args) < 2:
                continue
            target = _bare(code, call.args[1])
            if isinstance(target, ast.Name) and target.id in _given(code, call.args[0]):
                yield call, f"{target.id} is both input and target"


def _bare(code: Program, node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SHAPED:
        node = node.func.value
    return node


def _given(code: Program, output: ast.expr) -> set[str]:
    """The names of what the model was given."""
    return {a.id for n in code.flow(output, lambda n: isinstance(n, ast.Subscript)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
            and n.func.id not in code.imports
            for a in n.args[:1] if isinstance(a, ast.Name)}
