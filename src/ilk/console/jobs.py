"""Behind the commands: jobs."""
from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ilk.errors import Stopped, UsageError, printable
from ilk.jobs.job import Job, Order, State
from ilk.jobs.kinds import words_of
from ilk.jobs.runner import Runner
from ilk.jobs.store import NoJob, Store
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace

Answer = tuple[dict[str, Any], str]
LOOK, WIDEST, ALL = 0.3, 70, 1 << 30   # seconds between two looks at the log; letters of a command line in a list


def submit_command(words: Sequence[str], priority: int, workspace: Path | None) -> Answer:
    """Takes a command line on."""
    whole = words_of(words, Path.cwd())
    _understood(whole)
    with _opened(workspace) as (store, _):
        job = store.submit(Order(whole[0], whole, priority=priority), Limits().jobs_queued)
        waiting = len(store.list(state="queued", limit=ALL))
    return brief(job), f"{job.id} waits ({waiting} in all); run by `ilk serve` or `ilk jobs run`, followed by `ilk jobs show last --follow`"


def list_command(state: State | None, n: int, workspace: Path | None) -> Answer:
    """A line a job."""
    with _opened(workspace) as (store, _):
        some = store.list(state=state, limit=n)[::-1]
    rows = [f"{j.id[-6:]}  {_when(j.created)}  {j.state:<11} {_share(j):>4}  {_line(j)}{_left(j)}" for j in some]
    return {"jobs": [brief(j) for j in some]}, printable("\n".join(rows)) if rows else "there are no jobs"


def show_command(name: str, follow: bool, workspace: Path | None) -> Answer:
    """All facts, and what it told."""
    with _opened(workspace) as (store, _):
        job, after = _found(store, name), 0
        while follow and not (job.over or job.state == "paused"):
            after = _followed(store, job.id, after)
            time.sleep(LOOK)
            job = store.get(job.id)
        if follow:
            _followed(store, job.id, after)
        notes = [e.facts for e in store.events(job.id, limit=ALL)]
    facts = [(k, v) for k, v in brief(job).items() if v not in (None, "", {}, [])]
    validated = [f for f in notes if f.get("event") == "validated" and f.get("loss") is not None]
    text = [f"{k}: {_when(v) if k in ('created', 'started', 'ended') else v}" for k, v in facts]
    text += [f"held-out loss: {min(f['loss'] for f in validated)} at best, {validated[-1]['step']} steps"] if validated else []
    return {**brief(job), "events": len(notes)}, printable("\n".join(text))


def change_command(what: str, name: str, workspace: Path | None) -> Answer:
    """Cancels, pauses or resumes."""
    with _opened(workspace) as (store, _):
        job = getattr(store, what)(_found(store, name).id)
    asked = ", asked to stop" if job.state == "running" and what != "resume" else ""
    return brief(job), f"{job.id} is {job.state}{asked}"


def remove_command(names: Sequence[str], workspace: Path | None) -> Answer:
    """Takes jobs away; all of them are known before the first goes."""
    with _opened(workspace) as (store, _):
        ids = [_found(store, name).id for name in names]
        for id in ids:
            store.remove(id)
    return {"removed": ids}, f"{len(ids)} removed"


def run_command(jobs: int, threads: int, workspace: Path | None) -> Answer:
    """Runs what waits."""
    if not 1 <= jobs <= 64 or not 1 <= threads <= 1024:
        raise UsageError(f"{jobs} jobs of {threads} threads", param="jobs", remedy="1 to 64 jobs of 1 to 1024 threads")
    with _opened(workspace) as (store, place), _stopping():
        begun = time.time()
        runner = Runner(store, place.part("models"), jobs, threads, Limits().job_seconds)
        store.tidy()
        try:
            runner.step()
            while not runner.idle:
                time.sleep(LOOK)
                runner.step()
        finally:
            runner.stop()
        ended = [j for j in store.list(limit=ALL) if j.over and (j.ended or 0) >= begun][::-1]
    rows = [f"{j.id[-6:]}  {j.state:<11} {_line(j)}{_left(j)}" for j in ended]
    return {"jobs": [brief(j) for j in ended]}, printable("\n".join(rows)) if rows else "no job waited"


def brief(job: Job) -> dict[str, Any]:
    """A job without how far its log was read."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(job).items() if k not in ("read", "line")}


def _understood(words: Sequence[str]) -> None:
    """Raises what the command would say of its words."""
    from ilk.cli import build
    from ilk.flags import options

    build().parse_args(options(words)[0], exit_on_error=False, print_error=False)


@contextmanager
def _opened(workspace: Path | None) -> Iterator[tuple[Store, Workspace]]:
    place = Workspace.at(workspace)
    store = Store(place.part("jobs"))
    try:
        yield store, place
    finally:
        store.close()


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""
    def stop(number: int, frame: Any) -> None:
        raise Stopped("stopped", 143, "the jobs that ran go on with the same command")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _found(store: Store, name: str) -> Job:
    """The job of that number, or of the only one that ends so."""
    if name == "last":
        some = store.list(limit=1)
    else:
        some = tuple(j for j in store.list(limit=ALL) if j.id.endswith(name) and len(name) >= 4)
    if len(some) != 1:
        raise NoJob(f"{'several jobs end' if some else 'no job ends'} with {name[:80]!r}", param="job", remedy="ilk jobs list")
    return some[0]


def _followed(store: Store, id: str, after: int) -> int:
    """Tells what is new on stderr."""
    for one in store.events(id, after):
        after = one.number
        if (text := _said(one.facts)) is not None:
            sys.stderr.write(printable(text) + "\n")
    return after


def _said(facts: Mapping[str, Any]) -> str | None:
    sort = facts.get("event")
    if sort == "progress":
        loss = "" if facts.get("loss") is None else f", loss {facts['loss']:.4g}"
        return f"{facts['fraction']:.0%}, step {facts['step']}{loss}"
    if sort == "validated":
        return f"held-out loss {facts['loss']}{' (best)' if facts.get('best') else ''}"
    if sort == "preview":
        return f"preview: {str(facts.get('items', [''])[:1])[1:-1][:200]}"
    return {"state": str(facts.get("state")), "noted": str(facts.get("text"))}.get(str(sort))


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def _share(job: Job) -> str:
    return "" if job.progress is None else f"{job.progress:.0%}"


def _line(job: Job) -> str:
    text = shlex.join(job.words)
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _left(job: Job) -> str:
    made = "".join(f"  {k} {v}" for k, v in job.made.items())
    return made if job.error is None else f"{made}  {job.error['code']}: {job.error['message']}"
