"""The store of jobs: one SQLite file that many processes ask at once, synced before anything is acknowledged, and a folder for each job.

A runner holds a job by a lease that it renews; who has lost it is told so and may write nothing more. A lease is by the wall clock, of which any process may see
another time: it is lost when it has run out, and when it was given in what is now the future. Two processes never work in one folder for all that: see `lock`.
"""
from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilk.errors import IlkError, ModelError, ResourceError, UsageError
from ilk.files import plain
from ilk.jobs.job import OVER, Happened, Job, Order, State

LEASE, ATTEMPTS, VERSION, WAIT = 15.0, 5, 1, 10.0   # seconds; how often a job is begun; of the tables; seconds for other processes to be done
FILE = "jobs.sqlite"
_ID = re.compile(r"job_[0-9a-f]{24}")
_TABLES = """
CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, words TEXT NOT NULL, owner TEXT NOT NULL,
  name TEXT NOT NULL, params TEXT NOT NULL, line TEXT NOT NULL, key TEXT, asked TEXT NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL,
  created REAL NOT NULL, started REAL, ended REAL, progress REAL, attempt INTEGER NOT NULL DEFAULT 0, made TEXT NOT NULL DEFAULT '{}', error TEXT,
  runner TEXT, beat REAL, until REAL, wanted TEXT, read TEXT NOT NULL DEFAULT '{}',
  UNIQUE (owner, key));
CREATE INDEX waiting ON jobs (state, priority DESC, number);
CREATE TABLE events (job TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;
"""


class Full(IlkError):
    """Too many jobs of one owner wait already."""

    exit, http, kind, default = 5, 429, "rate_limit_error", "JOBS_QUEUED"


class NoJob(UsageError):
    """There is no such job, or not for whoever asks."""

    exit, http, kind, default = 2, 404, "not_found_error", "job_not_found"


class Lost(IlkError):
    """Another runner has the job, or nobody has it any more: whoever held it ends its work and writes nothing."""

    default = "LEASE_LOST"


