"""The store of jobs: what was acknowledged is kept, in one state, whoever dies, whatever the clock does."""
from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ilk.errors import ModelError, ResourceError, UsageError
from ilk.jobs.job import OVER, STATES, Order
from ilk.jobs.store import ATTEMPTS, FILE, LEASE, Full, Lost, NoJob, Store

FIT = Order("fit", ("fit", "iris"))


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return Store(tmp_path, clock)


def test_the_highest_priority_first_then_the_oldest(store: Store) -> None:
    ids = [store.submit(Order("fit", ("fit", "iris"), priority=p)).id for p in (0, 5, 0, 5)]
    claimed = [store.claim("r") for _ in range(5)]
    assert [j.id if j else None for j in claimed] == [ids[1], ids[3], ids[0], ids[2], None]


def test_a_key_is_one_job_and_another_body_is_told(store: Store) -> None:
    one = store.submit(Order("fit", ("fit", "iris"), key="k"))
    assert store.submit(Order("fit", ("fit", "iris"), key="k")).id == one.id
    assert store.submit(Order("fit", ("fit", "iris"), owner="other", key="k")).id != one.id
    with pytest.raises(UsageError, match="another job"):
        store.submit(Order("fit", ("fit", "wine"), key="k"))
    assert len(store.list()) == 2


def test_a_quota_counts_what_waits(store: Store) -> None:
    for _ in range(3):
        store.submit(FIT, most=3)
    with pytest.raises(Full):
        store.submit(FIT, most=3)
    store.submit(Order("fit", (), owner="other"), most=3)
    store.claim("r")
    assert store.submit(FIT, most=3).state == "queued"


def test_pages(store: Store) -> None:
    ids = [store.submit(FIT).id for _ in range(5)][::-1]
    first = store.list(limit=2)
    assert [j.id for j in first] == ids[:2] and [j.id for j in store.list(after=first[-1].id)] == ids[2:]
    assert store.list(owner="nobody") == () and len(store.list(state="queued")) == 5
    with pytest.raises(NoJob):
        store.list(after="job_" + "0" * 24)


def test_events_are_numbered_and_read_on(store: Store) -> None:
    job = store.submit(FIT)
    store.claim("r")
    store.hear(job.id, "r", [{"event": "noted", "text": str(i)} for i in range(3)], {"a": 10}, 0.5)
    assert [e.number for e in store.events(job.id)] == [1, 2, 3, 4, 5]
    assert [e.facts["text"] for e in store.events(job.id, after=2)] == ["0", "1", "2"]
    assert (store.get(job.id).progress, store.get(job.id).read) == (0.5, {"a": 10})


def test_a_lost_lease_is_told_and_writes_nothing(store: Store, clock: Clock) -> None:
    job = store.submit(FIT)
    store.claim("one")
    clock.now += LEASE + 1
    assert store.recover(but="one") == ()
    assert [j.state for j in store.recover(but="two")] == ["queued"]
    assert store.claim("two").attempt == 2
    for call in (lambda: store.beat(job.id, "one"), lambda: store.hear(job.id, "one", [], {}), lambda: store.leave(job.id, "one", "succeeded")):
        with pytest.raises(Lost):
            call()
    assert store.leave(job.id, "two", "succeeded", {"model": "m"}).made == {"model": "m"}


@pytest.mark.parametrize("back", [1.0, 60.0, 1e8])
def test_a_clock_set_back_delays_by_a_lease_at_most(store: Store, clock: Clock, back: float) -> None:
    store.submit(FIT)
    store.claim("dead")
    clock.now -= back
    start = clock.now
    while not store.recover():
        clock.now += 1.0
    assert clock.now - start <= 2 * LEASE + 1


def test_after_so_many_deaths_it_is_interrupted_and_can_be_resumed(store: Store) -> None:
    job = store.submit(FIT)
    for attempt in range(1, ATTEMPTS + 1):
        assert store.claim("r").attempt == attempt
        last = store.again(job.id, "r")
    assert last.state == "interrupted" and last.error["code"] == "interrupted"
    assert store.resume(job.id).state == "queued" and store.claim("r").error is None


