"""Who runs the heats of a race: processes of this machine, each with a limit of time and memory, or the workers of a Ray cluster."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

from ilk.errors import Stopped, UsageError
from ilk.store import parse_json, read_folder, write_folder
from ilk.verbs._heat import Result, Spec

LOOK = 0.1                 # seconds between two looks at a process
SLACK = 20.0               # seconds more than its time that a heat may take before it is ended
Watch = Callable[[float, float], bool]   # told how far a fit is and its loss; whether to end it


@dataclass(frozen=True)
class Limits:
    """What a heat may take at most: seconds of wall-clock, bytes that are resident."""

    seconds: float
    memory: int


@dataclass(frozen=True)
class Task:
    """Heats that follow from each other: `then` names the next one by the results so far, or None at the end."""

    name: str
    limits: Limits
    then: Callable[[Sequence[Result]], Spec | None]
    watch: Watch = field(default=lambda fraction, loss: False)


class Crew(Protocol):
    """Runs tasks, `jobs` at a time, in any order, and gives what every heat came to."""

    @property
    def jobs(self) -> int: ...

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]: ...


@dataclass(frozen=True)
class Processes:
    """So many processes at a time on this machine."""

    jobs: int = 1

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The results as they come. A heat that was run before is not run again."""
        todo, done = deque(tasks), SimpleQueue[Result | BaseException | None]()
        threads = [Thread(target=_work, args=(todo, done), daemon=True) for _ in range(min(self.jobs, len(todo)))]
        for thread in threads:
            thread.start()
        left = len(threads)
        try:
            while left:
                with suppress(Empty):
                    found = done.get(timeout=1.0)
                    if isinstance(found, BaseException):
                        raise found
                    left -= found is None
                    if found is not None:
                        yield found
        finally:
            todo.clear()
            _CHILDREN.stop()


def _work(todo: deque[Task], done: SimpleQueue[Result | BaseException | None]) -> None:
    try:
        while todo:
            with suppress(IndexError):
                for found in followed(todo.popleft()):
                    done.put(found)
    except BaseException as why:  # told to whoever waits
        done.put(why)
    done.put(None)


def followed(task: Task) -> Iterator[Result]:
    """The heats of a task, one after the other."""
    found: list[Result] = []
    while (spec := task.then(found)) is not None:
        found.append(known(spec) or one(spec, task.limits, task.watch))
        yield found[-1]


def known(spec: Spec) -> Result | None:
    """The result of a heat that was run before; None if there is none."""
    if not (spec.to / "result" / "result.json").exists():
        return None
    return Result(**parse_json(read_folder(spec.to / "result", ("result.json",))["result.json"], "result.json"))


