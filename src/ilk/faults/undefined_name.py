"""A name is read that nothing has bound, or not yet."""
from __future__ import annotations

from collections.abc import Iterator

from ._scopes import early, unbound
from ._script import Place, ScriptFault
from ._trees import Program


class UndefinedName(ScriptFault):
    """A loss that reads z_mean of another function; an argument that is made only after the call; `sqrt` for `torch.sqrt`."""

    why = "Python stops there with a NameError, or takes a value that an earlier run of a notebook left behind"
    remedy = "bind it before, or pass it as an argument; a function sees only its parameters and the names of the module"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        yield from ((n, f"nothing binds {n.id}") for n, known in unbound(code.script) if not known)
        seen: set[str] = set()
        for node, said in early(code):
            if said not in seen:
                seen.add(said)
                yield node, said