def test_given_back_it_counts_as_not_begun(store: Store) -> None:
    job = store.submit(FIT)
    for _ in range(ATTEMPTS + 2):
        store.claim("r")
        assert store.leave(job.id, "r", "queued").attempt == 0


def test_cancel_pause_resume(store: Store) -> None:
    job = store.submit(FIT)
    assert store.pause(job.id).state == "paused" and store.claim("r") is None
    assert store.resume(job.id).state == "queued" and store.claim("r").id == job.id
    assert store.pause(job.id).state == "running" and store.beat(job.id, "r") == "pause"
    assert store.resume(job.id).state == "running" and store.beat(job.id, "r") is None
    store.cancel(job.id)
    store.pause(job.id)
    assert store.beat(job.id, "r") == "cancel" and store.leave(job.id, "r", "cancelled").ended is not None
    assert store.cancel(job.id).state == "cancelled"
    with pytest.raises(UsageError, match="cancelled"):
        store.pause(job.id)
    assert store.resume(job.id).state == "queued"
    store.claim("r")
    store.leave(job.id, "r", "succeeded")
    for call in (store.cancel, store.pause, store.resume):
        with pytest.raises(UsageError, match="succeeded"):
            call(job.id)


def test_what_runs_is_not_removed_and_the_rest_is_with_its_folder(store: Store) -> None:
    job = store.submit(FIT)
    (store.folder / job.id).mkdir()
    store.claim("r")
    with pytest.raises(UsageError, match="runs"):
        store.remove(job.id)
    store.leave(job.id, "r", "failed", error={"code": "X"})
    store.remove(job.id)
    assert not (store.folder / job.id).exists() and store.events(job.id) == ()
    (store.folder / job.id).mkdir()
    store.tidy()
    assert not (store.folder / job.id).exists()


@pytest.mark.parametrize("id", ["", "job_", "job_" + "0" * 24, "../jobs.sqlite", "job_" + "0" * 23 + "'", "\0"])
def test_a_guessed_id_is_no_job(store: Store, id: str) -> None:
    for call in (store.get, store.cancel, store.pause, store.resume, store.remove):
        with pytest.raises(NoJob):
            call(id)


