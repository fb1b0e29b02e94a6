"""A job at work: a process of its own in a folder of its own, which may outlive whoever began it."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilk.errors import ResourceError
from ilk.files import atomic, not_written
from ilk.jobs.job import Job
from ilk.jobs.lock import taken

ANSWER, SAID, NUMBER, RUNS, MADE, ARCHIVE = "answer.json", "errors.txt", ".pid", "runs", ".made", "export"
UNWRITTEN = 120   # what Python ends with where its last output could not be written
COMMAND = (sys.executable, "-P", "-m", "ilk")   # -P: no file of the folder is taken for a module
RESUMED = ("fit", "tune")   # kinds whose command has --resume; the others do what is left, or all anew
NICE, PREVIEW = 3, 10            # behind others by so much; seconds between previews
LINE, ROUND = 1 << 18, 1 << 20   # bytes of an event, and of events taken in at a time, at most
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY", re.IGNORECASE)


@dataclass
class Child:
    """The process of a job. One that was begun by a runner that died is followed, not begun again: `process` is None, and its end is seen by its lock."""

    job: Job
    folder: Path
    process: subprocess.Popen[bytes] | None
    lock: int | None

    @classmethod
    def of(cls, job: Job, folder: Path, threads: int) -> Child:
        """Begins it, unless it runs still or has left its whole answer."""
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / RUNS).mkdir(exist_ok=True)
            lock = taken(folder)
            child = cls(job, folder, None, lock)
            if lock is not None and "error" in (child.answered() or {"error": None}):
                child.begin(threads)
        except OSError as why:
            raise why if isinstance(why, ResourceError) else not_written(folder, why) from None
        return child

    def begin(self, threads: int) -> None:
        """The command, behind who asks models for the processor, its own group of processes; it inherits the lock."""
        (self.folder / NUMBER).unlink(missing_ok=True)
        env = {k: v for k, v in os.environ.items() if not _SECRET.search(k)}
        env |= {name: str(threads) for name in THREADS} | {"ILK_RUNS": str(self.folder / RUNS), "ILK_PREVIEW": str(PREVIEW)}
        words = [*COMMAND, *self.job.words, *(w for w in self._more() if w not in self.job.words)]
        with open(self.folder / ANSWER, "wb") as out, open(self.folder / SAID, "wb") as said:
            self.process = subprocess.Popen(words, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=said, start_new_session=True,
                                            pass_fds=() if self.lock is None else (self.lock,))
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, NICE)
        with suppress(OSError):   # without it only a runner that comes after this one can't stop it
            (self.folder / NUMBER).write_text(str(self.process.pid), encoding="ascii")

    def _more(self) -> tuple[str, ...]:
        return ("--json", "--resume") if self.job.kind in RESUMED else ("--json",)

    def ended(self) -> bool:
        """Whether it runs no more."""
        if self.process is not None:
            return self.process.poll() is not None
        if self.lock is None:
            self.lock = taken(self.folder)
        return self.lock is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to its group of processes, if it runs."""
        if self.ended():
            return
        pid = self.process.pid if self.process is not None else _number(self.folder / NUMBER)
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)

    def close(self) -> None:
        """Lets the folder go."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def answered(self) -> dict[str, Any] | None:
        """What it answered: a result, or {"error": ...}; None where it was cut short."""
        try:
            found = json.loads((self.folder / ANSWER).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def error(self) -> dict[str, Any]:
        """Why it ended without an answer, as far as that is known: what would say that memory ran out has room for it, what would say that the disk is full has not."""
        if self.process is not None and self.process.returncode in (ResourceError.exit, UNWRITTEN):
            return dict(ResourceError("the disk is full", code="DISK_FULL", remedy="free some space, then resume it").as_json()["error"])
        code = None if self.process is None else self.process.returncode
        return {"message": f"it ended with {code} and without an answer", "type": "server_error", "param": None, "code": "NO_ANSWER"}

    @property
    def killed(self) -> bool:
        """Whether it was ended by a signal, or nobody knows how."""
        return self.process is None or self.process.returncode in (None, 130, 143) or self.process.returncode < 0

    def news(self, read: Mapping[str, int]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Events since it was last asked, whole lines only, and how far they were read."""
        found: list[dict[str, Any]] = []
        far = dict(read)
        for path in sorted((self.folder / RUNS).glob("*.jsonl")):
            with suppress(OSError), open(path, "rb") as file:
                file.seek(far.get(path.name, 0))
                text = file.read(ROUND)
                whole = text[: text.rfind(b"\n") + 1] or (text if len(text) == ROUND else b"")   # a line without end is passed over
                far[path.name] = far.get(path.name, 0) + len(whole)
                found += [facts for line in whole.splitlines() if (facts := self._event(line)) is not None]
        return found, far

    def _event(self, line: bytes) -> dict[str, Any] | None:
        if len(line) > LINE:
            return None
        try:
            facts = json.loads(line.replace(f"{self.folder.parent.parent}/".encode(), b""))
        except ValueError:
            return None
        return facts if isinstance(facts, dict) else None


def collected(folder: Path, models: Path, job: Job) -> dict[str, str]:
    """What a job made, by kind: its model moved among the others under a name that was free, pages and files by their names in the folder.

    What is moved is written down first: done again after a sudden end, it comes to the same.
    """
    made = _intention(folder)
    for path in sorted(folder.glob("*.ilk")):
        made["model"] = _moved(folder, path, models)
    if job.kind == "export" and (folder / ARCHIVE).is_dir():
        shutil.make_archive(str(folder / ARCHIVE), "zip", folder / ARCHIVE)
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".") and p.name != SAID):
        made.setdefault("report" if path.suffix == ".html" else "file", path.name) if path.name != ANSWER else None
    if job.kind == "index":
        made["library"] = Path(_after(job.words, "--out")).name
    return made or {"file": ANSWER}


def _moved(folder: Path, path: Path, models: Path) -> str:
    number = 1
    while True:
        name = path.stem if number == 1 else f"{path.stem}-{number}"
        to = models / f"{name}.ilk"
        if not to.exists():
            with atomic(folder / MADE) as file:
                file.write(json.dumps({"model": name}).encode())
            with suppress(OSError):
                os.rename(path, to)
                return name
            if not to.exists():
                raise not_written(to, OSError(5, "it can't be moved"))
        number += 1


def _intention(folder: Path) -> dict[str, str]:
    """What was being moved when somebody died: done, if it is no more in the folder."""
    try:
        found: dict[str, str] = json.loads((folder / MADE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _after(words: tuple[str, ...], flag: str) -> str:
    return words[words.index(flag) + 1] if flag in words[:-1] else ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
