"""Items as windows of tokens, statistics of windows as States, and where sequences stand while they are drawn."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from ..batch import Batch
from ..errors import ModelError
from ..store import State
from ._trie import Counts, Mask, Small, Whole, counted


def smallest(most: int) -> type[np.integer]:
    """The smallest type that torch has too and that holds the whole numbers up to `most`."""
    kinds: tuple[type[np.integer], ...] = (np.uint8, np.int16, np.int32, np.int64)
    return next(kind for kind in kinds if most <= np.iinfo(kind).max)


@dataclass(frozen=True, eq=False)
class Windows:
    """Items end to end, each after its padding and before its end; per position its item and its place in it."""

    line: Small
    item: Whole
    place: Whole
    order: int

    def at(self, positions: Whole | slice) -> Small:
        """The windows that end at these positions, (T, order): the nearest token before first, the token itself last."""
        pad = self.order - 1
        here = np.arange(len(self.item))[positions] + self.item[positions] * pad
        found: Small = sliding_window_view(self.line, self.order)[here][:, [*range(pad - 1, -1, -1), pad]]
        return found


def windows_of(batch: Batch, size: int, order: int) -> Windows:
    """The windows of a batch: `size` stands for the end of an item, `size + 1` for what is before it."""
    length, pad, small = batch.lengths.numpy(), order - 1, smallest(size + 1)
    item = np.arange(len(length)).repeat(length + 1)
    place = np.arange(len(item)) - ((length + 1).cumsum() - length - 1).repeat(length + 1)
    ended = np.full(len(item), size, small)
    ended[place < length[item]] = batch.elements.tensor.numpy()
    line = np.full(len(item) + len(length) * pad + order, size + 1, small)
    line[np.arange(len(item)) + (item + 1) * pad] = ended
    return Windows(line, item, place, order)


def state_of(counts: Counts, items: int) -> State:
    """Statistics as tensors no wider than need be."""
    narrow = counts.times.astype(np.int32) if counts.times.max(initial=0) < 2**31 else counts.times
    return State({"windows": torch.from_numpy(counts.windows), "counts": torch.from_numpy(narrow)}, {"items": items})


def counts_of(state: State, size: int, order: int) -> tuple[Counts, int]:
    """What `state_of` wrote down; ModelError unless it can have come from items."""
    windows, times, items = state.tensors.get("windows"), state.tensors.get("counts"), state.facts.get("items")
    if windows is None or times is None or type(items) is not int or items < 0:
        raise ModelError("the statistics of an n-gram are windows, counts and a number of items", code="WEIGHTS_SHAPE")
    whole = not (times.is_floating_point() or windows.is_floating_point())
    if not whole or times.ndim != 1 or windows.shape != (len(times), order):
        raise ModelError(f"an n-gram of order {order} has whole-number windows (M, {order}) and counts (M,); "
                         f"got {tuple(windows.shape)} and {tuple(times.shape)}", code="WEIGHTS_SHAPE")
    found = Counts(windows.cpu().numpy(), times.cpu().numpy().astype(np.int64))
    if why := _nonsense(found, size):
        raise ModelError(f"these are no statistics of sequences of {size} tokens: {why}", code="WEIGHTS_SHAPE")
    return Counts(found.windows.astype(smallest(size + 1), copy=False), found.times), items


def _nonsense(found: Counts, size: int) -> str | None:
    context, token = found.windows[:, :-1], found.windows[:, -1]
    if _outside(token, size) or _outside(context, size + 1) or (context == size).any():
        return "a token is out of range"
    started = context == size + 1
    if (started[:, :-1] & ~started[:, 1:]).any():
        return "something comes before the beginning of an item"
    if (found.times < 1).any():
        return "a count is below 1"
    again = counted(found.windows, None, size + 2)
    return None if np.array_equal(again.windows, found.windows) else "windows are doubled or out of order"


def _outside(tokens: Small, most: int) -> bool:
    return bool((tokens < 0).any() or (tokens > most).any())


class Place:
    """Where each of several sequences stands: its tokens after padding, (B, pad + room), and its length, (B,).

    The first `gone` elements of long prefixes are not held, since no law looks at them.
    """

    def __init__(self, tokens: Small, length: Whole, pad: int, gone: int = 0) -> None:
        self.tokens, self.length, self.pad, self.gone = tokens, length, pad, gone

    def push(self, token: Whole) -> None:
        """One more token each."""
        at = self.length + (self.pad - self.gone)
        if at.max(initial=0) >= self.tokens.shape[1]:
            self.tokens = np.pad(self.tokens, ((0, 0), (0, self.tokens.shape[1] + 64)))
        self.tokens[np.arange(len(at)), at] = token
        self.length = self.length + 1

    def context(self) -> Small:
        """The last tokens of each, the nearest first, (B, pad)."""
        at = (self.length - self.gone)[:, None] + np.arange(self.pad - 1, -1, -1)
        found: Small = self.tokens[np.arange(len(at))[:, None], at]
        return found

    def ended(self, end: int) -> Mask:
        """Which have taken in the end."""
        if not self.tokens.shape[1]:
            return np.zeros(len(self.length), dtype=bool)
        last = (self.length + (self.pad - self.gone - 1)).clip(0)
        found: Mask = (self.length > 0) & (self.tokens[np.arange(len(last)), last] == end)
        return found

    def pick(self, rows: Tensor) -> Place:
        """Some sequences, perhaps several times."""
        return Place(self.tokens[rows.numpy()], self.length[rows.numpy()], self.pad, self.gone)

    def joined(self, others: Sequence[Place]) -> Place:
        """These sequences and others side by side; only of those that hold all their elements."""
        every = (self, *others)
        wide = max(p.tokens.shape[1] for p in every)
        tokens = np.concatenate([np.pad(p.tokens, ((0, 0), (0, wide - p.tokens.shape[1]))) for p in every])
        return Place(tokens, np.concatenate([p.length for p in every]), self.pad, self.gone)

    def cut(self, length: int) -> Place:
        """The sequences as they stood after at most so many elements."""
        if self.gone and length < self.gone + self.pad:
            raise ValueError(f"the first {self.gone} elements are not held any more")
        return Place(self.tokens.copy(), np.minimum(self.length, length), self.pad, self.gone)


def place_of(prompt: Batch, size: int, order: int) -> Place:
    """Where sequences that begin so stand."""
    tokens = prompt.padded(0).numpy().astype(smallest(size + 1))
    return Place(np.pad(tokens, ((0, 0), (order - 1, 0)), constant_values=size + 1), prompt.lengths.numpy(), order - 1)
