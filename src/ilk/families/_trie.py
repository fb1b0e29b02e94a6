"""Counts of windows of tokens, and the interpolated Kneser-Ney law they give: arrays only, no loop over tokens.

A window of order N lists the N - 1 tokens before a token, the nearest first, then the token itself. Sorted windows are
therefore a suffix trie of contexts: a node is a block of rows, and a context one token longer divides its block.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Small = NDArray[np.integer]
Real = NDArray[np.float64]
Mask = NDArray[np.bool_]
_ROOM = 2**63 - 1
_FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])


@dataclass(frozen=True, eq=False)
class Counts:
    """Distinct windows (M, N) in sorted order, and how often each was seen."""

    windows: Small
    times: Whole

    def __len__(self) -> int:
        return len(self.times)


def counted(windows: Small, times: Whole | None, base: int) -> Counts:
    """Windows in any order, with how often each was seen (once if None), made distinct and sorted."""
    if not len(windows):
        return Counts(windows, np.zeros(0, np.int64))
    key = packed(windows, base)
    order = np.argsort(key)
    first = np.flatnonzero(_changes(key[order]))
    if times is None:
        return Counts(windows[order[first]], np.diff(first, append=len(order)))
    return Counts(windows[order[first]], np.add.reduceat(times[order], first))


def packed(windows: Small, base: int) -> Whole:
    """A number per row that sorts as the row does; ranks take over where powers of the base would overflow."""
    key, below = np.zeros(len(windows), np.int64), 1
    for column in windows.T:
        if below > _ROOM // base:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            below = int(key.max()) + 1
        key, below = key * base + column, below * base
    return key


def _changes(sorted_keys: Whole) -> Mask:
    changed = np.ones(len(sorted_keys), bool)
    changed[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return changed


class Tally:
    """A running sum of Counts; like sizes are merged first, so that n chunks cost n log n."""

    def __init__(self, width: int, base: int, small: type[np.integer]) -> None:
        self.base, self.nothing = base, Counts(np.zeros((0, width), small), np.zeros(0, np.int64))
        self.stack: list[Counts] = []

    def push(self, more: Counts) -> None:
        """Adds counts."""
        while self.stack and len(self.stack[-1]) <= 2 * len(more):
            more = merged([self.stack.pop(), more], self.base)
        self.stack.append(more)

    def total(self) -> Counts:
        """All that was pushed."""
        self.stack = [merged(self.stack, self.base)] if len(self.stack) > 1 else self.stack
        return self.stack[0] if self.stack else self.nothing


def merged(pieces: Sequence[Counts], base: int) -> Counts:
    """The sum of counts of one order."""
    return counted(np.concatenate([p.windows for p in pieces]), np.concatenate([p.times for p in pieces]), base)


@dataclass(frozen=True, eq=False)
class Level:
    """Contexts of one length: who they are, and how they share their mass between tokens and the shorter context."""

    nodes: Whole      # sorted: shorter context * base + its older token
    grams: Whole      # sorted: context * base + token, for every token that followed it
    weight: Real      # of each gram, (count - discount) / total
    start: Whole      # of each context's grams; one more at the end
    rest: Real        # of each context, what is left to the shorter one


class Trie:
    """The law of the next token after any context (Chen and Goodman 1998, modified Kneser-Ney, interpolated).

    Shorter contexts count the distinct tokens before a gram rather than how often it came, except grams that begin an
    item: nothing comes before them. Where padding repeats, a longer context knows nothing more and is skipped.
    """

    def __init__(self, counts: Counts, size: int) -> None:
        self.size, self.base = size, size + 2
        self.levels = list(_levels(counts, size))[::-1]

    def of_windows(self, windows: Small) -> Real:
        """The probability of each window's token after its context, (T,)."""
        law, token = np.full(len(windows), 1.0 / (self.size + 1)), windows[:, -1].astype(np.int64)
        for level, at, node in self._walk(windows[:, :-1]):
            place, hit = _find(level.grams, node * self.base + token[at])
            law[at] *= level.rest[node]
            law[at[hit]] += level.weight[place]
        return law

    def of_contexts(self, contexts: Small) -> Real:
        """The law of the next token after each context, (n, size + 1); the last is the end."""
        law = np.full((len(contexts), self.size + 1), 1.0 / (self.size + 1))
        for level, at, node in self._walk(contexts):
            many = level.start[node + 1] - level.start[node]
            gram = np.arange(many.sum()) + (level.start[node] - many.cumsum() + many).repeat(many)
            law[at] *= level.rest[node, None]
            law[at.repeat(many), level.grams[gram] % self.base] += level.weight[gram]
        return law

    def _walk(self, contexts: Small) -> Iterator[tuple[Level, Whole, Whole]]:
        """Per length: the level, which rows have such a context in the trie, and the node of each."""
        at, node = np.arange(len(contexts)), np.zeros(len(contexts), np.int64)
        for k, level in enumerate(self.levels):
            if k:
                place, hit = _find(level.nodes, node * self.base + contexts[at, k - 1])
                at, node = at[hit], place
            yield level, at, node


