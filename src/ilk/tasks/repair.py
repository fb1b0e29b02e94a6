"""A program with a fault put right; its tests, which fail before, are run in a sandbox."""
from __future__ import annotations

from dataclasses import dataclass

from ..chat import Turn
from ..checked import asked
from ..errors import UsageError
from ._program import Problem, ProgramTask


@dataclass(frozen=True, kw_only=True)
class Repair(ProgramTask):
    """The code of a problem so that all its tests pass. The model is told which failed; UsageError if none does."""

    def turns(self, given: Problem) -> tuple[Turn, ...]:
        """The code, and what is wrong with it."""
        wrong = self.check(given, given.code).findings
        if not wrong:
            raise UsageError("the code passes all its tests: there is nothing to repair", code="NO_FAULT", param="code")
        blocks = (("Code", given.code), ("What is wrong", "\n".join(f.told for f in wrong)))
        return asked(f"This Python code has a fault. Put it right and answer with the whole code and nothing else. {given.order}".rstrip(), *blocks)
