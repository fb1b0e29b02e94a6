"""Records of runs: a file of facts and one of events for each, in one folder of the user's."""
from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from . import __version__
from .errors import DataError, UsageError, printable
from .files import atomic, plain
from .machine import Meter, machine
from .run import Began, Event, Progress, Validated, as_facts
from .tracker import Tracker, flat

SUFFIX, EVENTS, FINE = ".json", ".jsonl", 1000   # of a record and of its events; so many points a curve has for each factor e of time


def folder() -> Path | None:
    """Where records are kept: $ILK_RUNS (None if that is `off`), else `runs` in $ILK_HOME, else in `ilk` in the user's data folder."""
    if own := os.environ.get("ILK_RUNS"):
        return None if own == "off" else Path(own)
    if home := os.environ.get("ILK_HOME"):
        return Path(home) / "runs"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "ilk" / "runs"


class Recorder(Tracker):
    """Leaves a record of every run it listens to, in a folder (by default the user's own, see `folder`); `about` is kept with each.

    >>> import ilk, tempfile
    >>> at = tempfile.mkdtemp()
    >>> run = ilk.Run(listeners=(ilk.Recorder(at),))
    >>> model = ilk.fit({"a": [1.5, 2.25, 3.125] * 20}, ilk.GMM(components=1), run=run)
    >>> [(found.what, found.family, found.status) for found in ilk.runs(at)]
    [('fit', 'gmm', 'done')]
    """

    def __init__(self, to: str | Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.to, self.about = to, dict(about or {})
        self._file: IO[str] | None = None
        self._start = self._kept = 0.0

    def hear(self, event: Event) -> None:
        """Keeps the event too, points of a curve ever less often."""
        super().hear(event)
        if self._file is None:
            return
        if isinstance(event, Progress):
            now = time.monotonic()
            if now - self._kept < (now - self._start) / FINE:
                return
            self._kept = now
        self._file.write(json.dumps(as_facts(event), default=str) + "\n")
        self._file.flush()

    def begin(self, what: str) -> None:
        """Makes the two files."""
        at = folder() if self.to is None else Path(self.to)
        if at is None:
            self._silent = True
            return
        at.mkdir(parents=True, exist_ok=True)
        began, self._meter = datetime.now(UTC), Meter()
        self._start, self._kept = time.monotonic(), 0.0
        self._base = at / f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03d}-{what}-{secrets.token_hex(3)}"
        self._facts: dict[str, Any] = {"ilk_run": 1, "what": what, "began": began.isoformat(timespec="milliseconds"), "status": "running", "message": "",
                                       "version": {"ilk": __version__, "commit": _commit()}, "machine": machine(), "figures": {}, **self.about}
        self._file = open(self._base.with_name(self._base.name + EVENTS), "x", encoding="utf-8")  # noqa: SIM115 - closed at the end of the run
        _hold(self._file)
        self._meter.__enter__()
        self._write()

    def know(self, facts: Mapping[str, Any]) -> None:
        """Kept with what is known; written when the run ends."""
        if self._file is not None:
            self._facts |= {k: v if k != "model" else str(Path(v).absolute()) for k, v in facts.items()}

    def point(self, curve: str, step: int, loss: float) -> None:
        """The least loss on held-out items of the last stage is a fact; the rest stands among the events."""
        if curve.endswith("/valid") and self._file is not None:
            best = self._facts.get("best")
            if best is None or best["curve"] != curve or loss < best["loss"]:
                self._facts["best"] = {"curve": curve, "step": step, "loss": loss}

    def measure(self, figures: Mapping[str, float]) -> None:
        """Added to those that are known."""
        if self._file is not None:
            self._facts["figures"] |= figures

    def end(self, how: str, message: str) -> None:
        """Writes the record as it will stay."""
        if self._file is None:
            return
        self._meter.__exit__(None, None, None)
        self._facts |= {"status": how, "message": printable(message)[:1000], "spent": self._meter.facts()}
        self._write()
        self._file.close()
        self._file = None

    def abandon(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with suppress(ValueError):
                self._meter.__exit__(None, None, None)
            self._file.close()
            self._file = None

    def _write(self) -> None:
        with atomic(self._base.with_name(self._base.name + SUFFIX)) as file:
            file.write(json.dumps(plain(self._facts), ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace"))


def _commit() -> str | None:
    """The commit of the working folder, with -dirty if files in it differ from it; None where there is none."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip() or None
    return None


def _hold(file: IO[str]) -> None:
    """A lock that lasts as long as this process: so a run that was killed is told from one that still runs."""
    with suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _held(at: Path) -> bool:
    try:
        import fcntl

        with open(at, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        pass
    return False


@dataclass(frozen=True)
class Recorded:
    """A run of which a record was left. `status`: done, stopped, failed, running, or killed (it said nothing more).

    `seconds` and `best` (the least loss on held-out items of the last stage, nats per item) are None where they are not known.
    """

    name: str
    what: str
    began: str
    status: str
    family: str
    data: str
    seconds: float | None
    best: float | None
    figures: Mapping[str, float]
    model: str | None
    facts: Mapping[str, Any]
    at: Path

    def events(self) -> list[dict[str, Any]]:
        """All that listeners were told, in order, as JSON has it; a line that was cut short ends them."""
        found: list[dict[str, Any]] = []
        with suppress(OSError, ValueError):
            for line in self.at.with_name(self.name + EVENTS).read_text(encoding="utf-8").splitlines():
                found.append(json.loads(line))
        return found

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Losses by step, in nats per item: training and held-out items of every stage."""
        found: dict[str, list[tuple[int, float]]] = {}
        stage, names = "", {Progress.__name__.lower(): "train", Validated.__name__.lower(): "valid"}
        for event in self.events():
            stage = event["what"] if event["event"] == Began.__name__.lower() else stage
            if event["event"] in names and event["loss"] is not None:
                found.setdefault(f"{stage}/{names[event['event']]}", []).append((event["step"], event["loss"]))
        return found


def runs(at: str | Path | None = None) -> tuple[Recorded, ...]:
    """Every run of which there is a record, the oldest first; files that are none are passed over."""
    where = folder() if at is None else Path(at)
    if where is None or not where.is_dir():
        return ()
    return tuple(_read(sorted(where.glob(f"*{SUFFIX}"))))


def _read(paths: Sequence[Path]) -> Iterator[Recorded]:
    for path in paths:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            name, status = path.name.removesuffix(SUFFIX), facts["status"]
            if status == "running" and not _held(path.with_name(name + EVENTS)):
                status = "killed"
            yield Recorded(name, facts["what"], facts["began"], status, facts.get("family", {}).get("name", ""), facts.get("data", {}).get("name", ""),
                           facts.get("spent", {}).get("seconds"), facts.get("best", {}).get("loss"), facts["figures"], facts.get("model"), facts, path)


def found(name: str, at: str | Path | None = None) -> Recorded:
    """The run of that name, of which the beginning or the end is enough; `last` is the latest. UsageError if there is none, or several."""
    known = runs(at)
    fit = list(known[-1:]) if name == "last" else [r for r in known if name and (r.name.startswith(name) or r.name.endswith(name))]
    if len(fit) != 1:
        raise UsageError(f"{len(fit) or 'no'} runs are named {name!r}", code="RUN", param="run", remedy="ilk runs list")
    return fit[0]


def remove(run: Recorded) -> None:
    """Removes a record and its events, nothing else; DataError for a run that goes on."""
    if run.status == "running":
        raise DataError(f"{run.name} is still running", code="RUNNING", remedy="stop it first")
    for path in (run.at, run.at.with_name(run.name + EVENTS)):
        path.unlink(missing_ok=True)


def differing(some: Sequence[Recorded]) -> dict[str, list[Any]]:
    """The facts in which runs differ, each by its path: one value a run, None where one has none. Times and costs are left out."""
    sets = [dict(flat({k: v for k, v in r.facts.items() if k not in ("began", "spent", "figures", "best", "message", "status", "model", "asked")})) for r in some]
    keys = dict.fromkeys(key for facts in sets for key in facts)
    rows = {key: [facts.get(key) for facts in sets] for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}