def _find(keys: Whole, wanted: Whole) -> tuple[Whole, Mask]:
    """Where the wanted keys that are there stand, and which those are."""
    place = np.searchsorted(keys, wanted)
    hit = place < len(keys)
    hit[hit] = keys[place[hit]] == wanted[hit]
    return place[hit], hit


def _levels(counts: Counts, size: int) -> Iterator[Level]:
    """The levels, longest contexts first, each counting the grams of the one before."""
    base, start = size + 2, size + 1
    depths = list(_depths(counts.windows, base))
    grams, times = depths[-1][0] * base + counts.windows[:, -1], counts.times
    for k in range(len(depths) - 1, -1, -1):
        _, nodes = depths[k]
        node, oldest, shorter = grams // base, nodes % base, nodes // base
        repeats = np.zeros(len(nodes), bool)
        if k >= 2:
            repeats = (oldest == start) & (depths[k - 1][1] % base == start)[shorter]
        yield _level(nodes, grams, times, repeats, base)
        if k:
            kinds = np.where(repeats[node], times, 1)
            grams, times = _summed(shorter[node] * base + grams % base, kinds)


def _depths(windows: Small, base: int) -> Iterator[tuple[Whole, Whole]]:
    """Per length of context: the node of every window, and the key of every node."""
    node = np.zeros(len(windows), np.int64)
    changed = np.arange(len(windows)) == 0
    yield node, np.zeros(1, np.int64)
    for column in windows.T[:-1]:
        changed[1:] |= column[1:] != column[:-1]
        keys = (node * base + column)[changed]
        node = changed.cumsum() - 1
        yield node, keys


def _summed(keys: Whole, times: Whole) -> tuple[Whole, Whole]:
    order = np.argsort(keys)
    keys = keys[order]
    first = np.flatnonzero(_changes(keys))
    return keys[first], np.add.reduceat(times[order], first) if len(first) else times


def _level(nodes: Whole, grams: Whole, times: Whole, repeats: Mask, base: int) -> Level:
    keep = ~repeats[grams // base]
    grams, times = grams[keep], times[keep]
    node = grams // base
    taken = discounts(times)[np.minimum(times, 3)]
    total = np.bincount(node, times, len(nodes)).clip(1)
    rest = np.where(np.bincount(node, minlength=len(nodes)) > 0, np.bincount(node, taken, len(nodes)) / total, 1.0)
    start = np.searchsorted(grams, np.arange(len(nodes) + 1) * base)
    return Level(nodes, grams, (times - taken) / total[node], start, rest)


def discounts(times: Whole) -> Real:
    """What a gram seen 0, 1, 2, 3 or more times gives up, from how many were seen 1, 2, 3 and 4 times.

    Where one of those is none, or the estimate leaves (0, times), half the times is taken.
    """
    n = np.bincount(np.minimum(times, 5), minlength=6).astype(float)
    taken = _FALLBACK.copy()
    for i in (1, 2, 3):
        if n[[1, 2, i, i + 1]].all():
            estimate = i - (i + 1) * n[1] / (n[1] + 2 * n[2]) * n[i + 1] / n[i]
            taken[i] = estimate if 0 < estimate < i else taken[i]
    return taken
