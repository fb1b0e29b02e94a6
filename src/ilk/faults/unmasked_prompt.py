"""A language model is tuned on the prompts too."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._labels import copied
from ._language import spoken
from ._script import Place, ScriptFault
from ._trees import Program

ASKED = {"prompt", "question", "instruction", "query", "prefix", "user"}
SAID = {"answer", "response", "completion", "output", "reply", "assistant", "target", "chosen"}


class UnmaskedPrompt(ScriptFault):
    """Labels that cover the instruction as well as the answer."""

    why = "most of the loss is then about telling the user's words, not about answering"
    remedy = "labels[: len(prompt_ids)] = -100, so that only the answer is learned"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        joined = [n for n in code.of(ast.JoinedStr, ast.BinOp) if isinstance(n, ast.JoinedStr) or (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add))]
        if any(spoken(n) & ASKED and spoken(n) & SAID for n in joined):
            yield from ((node, "") for node in copied(code))