def test_damaged_and_newer_files_are_told(tmp_path: Path) -> None:
    Store(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ModelError, match="version 99"):
        Store(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all" * 300)
    with pytest.raises(ModelError, match="damaged"):
        Store(tmp_path)


def test_many_threads_and_stores_claim_each_job_once(tmp_path: Path) -> None:
    stores = [Store(tmp_path) for _ in range(4)]
    ids = {stores[0].submit(FIT).id for _ in range(24)}
    got: list[str] = []

    def work(store: Store, name: str) -> None:
        while (job := store.claim(name)) is not None:
            got.append(job.id)
            store.leave(job.id, name, "succeeded")

    threads = [threading.Thread(target=work, args=(s, str(i))) for i, s in enumerate(stores)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(got) == sorted(ids) and stores[0].integrity() == ()


FULL = """
import resource, sys, json
from pathlib import Path
from ilk.errors import ResourceError
from ilk.jobs.job import Order
from ilk.jobs.store import Store
at = Path(sys.argv[1])
store = Store(at)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
kept = []
try:
    for i in range(10_000):
        kept.append(store.submit(Order("fit", ("fit", "x" * 500)), most=10**9).id)
except ResourceError as why:
    said = why.code
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(store.submit(Order("fit", ("fit",)), most=10**9).id)
print(json.dumps([said, kept]))
"""


def test_a_full_disk_is_told_and_tears_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    code, kept = json.loads(done.stdout)
    store = Store(tmp_path)
    assert code == "DISK_FULL" and {j.id for j in store.list(limit=10**6)} == set(kept) and store.integrity() == ()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError):
        Store(tmp_path / "missing")


class Life(RuleBasedStateMachine):
    """Owners, two runners that die and come back, and a clock that anyone may set."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.clock, self.folder = Clock(), tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name), self.clock)
        self.acked: dict[str, str | None] = {}
        self.held: dict[str, set[str]] = {"one": set(), "two": set()}
        self.done: dict[str, int] = {}

    @rule(target=jobs, key=st.sampled_from([None, "a", "b", "c"]), priority=st.integers(-2, 2))
    def submit(self, key: str | None, priority: int) -> str:
        try:
            job = self.store.submit(Order("fit", ("fit", "iris"), key=key, priority=priority), most=6)
        except (Full, UsageError):
            return "job_" + "f" * 24
        assert key is None or all(id == job.id for id, k in self.acked.items() if k == key)
        self.acked[job.id] = key
        return job.id

    @rule(runner=st.sampled_from(["one", "two"]))
    def claim(self, runner: str) -> None:
        waiting = [j for j in self.store.list(limit=1000) if j.state == "queued"]
        job = self.store.claim(runner)
        assert (job is None) == (not waiting)
        if job is not None:
            assert job.priority == max(j.priority for j in waiting)
            self.held[runner].add(job.id)

    @rule(runner=st.sampled_from(["one", "two"]), job=jobs)
    def beat(self, runner: str, job: str) -> None:
        self._tried(runner, job, lambda: self.store.beat(job, runner))

    @rule(runner=st.sampled_from(["one", "two"]), job=jobs, state=st.sampled_from(["succeeded", "failed", "cancelled", "paused", "queued"]))
    def leave(self, runner: str, job: str, state: str) -> None:
        if self._tried(runner, job, lambda: self.store.leave(job, runner, state)):
            self.held[runner].discard(job)
            self.done[job] = self.done.get(job, 0) + (state == "succeeded")

    @rule(runner=st.sampled_from(["one", "two"]), job=jobs)
    def child_dies(self, runner: str, job: str) -> None:
        if self._tried(runner, job, lambda: self.store.again(job, runner)):
            self.held[runner].discard(job)

    def _tried(self, runner: str, job: str, call: object) -> bool:
        try:
            call()
        except Lost:
            return False
        assert job in self.held[runner], "a runner wrote to a job that it never claimed"
        return True

    @rule(but=st.sampled_from(["", "one", "two"]))
    def recover(self, but: str) -> None:
        for job in self.store.recover(but):
            assert job.state != "running"
            for held in self.held.values():
                held.discard(job.id)

    @rule(job=jobs, what=st.sampled_from(["cancel", "pause", "resume"]))
    def ask(self, job: str, what: str) -> None:
        try:
            getattr(self.store, what)(job)
        except (UsageError, NoJob):
            assert job not in self.acked or self.store.get(job).state in OVER | ({"running"} if what == "resume" else {"paused"})

    @rule(job=jobs)
    def remove(self, job: str) -> None:
        try:
            self.store.remove(job)
        except UsageError:
            return
        self.acked.pop(job)
        self.done.pop(job, None)

    @rule(by=st.sampled_from([1.0, LEASE + 1, -1.0, -1e6, 1e6]))
    def set_the_clock(self, by: float) -> None:
        self.clock.now += by

    @rule()
    def crash_and_restart(self) -> None:
        self.store.close()
        self.store = Store(Path(self.folder.name), self.clock)

    @invariant()
    def every_acknowledged_job_is_in_one_state(self) -> None:
        jobs = self.store.list(limit=1000)
        assert sorted(j.id for j in jobs) == sorted(self.acked) and all(j.state in STATES for j in jobs)
        assert all(sum(j.id in held for held in self.held.values()) <= 1 for j in jobs), "two hold one job"
        assert all(self.done.get(j.id, 0) <= 1 for j in jobs), "done twice"
        for j in jobs:
            events = self.store.events(j.id)
            states = [e.facts["state"] for e in events]
            assert states[-1] == j.state and [e.number for e in events] == list(range(1, len(events) + 1))

    def teardown(self) -> None:
        assert self.store.integrity() == ()
        self.store.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
