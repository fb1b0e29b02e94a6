"""Nothing bounds the slope of a Wasserstein critic."""
from __future__ import annotations

from collections.abc import Iterator

from ._gan import losses, made, terms
from ._script import Place, ScriptFault
from ._trees import Program

BOUNDS = {"clamp_", "clamp", "clip", "clip_", "penalty", "spectral", "autograd", "lipschitz", "orthogonal", "clip_by_value", "gp", "r1"}


class UnconstrainedCritic(ScriptFault):
    """`D(fake).mean() - D(real).mean()` without clipping, a gradient penalty or spectral norms."""

    why = "the difference of means can be made as large as one likes by scaling the critic, so it diverges and says nothing of a distance"
    remedy = "clamp_ the weights after each step (WGAN), a gradient penalty (WGAN-GP), or spectral_norm"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if BOUNDS & (code.tokens | code.words):
            return
        for loss in losses(code):
            found = terms(code, loss) if loss.of == "d" else []
            if {(True, 0), (False, 1)} == {(made(code, t), t.target) for t in found} and all(t.linear for t in found):
                yield loss.at, ""
