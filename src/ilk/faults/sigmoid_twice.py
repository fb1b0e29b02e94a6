"""A sigmoid is taken twice."""
from __future__ import annotations

from collections.abc import Iterator

from ._losses import computed, output
from ._nets import ending
from ._script import Place, ScriptFault
from ._trees import Program


class SigmoidTwice(ScriptFault):
    """BCEWithLogitsLoss of what a sigmoid gave."""

    why = "the loss takes a sigmoid of its own, so the output lies between .5 and .73 for it and gradients nearly vanish"
    remedy = "leave the sigmoid out of the network, or use BCELoss"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call, kind in computed(code):
            given = output(code, call) if kind == "bce_logits" else None
            if given is not None and ending(code, given) == "sigmoid":
                yield call, ""
