"""A next-token model sees the tokens that it is to tell."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._language import MASKED, MASKS, next_token
from ._script import Place, ScriptFault
from ._trees import Program

LAYERS = {"TransformerEncoder", "TransformerEncoderLayer", "MultiheadAttention", "scaled_dot_product_attention", "MultiHeadAttention"}

OTHERS = {"TransformerDecoder", "GRU", "LSTM", "GRUCell", "LSTMCell", "RNN", "AutoModelForCausalLM", "from_pretrained", "GPT2LMHeadModel"}


class MissingCausalMask(ScriptFault):
    """Attention over the whole window in a model that is trained on x[:, 1:]."""

    why = "without a causal mask each place attends to later ones, the target among them: the loss is too good and generation fails"
    remedy = "is_causal=True, or a mask of nn.Transformer.generate_square_subsequent_mask"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        masked = MASKS & (code.words | code.tokens) or MASKED & code.tokens
        if masked or OTHERS & code.words or not next_token(code) or not code.mentions("Embedding"):
            return
        found = [c for c in code.calls if code.tail(c) in LAYERS and code.tail(c) != "TransformerEncoderLayer"] or _by_hand(code)
        if found:
            yield found[0], ""


def _by_hand(code: Program) -> list[ast.Call]:
    """softmax(q @ k.transpose(...)) within a class."""
    return [c for c in code.calls if code.tail(c) == "softmax" and code.home(c) is not None
            and any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult) for a in (*c.args, c.func) for n in code.flow(a) if isinstance(a, ast.expr))]
