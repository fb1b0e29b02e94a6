"""A softmax is taken twice."""
from __future__ import annotations

from collections.abc import Iterator

from ._losses import computed, output
from ._nets import ending
from ._script import Place, ScriptFault
from ._trees import Program


class SoftmaxBeforeCrossEntropy(ScriptFault):
    """CrossEntropyLoss of what a softmax gave."""

    why = "the loss takes a softmax of its own; of probabilities it can't come near zero, and gradients are small"
    remedy = "give it the raw scores; take the softmax only where probabilities are wanted"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call, kind in computed(code):
            given = output(code, call) if kind == "ce" else None
            if given is not None and ending(code, given) == "softmax":
                yield call, ""
