"""The generator is cut off from its own loss."""
from __future__ import annotations

from collections.abc import Iterator

from ._gan import attached, losses, made, terms
from ._script import Place, ScriptFault
from ._trees import Program


class DetachedGenerator(ScriptFault):
    """`D(G(z).detach())` in the loss of G: no gradient reaches it."""

    why = "detach() or no_grad stands between the judge and the generator, so none of the generator's parameters gets a gradient and it never learns"
    remedy = "detach only in the loss of the discriminator; the generator's own is made of D(G(z))"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for loss in losses(code):
            found = [t for t in terms(code, loss) if loss.of == "g" and made(code, t)]
            if found and not any(attached(code, t) for t in found):
                yield found[0].call, "in the generator's loss"
