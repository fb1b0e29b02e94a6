"""The one batch type, shaped like its space, and data that need not fit in memory."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """x is a tensor (an atom), a batch per part (Row), or all elements end to end (Many, with length).

    `seen` (Maybe) and `length` (Many) belong to a node; `context` and `weight` to the root.

    >>> words = Batch(Batch(torch.tensor([5, 6, 7])), length=torch.tensor([2, 1]))
    >>> len(words), words.take(torch.tensor([1])).elements.tensor.tolist()
    (2, [7])
    """

    x: Tensor | Mapping[str, Batch] | Batch
    seen: Tensor | None = None
    length: Tensor | None = None
    context: Mapping[str, Batch] = field(default_factory=dict)
    weight: Tensor | None = None

    def __post_init__(self) -> None:
        if isinstance(self.x, Batch) and (self.length is None or len(self.x) != int(self.length.sum())):
            raise ValueError(f"{len(self.x)} elements do not fit the lengths {self.length}")

    def __len__(self) -> int:
        if self.length is not None:
            return len(self.length)
        return len(next(iter(self.x.values()))) if isinstance(self.x, Mapping) else len(self.x)

    @property
    def tensor(self) -> Tensor:
        """x of an atom."""
        if not isinstance(self.x, Tensor):
            raise TypeError("this batch is not of an atom")
        return self.x

    @property
    def parts(self) -> Mapping[str, Batch]:
        """x of a Row."""
        if not isinstance(self.x, Mapping):
            raise TypeError("this batch is not of a Row")
        return self.x

    @property
    def elements(self) -> Batch:
        """x of a Many: every element of every item, end to end."""
        if not isinstance(self.x, Batch):
            raise TypeError("this batch is not of a Many")
        return self.x

    @property
    def lengths(self) -> Tensor:
        """How many elements each item of a Many has."""
        if self.length is None:
            raise TypeError("this batch is not of a Many")
        return self.length

    def rows(self) -> tuple[Tensor, Tensor]:
        """Of every element of a Many, which item it belongs to and its place there."""
        row = torch.arange(len(self)).repeat_interleave(self.lengths)
        return row, torch.arange(len(row)) - (self.lengths.cumsum(0) - self.lengths)[row]

    def take(self, index: Tensor) -> Batch:
        """The items at a boolean or whole-number index."""
        rows = index.nonzero()[:, 0] if index.dtype == torch.bool else index
        cut = {k: None if v is None else v[rows] for k, v in (("seen", self.seen), ("length", self.length), ("weight", self.weight))}
        return replace(self, x=self._take_x(rows), context={k: b.take(rows) for k, b in self.context.items()}, **cut)

    def cut(self, start: int, stop: int) -> Batch:
        """The items from start to stop; atoms and rows are views."""
        return self.take(torch.arange(start, min(stop, len(self))))

    def padded(self, fill: int | float) -> Tensor:
        """A Many of single numbers as (items, longest)."""
        length = self.lengths
        here = torch.arange(int(length.max()) if len(self) else 0)[None] < length[:, None]
        out = torch.full(here.shape, fill, dtype=self.elements.tensor.dtype)
        out[here] = self.elements.tensor
        return out

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return self._each(lambda t: t.to(device))

    def bytes(self) -> int:
        """How much memory the tensors take."""
        sizes: list[int] = []
        self._each(lambda t: sizes.append(t.numel() * t.element_size()) or t)  # type: ignore[func-returns-value]
        return sum(sizes)

    def _each(self, do: TensorMap) -> Batch:
        inner: Tensor | Mapping[str, Batch] | Batch
        if isinstance(self.x, Tensor):
            inner = do(self.x)
        elif isinstance(self.x, Batch):
            inner = self.x._each(do)
        else:
            inner = {k: b._each(do) for k, b in self.x.items()}
        marks = {k: None if v is None else do(v) for k, v in (("seen", self.seen), ("length", self.length), ("weight", self.weight))}
        return replace(self, x=inner, context={k: b._each(do) for k, b in self.context.items()}, **marks)

    def _take_x(self, rows: Tensor) -> Tensor | Mapping[str, Batch] | Batch:
        if isinstance(self.x, Tensor):
            return self.x.index_select(0, rows)
        if isinstance(self.x, Mapping):
            return {k: b.take(rows) for k, b in self.x.items()}
        length = self.lengths
        start, many = (length.cumsum(0) - length)[rows], length[rows]
        inside = torch.arange(int(many.sum())) - (many.cumsum(0) - many).repeat_interleave(many)
        return self.x.take(start.repeat_interleave(many) + inside)


class TensorMap(Protocol):
    """A function from tensor to tensor."""

    def __call__(self, tensor: Tensor, /) -> Tensor: ...


def ragged(padded: Tensor, length: Tensor) -> Batch:
    """A Many of single numbers from (items, longest) and lengths."""
    here = torch.arange(padded.shape[1])[None] < length[:, None]
    return Batch(Batch(padded[here]), length=length)


def stack(batches: Sequence[Batch]) -> Batch:
    """All items of batches of one space, in order."""
    first = batches[0]
    if isinstance(first.x, Tensor):
        x: Tensor | Mapping[str, Batch] | Batch = torch.cat([b.tensor for b in batches])
    elif isinstance(first.x, Mapping):
        x = {k: stack([b.parts[k] for b in batches]) for k in first.x}
    else:
        x = stack([b.elements for b in batches])
    marks = {k: None if getattr(first, k) is None else torch.cat([getattr(b, k) for b in batches]) for k in ("seen", "length", "weight")}
    context = {k: stack([b.context[k] for b in batches]) for k in first.context}
    return Batch(x, context=context, **marks)


def mapped(pieces: Iterable[Batch], folder: Path) -> Batch:
    """All items of batches of one space as one batch whose tensors are files in the folder, mapped."""
    first: Batch | None = None
    sizes: list[int] = []
    files: list[BinaryIO] = []
    for piece in pieces:
        leaves: list[Tensor] = []
        piece._each(lambda t, into=leaves: into.append(t) or t)
        if first is None:
            first, sizes, files = piece, [0] * len(leaves), [(folder / f"{i}.raw").open("wb") for i in range(len(leaves))]
        for i, leaf in enumerate(leaves):
            files[i].write(leaf.contiguous().numpy().tobytes())
            sizes[i] += len(leaf)
    for file in files:
        file.close()
    if first is None:
        raise ValueError("there is nothing to map")
    order = iter(range(len(sizes)))

    def opened(leaf: Tensor) -> Tensor:
        i = next(order)
        shape = (sizes[i], *leaf.shape[1:])
        return torch.from_file(str(folder / f"{i}.raw"), shared=True, size=prod(shape), dtype=leaf.dtype).reshape(shape)

    return first._each(opened)


@runtime_checkable
class Source(Protocol):
    """Items to learn from: re-iterable, larger than memory if need be."""

    def __len__(self) -> int: ...
    def take(self, index: Tensor) -> Batch: ...
    def chunks(self, size: int) -> Iterator[Batch]: ...
    def resident(self) -> Batch | None: ...


@dataclass(frozen=True, eq=False)
class Memory:
    """A Source that is one batch."""

    batch: Batch

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, index: Tensor) -> Batch:
        """The items at an index."""
        return self.batch.take(index)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All items in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.batch.cut(start, start + size)

    def resident(self) -> Batch:
        """The whole, since it is here."""
        return self.batch
