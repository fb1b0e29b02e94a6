"""The generator is trained to be told apart."""
from __future__ import annotations

from collections.abc import Iterator

from ._gan import Term, losses, made, terms
from ._script import Place, ScriptFault
from ._trees import Program


class GeneratorSign(ScriptFault):
    """Minimising D(G(z)), or a cross-entropy of fakes with zeros: the generator helps the discriminator."""

    why = "minimising this makes what is generated less like real items in the discriminator's eyes"
    remedy = "minimise -log sigmoid(D(G(z))), that is softplus(-D(G(z))).mean(), or a cross-entropy with ones; for a Wasserstein critic -D(G(z)).mean()"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        found = losses(code)
        own = [t for loss in found if loss.of == "g" for t in terms(code, loss) if made(code, t)]
        shown = [t for loss in found if loss.of == "d" for t in terms(code, loss)]
        fakes, reals = [t for t in shown if made(code, t)], [t for t in shown if not made(code, t)]
        yield from ((t.call, "") for t in own if t.target == 0 and fakes and not _turned(t, fakes, reals))


def _turned(own: Term, fakes: list[Term], reals: list[Term]) -> bool:
    """Whether the discriminator has it the other way round as well: real is low, made is high."""
    low = bool(reals) and all(t.target == 0 for t in reals)
    high = bool(fakes) and all(t.target == 1 for t in fakes)
    return low and high and all(t.linear == own.linear for t in fakes)
