"""A language model is tuned on padding."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._labels import copied
from ._script import Place, ScriptFault
from ._syntax import constant
from ._trees import Program


class UnmaskedPadding(ScriptFault):
    """`labels = input_ids.clone()` of padded texts."""

    why = "the loss counts the padding as text, so the model learns to write padding, and short texts weigh more"
    remedy = "labels[attention_mask == 0] = -100, or a collator that does so"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        padded = [k for k in code.of(ast.keyword) if isinstance(k, ast.keyword) and k.arg == "padding" and constant(k.value) in (True, "max_length", "longest")]
        if padded or code.mentions("pad_sequence"):
            yield from ((node, "") for node in copied(code))
