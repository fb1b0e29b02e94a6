"""What the faults of scripts share: a reason, a remedy, and a rule that yields the places."""
from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Script

from ._trees import Program, program

Place = tuple[ast.AST, str]


class ScriptFault(Fault):
    """A fault of a program, told by its syntax tree. `why` and `remedy` hold for every place; what `places` says of one stands before `why`."""

    looks_at = Script
    why: ClassVar[str]
    remedy: ClassVar[str]

    @abstractmethod
    def places(self, code: Program) -> Iterator[Place]:
        """The nodes at fault, and what is to be said of each, if anything."""

    def find(self, script: Script) -> Iterator[Found]:
        """One finding a line."""
        lines: dict[int, str] = {}
        code = program(script)
        code.followed = 0
        for node, said in self.places(code):
            lines.setdefault(getattr(node, "lineno", 1), said)
        for line, said in sorted(lines.items()):
            yield self.found(script.place(line), f"{said}: {self.why}" if said else self.why, self.remedy)
