"""What was read before: where a model stands after the beginnings of earlier questions, so that a question that begins alike is read on from there."""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from ilk.batch import ragged
from ilk.decoding._contract import Looks
from ilk.distribution import Begins, NextToken

BYTES, MANY, LEAST = 8 << 20, 256, 4   # of all that is kept, and how many, where the model is small; tokens that a beginning has at least


class Known:
    """Caches of one sequence each by their tokens, the least recently used forgotten first; from any thread.

    Together they take `most` bytes, by default as many as the model's numbers.
    """

    def __init__(self, body: NextToken, most: int | None = None) -> None:
        self.body, self.most = body, max(BYTES, _weights(body)) if most is None else most
        self.kept: OrderedDict[tuple[int, ...], tuple[Any, int]] = OrderedDict()
        self.lock = threading.Lock()

    def begin(self, ids: Sequence[int]) -> tuple[Any, int]:
        """A cache of one sequence after these tokens, and how many of them need not be read again."""
        with torch.inference_mode():
            found, reused = self._found(tuple(ids))
            if found is None:
                return self.body.begin(ragged(torch.tensor([list(ids)], dtype=torch.long).reshape(1, -1), torch.tensor([len(ids)]))), 0
            self._read(found, ids[reused:])
            return found, reused

    def keep(self, ids: Sequence[int], cache: Any) -> None:
        """Remembers where a sequence stands; nobody goes on with that cache itself."""
        size, key = _bytes(cache), tuple(ids)
        if len(key) < LEAST or size > self.most:
            return
        with self.lock:
            self.kept[key] = (cache, size)
            self.kept.move_to_end(key)
            while len(self.kept) > MANY or sum(size for _, size in self.kept.values()) > self.most:
                self.kept.popitem(last=False)

    def _found(self, ids: tuple[int, ...]) -> tuple[Any, int]:
        with self.lock:
            shared = sorted(((_common(key, ids), key) for key in self.kept), reverse=True)
        for many, key in shared:
            if many < LEAST:
                break
            with self.lock:
                cache = self.kept.get(key, (None, 0))[0]
            own = None if cache is None else self._own(cache, len(key), many, len(ids))
            if own is not None:
                with self.lock:
                    if key in self.kept:
                        self.kept.move_to_end(key)
                return own
        return None, 0

    def _own(self, cache: Any, whole: int, many: int, wanted: int) -> tuple[Any, int] | None:
        """A copy to go on from, and after how many tokens it stands; None where it is no gain."""
        if many == whole and (isinstance(self.body, Looks) or 2 * many >= wanted):
            return cache.pick(torch.zeros(1, dtype=torch.long)), many
        many = min(many, wanted - 1)
        begun = cache.begun(many) if isinstance(cache, Begins) and isinstance(self.body, Looks) and many >= LEAST else None
        return None if begun is None else (begun, many)

    def _read(self, cache: Any, rest: Sequence[int]) -> None:
        """Takes in more tokens: several at once where the model can."""
        at = 0
        while at < len(rest):
            many = min(self.body.room(cache), len(rest) - at) if isinstance(self.body, Looks) else 0
            if many > 0 and isinstance(self.body, Looks):
                self.body.read(cache, torch.tensor(rest[at:at + many]))
            else:
                self.body.step(cache, torch.tensor([rest[at]]))
            at += max(1, many)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _weights(body: Any) -> int:
    return sum(t.nbytes for t in body.parameters()) if isinstance(body, torch.nn.Module) else 0


def _bytes(cache: Any) -> int:
    """About how much memory a cache takes: its tensors and arrays, those in lists too."""
    every = [v for value in vars(cache).values() for v in (value if isinstance(value, list | tuple) else (value,))]
    return sum(int(v.nbytes) for v in every if hasattr(v, "nbytes"))
