"""A queue in which people approve, change or refuse what a model made, before it leaves: one SQLite file that only grows."""
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from ilk.errors import DataError, UsageError
from ilk.files import atomic, not_written
from ilk.store import parse_json

State = Literal["pending", "edited", "approved", "rejected"]
STATES: tuple[State, ...] = get_args(State)
_MARK, _WAIT = 0x696C6B71, 10.0   # "ilkq" in the header of the file; seconds that another process may hold it
_SCHEMA = """create table events (number integer primary key, item integer not null, state text not null, text text not null, about text not null,
who text not null, at text not null, why text not null)"""


@dataclass(frozen=True)
class Event:
    """Who made an item what it is, when (UTC) and why."""

    state: State
    text: str
    who: str
    at: str
    why: str


@dataclass(frozen=True)
class Item:
    """A text in the queue: what it is now, what is known about it, and all that happened to it."""

    id: int
    text: str
    state: State
    about: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Event, ...] = ()


class Queue:
    """Items wait until someone approves them. An edit makes an item wait again: only what was approved as it stands is publishable.

    Every change is one row more, in one transaction: none is ever overwritten, and a process that is killed leaves it done or not done.

    >>> import tempfile
    >>> queue = Queue(Path(tempfile.mkdtemp()) / "answers.review", create=True)
    >>> first, second = queue.add("Paris is in France."), queue.add("Lyon is in Spain.")
    >>> queue.approve(first, "Ada"), queue.edit(second, "Lyon is in France.", "Ada", "wrong country")
    ('approved', 'edited')
    >>> [item.text for item in queue.publishable()]
    ['Paris is in France.']
    """

    def __init__(self, at: str | Path, create: bool = False) -> None:
        self.at = Path(at)
        if not self.at.exists() and not create:
            raise DataError(f"there is no queue {self.at}", code="NOT_FOUND", remedy="ilk review add makes one")
        with self._open() as base:
            mark, tables = base.execute("pragma application_id").fetchone()[0], base.execute("select count(*) from sqlite_master").fetchone()[0]
            if not tables and create:
                base.execute(f"pragma application_id = {_MARK}")
                base.execute(_SCHEMA)
            elif mark != _MARK:
                raise DataError(f"{self.at} is no queue of reviews", code="FORMAT", remedy="another file")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept together or not at all."""
        try:
            self.at.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.at, timeout=_WAIT, isolation_level=None)) as base:
                base.execute("begin immediate")
                try:
                    yield base
                    base.execute("commit")
                finally:
                    if base.in_transaction:
                        base.execute("rollback")
        except sqlite3.OperationalError as why:
            raise not_written(self.at, OSError(str(why))) from None
        except sqlite3.DatabaseError as why:
            raise DataError(f"{self.at} is no queue of reviews, or damaged: {why}", code="FORMAT") from None
        except OSError as why:
            raise not_written(self.at, why) from None

    def add(self, text: str, about: Mapping[str, Any] | None = None, who: str = "model") -> int:
        """A text that waits, with what is known about it (its question, score, sources); its number."""
        if not isinstance(text, str) or not text.strip():
            raise UsageError("an empty text can't be reviewed", code="EMPTY", param="text")
        told = json.dumps(dict(about or {}), ensure_ascii=False, allow_nan=False)
        with self._open() as base:
            number = int(base.execute("select coalesce(max(item), 0) + 1 from events").fetchone()[0])
            _put(base, number, Event("pending", text, who, _now(), ""), told)
        return number

    def approve(self, number: int, who: str, why: str = "") -> State:
        """It may be published as it stands."""
        return self._step(number, "approved", who, why)

    def reject(self, number: int, who: str, why: str) -> State:
        """It may not be published; say why."""
        if not why.strip():
            raise UsageError("a refusal needs a reason", code="REASON", param="why", remedy="--why TEXT")
        return self._step(number, "rejected", who, why)

    def edit(self, number: int, text: str, who: str, why: str = "") -> State:
        """Another text in its place, which waits to be approved."""
        if not text.strip():
            raise UsageError("an empty text can't be reviewed", code="EMPTY", param="text", remedy="reject it instead")
        return self._step(number, "edited", who, why, text)

    def _step(self, number: int, state: State, who: str, why: str, text: str | None = None) -> State:
        if not who.strip():
            raise UsageError("nobody is named who decides", code="WHO", param="who", remedy="--who NAME")
        with self._open() as base:
            row = base.execute("select text, about from events where item = ? order by number desc limit 1", (number,)).fetchone()
            if row is None:
                raise UsageError(f"there is no item {number}", code="ITEMS", param="item", remedy="ilk review list")
            _put(base, number, Event(state, row[0] if text is None else text, who, _now(), why), row[1])
        return state

    def items(self, state: State | None = None) -> tuple[Item, ...]:
        """All items, or those in one state, in the order in which they came."""
        if state is not None and state not in STATES:
            raise UsageError(f"no state {state!r}", code="OPTION", param="state", remedy=", ".join(STATES))
        with self._open() as base:
            rows = base.execute("select item, state, text, about, who, at, why from events order by item, number").fetchall()
        found: dict[int, Item] = {}
        for number, now, text, about, who, at, why in rows:
            past = found[number].history if number in found else ()
            found[number] = Item(number, text, now, parse_json(about.encode(), str(self.at)), (*past, Event(now, text, who, at, why)))
        return tuple(item for item in found.values() if state in (None, item.state))

    def item(self, number: int) -> Item:
        """One item."""
        found = [i for i in self.items() if i.id == number]
        if not found:
            raise UsageError(f"there is no item {number}", code="ITEMS", param="item", remedy="ilk review list")
        return found[0]

    def publishable(self) -> tuple[Item, ...]:
        """What was approved last, and nothing else."""
        return self.items("approved")

    def export(self, to: str | Path) -> int:
        """Approved texts as lines of JSON with who approved them and when; how many."""
        lines = [{"id": i.id, "text": i.text, "about": i.about, "who": i.history[-1].who, "at": i.history[-1].at} for i in self.publishable()]
        with atomic(Path(to)) as file:
            file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
        return len(lines)


def _put(base: sqlite3.Connection, number: int, event: Event, about: str) -> None:
    base.execute("insert into events (item, state, text, about, who, at, why) values (?, ?, ?, ?, ?, ?, ?)",
                 (number, event.state, event.text, about, event.who, event.at, event.why))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
