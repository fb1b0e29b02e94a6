"""Behind the commands: what is wrong with a script, data, a model, or what is installed."""
from __future__ import annotations

from dataclasses import asdict

from ilk.console._shared import Answer
from ilk.errors import printable
from ilk.verbs.doctor import doctor


def doctor_command(thing: str | None) -> Answer:
    """The findings."""
    found = doctor(thing)
    answer = {"thing": found.thing, "findings": [asdict(f) for f in found.findings], "looked": list(found.looked), "failed": dict(found.failed)}
    return answer, printable(repr(found))
