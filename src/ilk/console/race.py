"""Behind the command race."""
from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilk.console._shared import Answer, tracked
from ilk.errors import Stopped, UsageError, printable
from ilk.progress import Progressing
from ilk.run import Measured, Run, Saved, Steps, budget
from ilk.verbs._course import RaceRules
from ilk.verbs._crews import Crew, Processes, Ray
from ilk.verbs._race_page import page
from ilk.verbs._race_text import text
from ilk.verbs.race import Race, race
from ilk.verbs.read import read

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def race_command(data: str, asked: Mapping[str, Any]) -> Answer:
    """Runs the race or goes on with it, and writes its page."""
    folder: Path = asked["out"] or Path(Path(data.rstrip("/")).name.split(".")[0] + ".race")
    names = [name.strip() for name in asked["families"].split(",") if name.strip()]
    rules = RaceRules(budget=_budget(asked), memory=_bytes(asked["memory"]), **{k: asked[k] for k in ("seed", "seeds", "trials", "finalists", "judged")})
    with Progressing() as bar:
        run = Run(listeners=(bar, *tracked()))
        with run.opened("race", {"data": {"name": data}, "run": asdict(rules), "families": names}), _stopping(folder):
            found = race(read(data), None, names, rules=rules, crew=_crew(asked), out=folder, listeners=run.listeners)
            _tell(run, found)
    at = page(found, asked["report"] or folder / "report.html", asked["language"])
    if asked["model"] is not None:
        found.best().save(asked["model"])
    return _answer(found, at), printable(f"{text(found)}\n\n{at}; the model: {folder / 'heats' / found.winner.best.key / 'model'}")


def _tell(run: Run, found: Race) -> None:
    """What the record of a race says of its winner."""
    best = found.winner
    with run.opened("winner", {"family": {"name": best.name}}):
        run.emit(Saved(str(found.folder / "heats" / best.best.key / "model")))
        run.emit(Measured({f"nats {best.best.sort}": best.nats, "quality": best.quality}))


def _answer(found: Race, at: Path) -> dict[str, Any]:
    best = found.winner
    rows = {r.name: {"kind": r.best.kind, "status": r.best.status, "why": r.best.why, "nats": r.nats, "se": r.error, "sort": r.best.sort or None, "quality": r.quality,
                     "quality_se": r.quality_error, "copies": list(r.flags), "seconds": round(r.seconds, 3), "seeds": r.seeds, "peak": r.best.peak, "joules": r.best.joules,
                     "figures": {k: v for k, (v, _) in r.best.figures.get("test", {}).items()}} for r in found.rows}
    return {"winner": best.name, "why": found.why, "decides": found.decides, "recipe": best.best.recipe, "report": str(at), "folder": str(found.folder), "rows": rows,
            "ranking": {by: [list(pair) for pair in found.ranking(by)] for by in ("likelihood", "quality")}, "absent": dict(found.out)}


def _budget(asked: Mapping[str, Any]) -> Any:
    return Steps(asked["steps"]) if asked["steps"] is not None else budget(asked["budget"])


def _bytes(said: str) -> int:
    got = re.fullmatch(r"\s*(\d+\.?\d*)\s*([KMG]?)(?:i?B)?\s*", said, re.IGNORECASE)
    if got is None:
        raise UsageError(f"{said!r} is no amount of memory", remedy="8G or 500M", param="memory")
    return int(float(got[1]) * UNITS[got[2].upper()])


def _crew(asked: Mapping[str, Any]) -> Crew:
    if not 1 <= asked["jobs"] <= 1024:
        raise UsageError(f"--jobs is {asked['jobs']}", remedy="1 to 1024", param="jobs")
    if asked["ray"] is None:
        return Processes(asked["jobs"])
    return Ray(None if asked["ray"] == "local" else asked["ray"], asked["jobs"])


@contextmanager
def _stopping(folder: Path) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the processes of the race; what was run stays."""

    def handler(number: int, frame: Any) -> None:
        raise Stopped("stopped", 130 if number == signal.SIGINT else 143, f"the same command goes on with what is in {folder}")

    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for s, old in before.items():
            signal.signal(s, old)
