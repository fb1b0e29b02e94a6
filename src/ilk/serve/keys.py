"""Keys: 256 random bits each, of which only the SHA-256 is kept, with scopes, requests a minute, a budget of tokens and an end. SQLite, in the workspace."""
from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, cast

from ilk.errors import ResourceError, UsageError, nearest
from ilk.serve.caller import SCOPES, Scope
from ilk.serve.place import Workspace
from ilk.serve.refusals import Spent
from ilk.serve.work import Missing

PREFIX = "ilk-"
_TABLE = """create table if not exists keys (
    id text primary key, name text not null, hash text not null unique, scopes text not null, rpm integer, budget integer,
    used integer not null default 0, held integer not null default 0, created real not null, expires real, ended integer not null default 0)"""
_TOLD = "id, name, scopes, rpm, budget, used, created, expires, ended"
DAY = 86_400


def secret() -> str:
    """A new one.

    >>> len(secret()), secret()[:4]
    (47, 'ilk-')
    """
    return PREFIX + secrets.token_urlsafe(32)


def hashed(said: bytes) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(said).hexdigest()


@dataclass(frozen=True)
class Key:
    """A key without its secret. `rpm`: requests a minute; `budget`: tokens in all, of which `used` are gone; None where there is no bound. Times in seconds since 1970."""

    id: str
    name: str
    scopes: frozenset[Scope]
    rpm: int | None
    budget: int | None
    used: int
    created: float
    expires: float | None
    ended: bool

    def as_json(self) -> dict[str, Any]:
        """As /v1/keys and `ilk keys` tell it."""
        return {"id": self.id, "object": "ilk.key", "name": self.name, "scopes": sorted(self.scopes), "rpm": self.rpm, "budget": self.budget, "used": self.used,
                "created": int(self.created), "expires": None if self.expires is None else int(self.expires), "ended": self.ended}


class Keys:
    """The store. `clock` goes on evenly: the time of day is read once, so that a clock that is set back brings no key back to life.

    >>> import tempfile
    >>> keys = Keys(Path(tempfile.mkdtemp()) / "keys.db")
    >>> key, said = keys.new("a friend", ["chat"])
    >>> keys.find(said.encode()) == key, keys.find(b"ilk-guess")
    (True, None)
    """

    def __init__(self, at: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock, self._began = RLock(), clock, time.time() - clock()
        try:
            self._base = sqlite3.connect(at, timeout=10, check_same_thread=False, isolation_level=None)
            at.chmod(0o600)
            self._base.execute("pragma journal_mode = wal")
            self._base.execute(_TABLE)
        except (sqlite3.Error, OSError) as why:
            raise ResourceError(f"the keys in {at} can't be opened: {why}", code="KEYS", remedy="another --workspace, or put the file away") from None

    @classmethod
    def of(cls, place: Workspace) -> Keys:
        """The keys of a workspace."""
        return cls(place.part("keys") / "keys.db")

    def new(self, name: str, scopes: Iterable[str] = ("chat",), rpm: int | None = None, budget: int | None = None, days: float | None = None) -> tuple[Key, str]:
        """A key, and its secret, which is told this once. UsageError for an unknown scope or a bound that is none."""
        wanted = frozenset(scopes)
        for scope in wanted - set(SCOPES):
            raise UsageError(f"no scope {scope[:40]!r}", code="SCOPE", param="scope", remedy=nearest(scope, SCOPES))
        if not wanted or any(bound is not None and not bound > 0 for bound in (rpm, budget, days)):
            raise UsageError("a key has a scope, and bounds above 0", code="KEY", param="scope" if not wanted else "rpm", remedy="--scope chat --rpm 60")
        said, now = secret(), self.now()
        key = Key(f"key_{secrets.token_hex(6)}", name[:200], cast(frozenset[Scope], wanted), rpm, budget, 0, now, None if days is None else now + days * DAY, False)
        with self._changing() as base:
            base.execute("insert into keys (id, name, hash, scopes, rpm, budget, created, expires) values (?, ?, ?, ?, ?, ?, ?, ?)",
                         (key.id, key.name, hashed(said.encode()), " ".join(sorted(wanted)), rpm, budget, now, key.expires))
        return key, said

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        with self._lock:
            return [_key(row) for row in self._base.execute(f"select {_TOLD} from keys order by created, id")]

    def end(self, id: str) -> None:
        """Ends a key, for good. Missing if there is no such key."""
        with self._changing() as base:
            if not base.execute("update keys set ended = 1 where id = ?", (id,)).rowcount:
                raise Missing(f"no key {id[:40]!r}", code="key_not_found", param="id")

    def find(self, said: bytes) -> Key | None:
        """The key with this secret, if it is one and has not ended. What is unknown leaves no trace."""
        want = hashed(said)
        with self._lock:
            row = self._base.execute(f"select hash, {_TOLD} from keys where hash = ?", (want,)).fetchone()
        if row is None or not hmac.compare_digest(row[0], want):
            return None
        key = _key(row[1:])
        if key.expires is not None and key.expires <= self.now() and not key.ended:
            self.end(key.id)
            return None
        return None if key.ended else key

    def reserve(self, id: str, least: int, most: int) -> int | None:
        """Holds up to `most` tokens of a key's budget, at least `least`; how many. None where it has no budget. Spent where less is left."""
        with self._changing() as base:
            row = base.execute("select budget - used - held from keys where id = ?", (id,)).fetchone()
            if row is None or row[0] is None:
                return None
            if row[0] < least:
                raise Spent(f"the budget of this key has {max(0, row[0])} tokens left, and at least {least} are asked for")
            held = min(most, int(row[0]))
            base.execute("update keys set held = held + ? where id = ?", (held, id))
            return held

    def settle(self, id: str, held: int, used: int) -> None:
        """Gives back what was held and takes what was used."""
        with self._changing() as base:
            base.execute("update keys set held = max(0, held - ?), used = used + ? where id = ?", (held, used, id))

    def begin(self) -> None:
        """Nothing is held when a server starts: what was is gone with the one before."""
        with self._changing() as base:
            base.execute("update keys set held = 0")

    def now(self) -> float:
        """Seconds since 1970, that never go back."""
        return self._began + self._clock()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._base.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock:
            self._base.execute("begin immediate")
            try:
                yield self._base
            except BaseException:
                self._base.execute("rollback")
                raise
            self._base.execute("commit")


class Rates:
    """Requests a minute, by key: as many at once as are allowed in a minute, and as they come back evenly. Only keys that exist are counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left = clock, dict[str, tuple[float, float]]()

    def take(self, id: str, rpm: int) -> float:
        """Takes one; 0, or how many seconds too early it is.

        >>> rates = Rates(clock=lambda: 0.0)
        >>> rates.take("a", 2), rates.take("a", 2), rates.take("a", 2)
        (0.0, 0.0, 30.0)
        """
        now = self._clock()
        left, at = self._left.get(id, (float(rpm), now))
        left = min(float(rpm), left + (now - at) * rpm / 60)
        self._left[id] = (left - 1, now) if left >= 1 else (left, now)
        return 0.0 if left >= 1 else (1 - left) * 60 / rpm


def _key(row: tuple[Any, ...]) -> Key:
    id, name, scopes, rpm, budget, used, created, expires, ended = row
    return Key(id, name, cast(frozenset[Scope], frozenset(scopes.split())), rpm, budget, used, created, expires, bool(ended))
