"""Work side by side in one process: every ask in a thread of its own, but those that can be done at once, which are."""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from ilk.errors import IlkError
from ilk.serve import ops
from ilk.serve.engine.faults import told
from ilk.serve.engine.frames import Frame
from ilk.serve.work import Ask, Held, Reply

AHEAD = 32            # pieces that are made before anybody takes one
RECENT = 4            # draws; as many as asked at once during one of them are waited for, but
QUIET = 0.03          # no more than so many seconds after the last one came, and
GATHER, LONGEST = 0.5, 0.1    # no more than this share of what the last draw took, and seconds at most
LANES = 64            # sorts of draws that are remembered


class Doing:
    """An ask that is worked on."""

    def __init__(self, number: int, ask: Ask) -> None:
        self.number, self.ask = number, ask
        self.room, self.stopped = threading.Semaphore(AHEAD), False

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self.stopped = True
        self.room.release()

    def took(self, many: int) -> None:
        """So many pieces were taken."""
        self.room.release(many)


class _Recent:
    """The last draws of a sort: how many there were for each with those that had to wait, and how long the last one took."""

    def __init__(self) -> None:
        self.many, self.seconds = deque[int](maxlen=RECENT), 0.0


class Lanes:
    """All that is worked on. `send` takes frames from any thread."""

    def __init__(self, held: Held, send: Callable[[Frame], None]) -> None:
        self.held, self.send = held, send
        self.doing: dict[int, Doing] = {}
        self.alike: dict[Hashable, list[Doing]] = {}
        self.recent: dict[Hashable, _Recent] = {}
        self.lock = threading.Condition()

    def begin(self, number: int, ask: Ask) -> None:
        """Starts on an ask."""
        one = self.doing[number] = Doing(number, ask)
        key = ops.alike(self.held, ask)
        if key is None:
            threading.Thread(target=self._alone, args=(one,), daemon=True).start()
            return
        with self.lock:
            waiting = self.alike.setdefault(key, [])
            waiting.append(one)
            self.lock.notify_all()
            if len(waiting) == 1:
                threading.Thread(target=self._lane, args=(key,), daemon=True).start()

    def stop(self, number: int) -> None:
        """Ends work at its next step."""
        if (one := self.doing.get(number)) is not None:
            one.stop()

    def took(self, number: int, many: int) -> None:
        """Makes room for more pieces."""
        if (one := self.doing.get(number)) is not None:
            one.took(many)

    def _alone(self, one: Doing) -> None:
        with _Closing(ops.run(self.held, one.ask)) as pieces:
            self._over(one, self._try(one, pieces))

    def _try(self, one: Doing, pieces: Iterator[Reply | None]) -> Mapping[str, Any]:
        try:
            for piece in pieces:
                if one.stopped or (piece is not None and not self._tell(one, piece)):
                    break
        except Exception as why:  # told to whoever asked
            return {"error": told(why)}
        return {}

    def _tell(self, one: Doing, piece: Reply) -> bool:
        one.room.acquire()
        if not one.stopped:
            self.send(Frame({"piece": one.number, "body": piece.body}, piece.blobs))
        return not one.stopped

    def _over(self, one: Doing, said: Mapping[str, Any]) -> None:
        self.doing.pop(one.number, None)
        self.send(Frame({"end": one.number, **said}))

    def _lane(self, key: Hashable) -> None:
        """Draws for all that ask alike, until nobody does. The first stays in its place meanwhile, so that no other lane is begun."""
        while True:
            with self.lock:
                group = self._gathered(key)
            begun = monotonic()
            wanted = [one for one in group if not one.stopped]
            drawn = self._group(wanted)
            for one in group:
                if one.number in self.doing and one.stopped:
                    self._over(one, {})
            with self.lock:
                left = self.alike[key] = [one for one in self.alike[key] if one.number in self.doing]
                self._remember(key, drawn + len(left) if drawn == len(wanted) else 0, monotonic() - begun)
                if not left:
                    del self.alike[key]
                    return

    def _gathered(self, key: Hashable) -> list[Doing]:
        """All that ask alike now. With the lock held, but while others are waited for: those that asked before are likely to ask again."""
        waiting, recent, here = self.alike[key], self.recent.get(key, _Recent()), 0
        many, until = max(recent.many, default=0), monotonic() + min(LONGEST, GATHER * recent.seconds)
        while here < len(waiting) < many and (left := until - monotonic()) > 0:
            here = len(waiting)
            self.lock.wait_for(lambda: len(waiting) >= many, min(QUIET, left))
        return list(waiting)

    def _remember(self, key: Hashable, many: int, seconds: float) -> None:
        recent = self.recent[key] = self.recent.pop(key, _Recent())
        if not many:   # more waited already than went into one draw
            recent.many.clear()
        recent.many.append(many)
        recent.seconds = seconds
        while len(self.recent) > LANES:
            del self.recent[next(iter(self.recent))]

    def _group(self, group: Sequence[Doing]) -> int:
        """One draw for several, as many as go into it: how many. Where it fails each is drawn by itself, so that nobody is told of another's fault."""
        group = group[:self._fitting(group)]
        if len(group) > 1:
            with suppress(Exception), _Closing(ops.together(self.held, [one.ask for one in group])) as rounds:
                self._rounds(group, rounds)
                return len(group)
        for one in group:
            self._alone(one)
        return len(group)

    def _fitting(self, group: Sequence[Doing]) -> int:
        try:
            return ops.fitting(self.held, [one.ask for one in group])
        except IlkError:   # one of them is not as it should be, and is told so when its turn comes
            return 1

    def _rounds(self, group: Sequence[Doing], rounds: Iterator[Sequence[Reply] | None]) -> None:
        for made in rounds:
            if all(one.stopped for one in group):
                return
            for one, piece in zip(group, made or (), strict=False):
                if not one.stopped:
                    self._tell(one, piece)
                    self._over(one, {})


class _Closing:
    """An iterator that is closed in any case, so that what it holds is let go at once."""

    def __init__(self, pieces: Iterator[Any]) -> None:
        self.pieces = pieces

    def __enter__(self) -> Iterator[Any]:
        return self.pieces

    def __exit__(self, *why: object) -> None:
        close: Callable[[], None] | None = getattr(self.pieces, "close", None)
        if close is not None:
            close()
