"""A module is used that the program never imports."""
from __future__ import annotations

from collections.abc import Iterator

from ._scopes import unbound
from ._script import Place, ScriptFault
from ._syntax import COMMON
from ._trees import Program


class MissingImport(ScriptFault):
    """`torch.randn(...)` in a program without `import torch`."""

    why = "the name is bound by no import, so the first line that reads it stops with a NameError"
    remedy = "import it at the top of the program"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for name, known in unbound(code.script):
            if known:
                yield name, f"{name.id} is never imported" + (f" (`import {COMMON[name.id]} as {name.id}`)" if name.id in COMMON else "")
