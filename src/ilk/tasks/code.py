"""A program from what it shall do, or from how it begins; its tests are run in a sandbox."""
from __future__ import annotations

from dataclasses import dataclass

from ..chat import Turn
from ..checked import asked
from ..sandbox import sandbox
from ._program import Problem, ProgramTask


@dataclass(frozen=True, kw_only=True)
class Code(ProgramTask):
    """A program that passes tests, of which the model is shown the first `shown`."""

    shown: int = 1

    def turns(self, given: Problem) -> tuple[Turn, ...]:
        """What it shall do, how it begins, and some of its tests."""
        sandbox()
        begun = (("It begins so", given.code),) if given.code else ()
        tests = (("It has to pass, among others", "\n".join(given.tests[:self.shown])),) if self.shown else ()
        return asked(f"Write this in Python and answer with the whole code and nothing else: {given.order}", *begun, *tests)
