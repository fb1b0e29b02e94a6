"""What runs jobs: processes that succeed, fail, are stopped, killed and taken over; a stand-in for `ilk` that starts in no time."""
from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ilk.jobs import child
from ilk.jobs.job import Job, Order
from ilk.jobs.runner import Runner
from ilk.jobs.store import ATTEMPTS, FILE, Store

STAND_IN = """
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
what = words[1]
runs = pathlib.Path(os.environ["ILK_RUNS"])
here = pathlib.Path(".")
def tell(**facts):
    with open(runs / f"{os.getpid()}.jsonl", "a") as file:
        file.write(json.dumps(facts) + chr(10))
def stop(*_):
    print(json.dumps({"error": {"message": "stopped", "type": "conflict", "param": None, "code": "STOPPED"}}))
    sys.exit(143)
step = int((here / ".ckpt").read_text()) if "--resume" in words and (here / ".ckpt").exists() else 0
tell(event="began", first=step, secret=os.environ.get("MY_API_KEY"))
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
if what == "fail":
    print(json.dumps({"error": {"message": f"{os.getcwd()}/x is bad", "type": "invalid_request_error", "param": None, "code": "DATA"}}))
    sys.exit(3)
if what == "full":
    sys.exit(5)
if what == "unwritten":
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    print("{}")
    sys.exit(5)   # what was printed can't be flushed: Python ends with 120
if what == "die":
    os.kill(os.getpid(), 9)
for step in range(step, 10 if what == "quick" else 10 if what == "slow" and step else 10**6):
    tell(event="progress", step=step, fraction=step / 10 if what == "quick" else .5)
    (here / ".new").write_text(str(step + 1))
    os.replace(here / ".new", here / ".ckpt")
    time.sleep(.005)
out = here / "m.ilk"
out.mkdir(exist_ok=True)
(out / "ilk.json").write_text("{}")
print(json.dumps({"model": "m.ilk", "first": step}))
"""


class Place:
    """A workspace, and runners in it."""

    def __init__(self, at: Path) -> None:
        self.store, self.models = Store(at / "jobs"), at / "models"
        self.runners: list[Runner] = []

    def runner(self, lease: float = 2.0, seconds: float = 60, many: int = 2) -> Runner:
        found = Runner(self.store, self.models, many, seconds=seconds, lease=lease)
        self.runners.append(found)
        return found

    def submit(self, what: str, kind: str = "fit") -> str:
        return self.store.submit(Order(kind, (kind, what))).id

    def until(self, runner: Runner, found: Callable[[], Any], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < end, [self.store.list(), [e.facts for j in self.store.list() for e in self.store.events(j.id)][-5:]]
            runner.step()
            time.sleep(0.005)

    def over(self, runner: Runner, id: str) -> Job:
        self.until(runner, lambda: self.store.get(id).over)
        return self.store.get(id)

    def facts(self, id: str, event: str) -> list[Any]:
        return [e.facts for e in self.store.events(id, limit=10**6) if e.facts["event"] == event]

    def pid(self, id: str) -> int:
        return int((self.store.folder / id / child.NUMBER).read_text())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "models").mkdir()
    script = tmp_path / "ilk.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-S", "-E", str(script)))
    monkeypatch.setenv("MY_API_KEY", "secret")
    found = Place(tmp_path)
    yield found
    for runner in found.runners:
        runner.stop(1)
    found.store.close()


def test_a_job_is_run_and_its_model_kept(place: Place) -> None:
    runner, id = place.runner(), place.submit("quick")
    job = place.over(runner, id)
    assert (job.state, job.made, job.progress, job.attempt) == ("succeeded", {"model": "m"}, 1.0, 1)
    assert (place.models / "m.ilk" / "ilk.json").exists() and not (place.store.folder / id / "m.ilk").exists()
    assert [f["step"] for f in place.facts(id, "progress")] == list(range(10)) and place.facts(id, "began")[0]["secret"] is None
    assert place.over(runner, place.submit("quick")).made == {"model": "m-2"}, "no model is overwritten"
    assert runner.idle


def test_a_failure_is_told_with_its_code_and_without_paths(place: Place, tmp_path: Path) -> None:
    runner = place.runner()
    failed, full = place.submit("fail"), place.submit("full")
    assert place.over(runner, failed).error["code"] == "DATA" and str(tmp_path) not in place.store.get(failed).error["message"]
    assert place.over(runner, full).error["code"] == "DISK_FULL" and place.store.get(full).state == "failed"
    assert place.over(runner, place.submit("unwritten")).error["code"] == "DISK_FULL"


def test_cancelled_it_stops_and_a_stubborn_one_is_killed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.jobs.runner.GRACE", 0.1)
    runner = place.runner()
    for what in ("endless", "stubborn"):
        id = place.submit(what)
        place.until(runner, lambda: place.facts(id, "progress"))  # noqa: B023
        pid = place.pid(id)
        assert place.store.cancel(id).state == "running"
        assert place.over(runner, id).state == "cancelled"
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_paused_and_resumed_it_goes_on(place: Place) -> None:
    runner, id = place.runner(), place.submit("slow")
    place.until(runner, lambda: place.facts(id, "progress"))
    place.store.pause(id)
    place.until(runner, lambda: place.store.get(id).state == "paused")
    told = len(place.facts(id, "progress"))
    runner.step()
    assert runner.idle and len(place.facts(id, "progress")) == told
    place.store.resume(id)
    assert place.over(runner, id).state == "succeeded" and place.facts(id, "began")[1]["first"] > 0