def one(spec: Spec, limits: Limits, watch: Watch) -> Result:
    """A heat in a process of its own, ended when it takes too long or too much, or when the watch says so."""
    spec.to.mkdir(parents=True, exist_ok=True)
    (spec.to / "spec.json").write_text(json.dumps(asdict(spec)), encoding="utf-8")
    start = time.monotonic()
    env = {**os.environ, "OMP_NUM_THREADS": str(spec.threads), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with tempfile.TemporaryFile() as err:
        with subprocess.Popen([sys.executable, "-m", "ilk.verbs._heat", str(spec.to / "spec.json")], stdout=subprocess.PIPE, stderr=err, env=env) as child:
            _CHILDREN.add(child)
            ended = _watched(child, limits, watch, start)
        err.seek(max(0, err.seek(0, os.SEEK_END) - 2000))
        said = err.read().decode("utf-8", "replace").strip().splitlines()
    if child in _CHILDREN.killed:   # the race was stopped: this heat is run again when it goes on
        raise Stopped("stopped", 130)
    done = known(spec) if not ended else None
    if done is not None:
        return done
    status, why = ended or ("crashed", f"exit code {child.returncode}: {said[-1] if said else 'nothing was said'}"[:500])
    lost = Result(spec.key, spec.name, spec.kind, spec.seed, status, why, spec.recipe, seconds=round(time.monotonic() - start, 3))
    write_folder(spec.to / "result", {"result.json": json.dumps(asdict(lost), ensure_ascii=False).encode()})
    return lost


class _Children:
    """Processes that run, so that none outlives the race."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.killed: set[subprocess.Popen[bytes]] = set()

    def add(self, child: subprocess.Popen[bytes]) -> None:
        self.running = {c for c in self.running if c.poll() is None} | {child}

    def stop(self) -> None:
        for child in self.running:
            if child.poll() is None:
                self.killed.add(child)
                child.kill()
                child.wait()
        self.running = set()


_CHILDREN = _Children()


def _watched(child: subprocess.Popen[bytes], limits: Limits, watch: Watch, start: float) -> tuple[str, str] | None:
    """Why a process was ended, or None if it ended by itself."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(child, lines), daemon=True).start()
    while child.poll() is None:
        time.sleep(LOOK)
        if time.monotonic() - start > limits.seconds + SLACK:
            return _end(child, "timeout", f"longer than {limits.seconds:.0f} s")
        if (taken := resident(child.pid)) > limits.memory:
            return _end(child, "memory", f"{taken / 2**30:.2f} GiB are more than {limits.memory / 2**30:.2f}")
        with suppress(Empty, ValueError, KeyError, TypeError):
            while True:
                said = json.loads(lines.get_nowait())
                if watch(float(said["fraction"]), float(said["loss"])):
                    return _end(child, "pruned", f"behind others with {said['fraction']:.0%} of its time gone")
    return None


def _read(child: subprocess.Popen[bytes], lines: SimpleQueue[bytes]) -> None:
    for line in child.stdout or ():
        lines.put(line)


def _end(child: subprocess.Popen[bytes], status: str, why: str) -> tuple[str, str]:
    child.kill()
    child.wait()
    return status, why


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True, timeout=5).stdout) << 10
    return 0


@dataclass(frozen=True)
class Ray:
    """The workers of a Ray cluster (extra `ray`): `address` of one that runs, or None for one on this machine with so many `jobs` at a time."""

    address: str | None = None
    jobs: int = 2

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The results as they come, each with its folder, which a worker on another machine has sent."""
        try:
            import ray
        except ImportError:
            raise UsageError("a race on a cluster needs ray", code="EXTRA", remedy="pip install 'ilk[ray]'") from None
        ours = not ray.is_initialized()
        if ours:
            ray.init(address=self.address, num_cpus=None if self.address else self.jobs, log_to_driver=False, include_dashboard=False)
        try:
            yield from self._run(ray, tasks)
        finally:
            if ours:
                ray.shutdown()

    def _run(self, ray: Any, tasks: Sequence[Task]) -> Iterator[Result]:
        away = ray.remote(_away)
        found: dict[str, list[Result]] = {task.name: [] for task in tasks}
        waiting: dict[Any, Task] = {}
        files: dict[str, Any] = {}

        def send(task: Task) -> Iterator[Result]:
            while (spec := task.then(found[task.name])) is not None:
                if (done := known(spec)) is None:
                    if spec.folder not in files:
                        files[spec.folder] = ray.put(_files(Path(spec.folder) / "data"))
                    waiting[away.remote(asdict(spec), asdict(task.limits), files[spec.folder])] = task
                    return
                found[task.name].append(done)
                yield done

        for task in tasks:
            yield from send(task)
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            task, (spec_facts, sent) = waiting.pop(ready), ray.get(ready)
            spec = Spec(**spec_facts)
            _put(spec.to, sent)
            done = known(spec)
            if done is not None:
                found[task.name].append(done)
                yield done
                yield from send(task)


def _away(spec: dict[str, Any], limits: dict[str, Any], data: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A heat on another machine: the data come as bytes, the result goes back as bytes."""
    with tempfile.TemporaryDirectory(prefix="ilk-race-") as folder:
        here = replace(Spec(**spec), folder=folder)
        _put(Path(folder) / "data", data)
        one(here, Limits(**limits), lambda fraction, loss: False)
        return spec, _files(here.to)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _put(folder: Path, files: dict[str, bytes]) -> None:
    """Files of a folder, the result last, since it says that the rest is there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in sorted(files, key=lambda n: n.startswith("result")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files[name])
