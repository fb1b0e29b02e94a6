"""A likelihood is taken of what is no logarithm."""
from __future__ import annotations

from collections.abc import Iterator

from ._losses import computed, output
from ._nets import ending
from ._script import Place, ScriptFault
from ._trees import Program


class MissingLogSoftmax(ScriptFault):
    """NLLLoss of raw scores or of a softmax."""

    why = "NLLLoss only picks out a number and turns its sign: it wants log-probabilities, and of anything else it falls without bound or says nothing"
    remedy = "log_softmax before NLLLoss, or CrossEntropyLoss on the raw scores"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call, kind in computed(code):
            given = output(code, call) if kind == "nll" else None
            if given is not None and (found := ending(code, given)) in ("softmax", "linear"):
                yield call, "of probabilities" if found == "softmax" else "of raw scores"