def test_a_server_that_stops_gives_its_jobs_back(place: Place) -> None:
    one, id = place.runner(), place.submit("slow")
    place.until(one, lambda: place.facts(id, "progress"))
    one.stop(5)
    assert place.store.get(id).state == "queued" and place.store.get(id).attempt == 0
    assert place.over(place.runner(), id).state == "succeeded" and place.facts(id, "began")[1]["first"] > 0


def test_too_long_is_failed(place: Place) -> None:
    runner, id = place.runner(seconds=0.3), place.submit("endless")
    assert place.over(runner, id).error["code"] == "deadline"


def test_a_process_that_dies_is_begun_again_some_times(place: Place) -> None:
    runner, id = place.runner(), place.submit("die")
    job = place.over(runner, id)
    assert (job.state, job.attempt, job.error["code"]) == ("interrupted", ATTEMPTS, "interrupted") and len(place.facts(id, "began")) == ATTEMPTS


def test_a_killed_process_goes_on_from_its_checkpoint(place: Place) -> None:
    runner, id = place.runner(), place.submit("slow")
    place.until(runner, lambda: place.facts(id, "progress"))
    os.kill(place.pid(id), signal.SIGKILL)
    job = place.over(runner, id)
    assert (job.state, job.attempt) == ("succeeded", 2) and place.facts(id, "began")[1]["first"] > 0


RUNNER = """
import sys
from pathlib import Path
from ilk.jobs import child
from ilk.jobs.runner import Runner
from ilk.jobs.store import Store
import time
at = Path(sys.argv[1])
child.COMMAND = (sys.executable, "-S", "-E", str(at / "ilk.py"))
runner = Runner(Store(at / "jobs"), at / "models", 2, lease=1.0)
while True:
    runner.step()
    time.sleep(.01)
"""


def test_killed_runners_leave_nothing_undone_nor_done_twice(place: Place, tmp_path: Path) -> None:
    """kill -9 of the runner, and now and then of a process too: those that live on are followed by the next runner, not begun again."""
    ids = [place.submit("slow" if i % 2 else "quick") for i in range(4)]
    for turn in range(2):
        process = subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path)])
        time.sleep(0.4 + 0.1 * turn)
        process.kill()
        process.wait()
        running = [j.id for j in place.store.list(state="running")]
        if turn % 2 and running:
            os.kill(place.pid(running[0]), signal.SIGKILL)
    runner = place.runner(lease=1.0)
    place.until(runner, lambda: all(place.store.get(id).state != "running" or runner._work for id in ids) and not place.store.list(state="queued"))
    for id in ids:   # `slow` ends only once it was begun again
        while place.store.get(id).state == "running":
            with_pid, told = place.pid(id), len(place.facts(id, "progress"))
            place.until(runner, lambda: place.store.get(id).state != "running" or len(place.facts(id, "progress")) > told)  # noqa: B023
            with suppress(ProcessLookupError):
                os.kill(with_pid, signal.SIGTERM)
            place.until(runner, lambda: place.store.get(id).state != "running" or place.pid(id) != with_pid)  # noqa: B023
            runner.step()
        place.over(runner, id)
    jobs = [place.store.get(id) for id in ids]
    assert {j.state for j in jobs} <= {"succeeded", "interrupted"} and len(place.store.list()) == 4 and place.store.integrity() == ()
    made = [j.made["model"] for j in jobs if j.state == "succeeded"]
    assert len(made) == len(set(made)) and {p.stem for p in place.models.iterdir()} == set(made), "one model a job, all whole"
    for job in (j for j in jobs if j.state == "succeeded"):
        steps = [f["step"] for f in place.facts(job.id, "progress")]
        assert set(range(10)) <= set(steps) and len(steps) - len(set(steps)) <= job.attempt, "an event was lost or kept twice"


def test_a_model_that_was_moved_when_the_runner_died_is_not_made_twice(place: Place) -> None:
    runner, id = place.runner(), place.submit("quick")
    place.until(runner, lambda: (place.store.folder / id / child.ANSWER).exists() and runner._work[id].child.ended())
    folder = place.store.folder / id
    assert child.collected(folder, place.models, place.store.get(id)) == {"model": "m"}   # and there it died
    assert place.over(runner, id).made == {"model": "m"} and [p.name for p in place.models.iterdir()] == ["m.ilk"]


def test_what_another_took_over_is_let_go(place: Place) -> None:
    runner, id = place.runner(), place.submit("endless")
    place.until(runner, lambda: place.facts(id, "progress"))
    pid = place.pid(id)
    with sqlite3.connect(place.store.folder / FILE) as db:
        db.execute("UPDATE jobs SET runner = 'other' WHERE id = ?", (id,))
    place.until(runner, lambda: not runner._work)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert place.store.get(id).state == "running"
    place.store.leave(id, "other", "cancelled")


def test_long_and_broken_lines_do_not_stop_the_log(place: Place) -> None:
    folder = place.store.folder / "job"
    (folder / child.RUNS).mkdir(parents=True)
    log = folder / child.RUNS / "a.jsonl"
    found = child.Child(Job("job", "fit", (), "", "running"), folder, None, None)
    log.write_bytes(b'{"event": "a"}\nno json\n[1]\n{"event": "b"}\n{"event": "c')
    facts, read = found.news({})
    assert [f["event"] for f in facts] == ["a", "b"] and read == {"a.jsonl": log.read_bytes().rfind(b"\n") + 1}
    with open(log, "ab") as file:
        file.write(b'"}\n' + b"x" * (3 << 20) + b"\n" + json.dumps({"event": "d"}).encode() + b"\n")
    events: list[Any] = []
    for _ in range(6):
        facts, read = found.news(read)
        events += facts
    assert [f["event"] for f in events] == ["c", "d"]
