"""The discriminator is shown noise in the place of real items."""
from __future__ import annotations

from collections.abc import Iterator

from ._gan import losses, noise_alone, terms
from ._script import Place, ScriptFault
from ._trees import Program


class NoiseAsReal(ScriptFault):
    """`D(torch.randn_like(z))` where D should see the data."""

    why = "the discriminator never sees a real item here, so there is nothing that the generator could come to look like"
    remedy = "give it a batch of the data set: D(x) for x from the loader"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        yield from ((t.call, "") for loss in losses(code) if loss.of == "d" for t in terms(code, loss) if noise_alone(code, t))