class Store:
    """The jobs below a folder. `clock` gives seconds since 1970.

    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> job = store.submit(Order("fit", ("fit", "iris"), key="once"))
    >>> store.submit(Order("fit", ("fit", "iris"), key="once")).id == job.id, store.claim("me").state
    (True, 'running')
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.clock, self._lock = folder, clock, threading.RLock()
        with _told(folder):
            self._db = sqlite3.connect(folder / FILE, timeout=WAIT, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
        self._made()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._db.close()

    def submit(self, order: Order, most: int = 100) -> Job:
        """Acknowledges a job: it is on disk. Full where `most` of the owner's wait already; UsageError where the key was another job's."""
        asked = _digest(order)
        with self._writing() as db:
            if order.key is not None and (found := db.execute("SELECT * FROM jobs WHERE owner = ? AND key = ?", (order.owner, order.key)).fetchone()):
                if found["asked"] != asked:
                    raise UsageError("this idempotency key was used for another job", code="idempotency_key_reused", param="Idempotency-Key", remedy="take a new key")
                return _job(found)
            if db.execute("SELECT count(*) FROM jobs WHERE owner = ? AND state = 'queued'", (order.owner,)).fetchone()[0] >= most:
                raise Full(f"{most} jobs wait already", remedy="wait until one has begun, or cancel one")
            id, now = f"job_{secrets.token_hex(12)}", self.clock()
            db.execute("INSERT INTO jobs (id, kind, words, owner, name, params, line, key, asked, state, priority, created) "
                       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
                       (id, order.kind, _text(order.words), order.owner, order.name, _text(order.params), _text(order.line), order.key, asked, order.priority, now))
            self._tell(db, id, [{"event": "state", "state": "queued"}])
            return self._one(db, id)

    def get(self, id: str) -> Job:
        """A job; NoJob for anything else."""
        with self._reading() as db:
            return self._one(db, id)

    def list(self, owner: str | None = None, state: State | None = None, after: str | None = None, limit: int = 100) -> Sequence[Job]:
        """Jobs, the latest first, of an owner or all; `after` is the id of the last that is known."""
        with self._reading() as db:
            before = 1 << 62 if after is None else self._row(db, after)["number"]
            rows = db.execute("SELECT * FROM jobs WHERE number < ? AND (? IS NULL OR owner = ?) AND (? IS NULL OR state = ?) ORDER BY number DESC LIMIT ?",
                              (before, owner, owner, state, state, limit)).fetchall()
        return tuple(_job(row) for row in rows)

    def events(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[Happened]:
        """What a job told after that number."""
        with self._reading() as db:
            rows = db.execute("SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?", (id, after, limit)).fetchall()
        return tuple(Happened(row["number"], row["at"], json.loads(row["facts"])) for row in rows)

    def claim(self, runner: str, lease: float = LEASE) -> Job | None:
        """The next job, which is the runner's now: the one of the highest priority, of these the oldest. None where none waits."""
        with self._writing() as db:
            row = db.execute("SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority DESC, number LIMIT 1").fetchone()
            if row is None:
                return None
            now = self.clock()
            db.execute("UPDATE jobs SET state = 'running', runner = ?, beat = ?, until = ?, wanted = NULL, started = coalesce(started, ?), ended = NULL, error = NULL, "
                       "attempt = attempt + 1 WHERE id = ?", (runner, now, now + lease, now, row["id"]))
            self._tell(db, row["id"], [{"event": "state", "state": "running"}])
            return self._one(db, row["id"])

    def beat(self, id: str, runner: str, lease: float = LEASE) -> str | None:
        """Renews a lease; what is wanted of the runner: "cancel", "pause" or nothing. Lost if it is not its own."""
        with self._writing() as db:
            row, now = self._held(db, id, runner), self.clock()
            db.execute("UPDATE jobs SET beat = ?, until = ? WHERE id = ?", (now, now + lease, id))
            wanted: str | None = row["wanted"]
            return wanted

    def hear(self, id: str, runner: str, facts: Sequence[Mapping[str, Any]], read: Mapping[str, int], progress: float | None = None) -> None:
        """Takes in events, and how far they were read, in one: each is kept once, whoever dies when."""
        with self._writing() as db:
            self._held(db, id, runner)
            self._tell(db, id, facts)
            db.execute("UPDATE jobs SET read = ?, progress = coalesce(?, progress) WHERE id = ?", (_text(read), progress, id))

    def leave(self, id: str, runner: str, state: State, made: Mapping[str, str] | None = None, error: Mapping[str, Any] | None = None) -> Job:
        """The runner's work at a job has ended: how, and what there is of it. Given back as "queued" it waits again, as if it had not been begun."""
        with self._writing() as db:
            attempt = self._held(db, id, runner)["attempt"]
            if made:
                db.execute("UPDATE jobs SET made = ? WHERE id = ?", (_text(made), id))
            if state == "succeeded":
                db.execute("UPDATE jobs SET progress = 1.0 WHERE id = ?", (id,))
            if state == "queued":
                db.execute("UPDATE jobs SET attempt = ? WHERE id = ?", (attempt - 1, id))
            return self._become(db, id, state, error)

    def again(self, id: str, runner: str) -> Job:
        """The job's process died: it waits to go on, or is `interrupted` after so many attempts."""
        with self._writing() as db:
            return self._fallen(db, self._held(db, id, runner))

    def recover(self, but: str = "") -> Sequence[Job]:
        """Takes back the jobs whose lease was lost by any runner but that one."""
        with self._writing() as db:
            now = self.clock()
            rows = db.execute("SELECT * FROM jobs WHERE state = 'running' AND runner <> ? AND (until <= ? OR beat > ? + (until - beat))", (but, now, now)).fetchall()
            return tuple(self._fallen(db, row) for row in rows)

    def cancel(self, id: str) -> Job:
        """Ends a job: at once where it does not run, else as soon as its runner hears of it. UsageError where it is over."""
        with self._writing() as db:
            row = self._row(db, id)
            if row["state"] == "cancelled":
                return _job(row)
            _refuse_unless(row, ("queued", "paused", "running"), "cancelled")
            if row["state"] != "running":
                return self._become(db, id, "cancelled")
            return self._want(db, id, "cancel")

    def pause(self, id: str) -> Job:
        """Keeps a job from running, its checkpoint kept; UsageError where it is over."""
        with self._writing() as db:
            row = self._row(db, id)
            if row["state"] == "paused" or row["wanted"] == "cancel":
                return _job(row)
            _refuse_unless(row, ("queued", "running"), "paused")
            return self._become(db, id, "paused") if row["state"] == "queued" else self._want(db, id, "pause")

    def resume(self, id: str) -> Job:
        """Lets a job wait again that was paused, cancelled, interrupted or failed; it goes on from its checkpoint. Nothing for one that waits or runs."""
        with self._writing() as db:
            row = self._row(db, id)
            if row["state"] == "queued" or (row["state"] == "running" and row["wanted"] is None):
                return _job(row)
            if row["state"] == "running" and row["wanted"] == "pause":
                return self._want(db, id, None)
            _refuse_unless(row, ("paused", "interrupted", "failed", "cancelled"), "resumed")
            db.execute("UPDATE jobs SET attempt = 0 WHERE id = ?", (id,))
            return self._become(db, id, "queued")

    def remove(self, id: str) -> None:
        """Takes a job away with all that is in its folder; UsageError while it runs. Models that it made stay."""
        with self._writing() as db:
            row = self._row(db, id)
            if row["state"] == "running":
                raise UsageError(f"{id} runs", code="JOB_STATE", param="job", remedy="cancel it first")
            db.execute("DELETE FROM jobs WHERE id = ?", (id,))
            db.execute("DELETE FROM events WHERE job = ?", (id,))
        shutil.rmtree(self.folder / id, ignore_errors=True)

    def tidy(self) -> None:
        """Removes the folders of jobs that were removed while somebody died."""
        with self._reading() as db:
            known = {row["id"] for row in db.execute("SELECT id FROM jobs")}
        for path in self.folder.iterdir():
            if _ID.fullmatch(path.name) and path.name not in known:
                shutil.rmtree(path, ignore_errors=True)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many jobs there are by kind and state."""
        with self._reading() as db:
            return {(row["kind"], row["state"]): row["n"] for row in db.execute("SELECT kind, state, count(*) AS n FROM jobs GROUP BY kind, state")}

    def integrity(self) -> Sequence[str]:
        """What SQLite finds wrong with the file; nothing where it is whole."""
        with self._reading() as db:
            return tuple(row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok")

    def _made(self) -> None:
        with self._writing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ModelError(f"the jobs in {self.folder} are kept in version {version}; this is {VERSION}", code="NEWER_VERSION", remedy="use a newer ilk")
            if version == 0:
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _one(self, db: sqlite3.Connection, id: str) -> Job:
        return _job(self._row(db, id))

    def _row(self, db: sqlite3.Connection, id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone() if _ID.fullmatch(id) else None
        if row is None:
            raise NoJob(f"no job {id[:80]!r}", param="job")
        return row

    def _held(self, db: sqlite3.Connection, id: str, runner: str) -> sqlite3.Row:
        row = db.execute("SELECT * FROM jobs WHERE id = ? AND state = 'running' AND runner = ?", (id, runner)).fetchone()
        if row is None:
            raise Lost(f"{id} is not this runner's any more")
        found: sqlite3.Row = row
        return found

    def _become(self, db: sqlite3.Connection, id: str, state: State, error: Mapping[str, Any] | None = None) -> Job:
        ended = self.clock() if state in OVER else None
        db.execute("UPDATE jobs SET state = ?, error = ?, ended = ?, runner = NULL, wanted = NULL WHERE id = ?", (state, None if error is None else _text(error), ended, id))
        self._tell(db, id, [{"event": "state", "state": state, **({"error": error} if error else {})}])
        return self._one(db, id)

    def _want(self, db: sqlite3.Connection, id: str, wanted: str | None) -> Job:
        db.execute("UPDATE jobs SET wanted = ? WHERE id = ?", (wanted, id))
        return self._one(db, id)

    def _fallen(self, db: sqlite3.Connection, row: sqlite3.Row) -> Job:
        """A job whose runner or process is gone."""
        if row["wanted"] is not None:
            return self._become(db, row["id"], "cancelled" if row["wanted"] == "cancel" else "paused")
        if row["attempt"] < ATTEMPTS:
            return self._become(db, row["id"], "queued")
        why = IlkError(f"it was cut short {row['attempt']} times", code="interrupted", remedy="resume it: it goes on from its checkpoint, if it has one")
        return self._become(db, row["id"], "interrupted", why.as_json()["error"])

    def _tell(self, db: sqlite3.Connection, id: str, facts: Sequence[Mapping[str, Any]]) -> None:
        now, last = self.clock(), db.execute("SELECT coalesce(max(number), 0) FROM events WHERE job = ?", (id,)).fetchone()[0]
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", [(id, last + i, now, _text(one)) for i, one in enumerate(facts, 1)])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk."""
        with self._lock, _told(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _told(self.folder):
            yield self._db


@contextmanager
def _told(at: Path) -> Iterator[None]:
    """SQLite's errors as ilk's."""
    try:
        yield
    except sqlite3.Error as why:
        name = getattr(why, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise ResourceError("the jobs can't be written", code="DISK_FULL" if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")) else "WRITE",
                                remedy="free some space") from None
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise ResourceError("other processes keep the jobs busy", code="BUSY", remedy="try again") from None
        raise ModelError(f"{at / FILE} is damaged: {why}", code="JOBS_DAMAGED", remedy="move it away; models and files are kept beside it") from None


def _refuse_unless(row: sqlite3.Row, states: Sequence[str], what: str) -> None:
    if row["state"] not in states:
        raise UsageError(f"a job that is {row['state']} can't be {what}", code="JOB_STATE", param="job", remedy=f"only one that is {' or '.join(states)}")


def _digest(order: Order) -> str:
    """What makes two orders the same: over HTTP what was said, else the words."""
    return hashlib.sha256(_text([order.kind, order.params or list(order.words), order.name, order.priority]).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(plain(value), separators=(",", ":"), sort_keys=True)


def _job(row: sqlite3.Row) -> Job:
    made = {k: json.loads(row[k]) for k in ("made", "params", "line", "read")}
    same = {k: row[k] for k in ("id", "kind", "owner", "state", "priority", "created", "started", "ended", "progress", "attempt", "name")}
    return Job(words=tuple(json.loads(row["words"])), error=None if row["error"] is None else json.loads(row["error"]), **made, **same)
