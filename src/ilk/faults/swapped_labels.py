"""Real and generated items have their labels the wrong way round."""
from __future__ import annotations

from collections.abc import Iterator

from ._gan import losses, made, terms
from ._script import Place, ScriptFault
from ._trees import Program


class SwappedLabels(ScriptFault):
    """The discriminator is taught ones for fakes, or the same for fakes and real items."""

    why = "the discriminator is driven to call what is generated real"
    remedy = "ones (or .9) for real items and zeros for generated ones in the discriminator's loss, ones for generated ones in the generator's"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        found = losses(code)
        own = {t.target for loss in found if loss.of == "g" for t in terms(code, loss) if made(code, t) and not t.linear}
        shown = [t for loss in found if loss.of == "d" for t in terms(code, loss)]
        reals = {t.target for t in shown if not made(code, t)}
        for term in shown:
            if made(code, term) and term.target == 1 and not term.linear and (own != {0} or reals == {1}):
                yield term.call, ""
