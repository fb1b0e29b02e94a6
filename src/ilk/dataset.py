"""Items of one modality with their splits, labels, captions, origin and licence; and how models draw on them."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batch import Batch, mapped
from .captions import Captions
from .errors import DataError, UsageError
from .rng import Rng
from .space import Discrete, Reals, Space

if TYPE_CHECKING:
    from .lift import Lift
    from .modality import Codec, Modality

C = TypeVar("C")
SPLITS = ("train", "valid", "test")
SHARES = (0.8, 0.1, 0.1)
RESIDENT, PIECE = 2 << 30, 1 << 16
COMMON = 5  # equal items that are kept on one side of a split, at least


@dataclass(frozen=True)
class Origin:
    """Where data came from, under what licence, and what was decided while reading them."""

    name: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Labels:
    """A class per item: whole numbers, and the names they stand for."""

    codes: Tensor
    names: tuple[int | str, ...]

    @property
    def space(self) -> Discrete:
        """One of the names."""
        return Discrete(len(self.names))


@dataclass(frozen=True, eq=False)
class Dataset(Generic[C]):
    """Items of one modality, and which of them train, validate and test.

    `splits` holds whole-number indexes into `items`, so that items larger than memory are never copied whole. `beside` holds another item
    beside each item, by name: an array of numbers or of pictures (see `numbers`), as long as the items.
    """

    modality: Modality[C]
    items: C
    splits: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Labels | None = None
    captions: Captions | None = None
    origin: Origin = Origin()
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, other in self.beside.items():
            if name in ("label", "caption"):
                raise UsageError(f"{name!r} is the name of what labels or captions say", code="CONTEXT", param="beside", remedy="another name")
            if len(other) != len(self):
                raise DataError(f"{len(other)} items of {name!r} beside {len(self)} items", code="SHAPE", remedy="one for each")

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]

    def split(self, name: str) -> C:
        """The items of one split; UsageError for an unknown one."""
        return self.modality.take(self.items, self.index(name))

    def index(self, name: str) -> Tensor:
        """Which items belong to a split."""
        if name not in self.splits and name in SPLITS and "test" not in self.splits and "train" not in self.splits:
            return self._divided.splits[name]
        if name not in self.splits:
            raise UsageError(f"the data have no split {name!r}; there are: {', '.join(self.splits)}", code="SPLIT")
        return self.splits[name]

    @cached_property
    def _divided(self) -> Dataset[C]:
        return split_dataset(self)

    @property
    def train(self) -> C:
        """The items to learn from."""
        return self.split("train")

    @property
    def valid(self) -> C:
        """The items that choose."""
        return self.split("valid")

    @property
    def test(self) -> C:
        """The items that judge."""
        return self.split("test")

    @property
    def about(self) -> Mapping[str, Space]:
        """The spaces of what is known beside the items."""
        label: dict[str, Space] = {} if self.labels is None else {"label": self.labels.space}
        others = {name: Reals(tuple(numbers(other[:1]).shape[1:])) for name, other in self.beside.items()}
        return {**label, **({} if self.captions is None else {"caption": self.captions.vocabulary.space}), **others}

    def context(self, index: Tensor) -> Mapping[str, Batch]:
        """What is known beside some items."""
        label = {} if self.labels is None else {"label": Batch(self.labels.codes[index])}
        others = {name: Batch(numbers(other[index.numpy()])) for name, other in self.beside.items()}
        return {**label, **({} if self.captions is None else {"caption": self.captions.batch(index)}), **others}

    def sample(self, split: str, at_most: int, rng: Rng) -> C:
        """At most so many items of a split, spread evenly at random: enough to learn scales and quantiles from."""
        return self.modality.take(self.items, self.some(split, at_most, rng))

    def some(self, split: str, at_most: int, rng: Rng) -> Tensor:
        """Which items those are."""
        index = self.index(split)
        return index if len(index) <= at_most else index[rng.shuffle(len(index))[:at_most].sort().values]

    def pieces(self, split: str, size: int) -> Iterator[C]:
        """The items of a split, so many at a time."""
        for part in self.index(split).split(size):
            yield self.modality.take(self.items, part)


def numbers(items: NDArray[Any]) -> Tensor:
    """Items that others are known by: bytes of pictures (n, h, w) or (n, h, w, 1, 3 or 4) from -1 to 1 with channels first; other numbers as they are.

    >>> numbers(np.full((2, 4, 5, 3), 255, dtype=np.uint8)).shape, numbers(np.zeros((2, 4, 5))).shape
    (torch.Size([2, 3, 4, 5]), torch.Size([2, 4, 5]))
    """
    if items.dtype == np.uint8 and (items.ndim == 3 or (items.ndim == 4 and items.shape[3] in (1, 3, 4))):
        channels = np.moveaxis(items if items.ndim == 4 else items[..., None], 3, 1)
        return (torch.from_numpy(channels.astype(np.float64, order="C")) + 0.5) / 128 - 1
    if items.dtype.kind not in "biuf" or not np.isfinite(items).all():
        raise DataError(f"items beside others are finite numbers or pictures, not {items.dtype}", code="DATA_TYPE")
    return torch.from_numpy(items.astype(np.float64, order="C"))


def split_dataset(data: Dataset[C], rng: Rng | None = None, shares: Sequence[float] = SHARES) -> Dataset[C]:
    """The data with train, valid and test set at random, equal items on one side. Splits that were given are kept.

    A value that makes more than a hundredth of the data (a row of a few categories, say) is no leak but the law itself:
    its items go where they fall.

    The division belongs to the data, not to a fit: without `rng` it is always the same, so that what one model learned
    from never judges another. Given train and test but no valid, a tenth of train (at most 5,000 items) becomes valid.
    """
    rng = rng or Rng(0).child("data")
    if "train" in data.splits:
        if "valid" in data.splits:
            return data
        train = data.splits["train"]
        share = min(0.1, 5000 / max(1, len(train)))
        parts = _shared(_groups(data, train), (1 - share, share), rng)
        return replace(data, splits={**data.splits, "train": train[parts[0]], "valid": train[parts[1]]})
    parts = _shared(_groups(data, torch.arange(len(data))), shares, rng)
    return replace(data, splits=dict(zip(SPLITS, parts, strict=True)))


def _groups(data: Dataset[C], index: Tensor) -> Tensor:
    from .modality import groups

    whole = groups(data.modality, data.items)
    if len(index) == len(data):
        return whole
    _, first, which = np.unique(whole[index].numpy(), return_index=True, return_inverse=True)
    return torch.from_numpy(first[which].astype(np.int64))


def _shared(group: Tensor, shares: Sequence[float], rng: Rng) -> list[Tensor]:
    """Index sets whose sizes follow the shares; a group is never divided, and no set is left empty if it can be helped."""
    n = len(group)
    size = torch.bincount(group, minlength=n)[group]
    group = group.where(size <= max(COMMON, n // 100), torch.arange(n))
    place = rng.child("split").uniform(n)[group]
    order = place.argsort(stable=True)
    ends = (torch.tensor([0.0, *shares]).double().cumsum(0) * n).round().long()
    starts_group = torch.ones(n, dtype=torch.bool)
    starts_group[1:] = group[order][1:] != group[order][:-1]
    joints = torch.cat([starts_group.nonzero()[:, 0], torch.tensor([n])])
    ends = joints[torch.searchsorted(joints, ends).clamp_max(len(joints) - 1)]
    return [order[a:b].sort().values for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def given_splits(modality: Modality[C], parts: Mapping[str, C], origin: Origin = Origin()) -> Dataset[C]:
    """A dataset of splits that somebody else made."""
    sizes = [len(p) for p in parts.values()]  # type: ignore[arg-type]
    ends = torch.tensor([0, *sizes]).cumsum(0).tolist()
    index = {name: torch.arange(a, b) for name, a, b in zip(parts, ends[:-1], ends[1:], strict=True)}
    return Dataset(modality, modality.join(list(parts.values())), index, origin=origin)


class Coded:
    """A Source: the items of a split as a family sees them, encoded once.

    When they would take more than RESIDENT bytes, they are encoded a piece at a time into files, and `resident` is a batch
    of tensors mapped from there: the system brings in what is used and drops what is not.
    """

    def __init__(self, data: Dataset[Any], split: str, codec: Codec[Any], lift: Lift, rng: Rng, about: Sequence[str] = ()) -> None:
        self.data, self.codec, self.lift, self.rng = data, codec, lift, rng
        self.index, self.about = data.index(split), tuple(about)
        self._whole: Batch | None = None

    def __len__(self) -> int:
        return len(self.index)

    def take(self, index: Tensor) -> Batch:
        """The items at an index into the split."""
        return self.resident().take(index)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All items in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.resident().cut(start, start + size)

    def resident(self) -> Batch:
        """The whole: in memory, or mapped from disk."""
        if self._whole is None:
            few = min(256, len(self))
            much = few and self._encode(torch.arange(few), self.rng).bytes() / few * len(self) > RESIDENT
            self._whole = self._mapped() if much else self._encode(torch.arange(len(self)), self.rng)
        return self._whole

    def _mapped(self) -> Batch:
        """Codes in files that have no name any more once they are mapped: they go when the last tensor goes."""
        with TemporaryDirectory(prefix="ilk-", ignore_cleanup_errors=True) as folder:
            return mapped(self._pieces(), Path(folder))

    def _pieces(self) -> Iterator[Batch]:
        for start in range(0, len(self), PIECE):
            yield self._encode(torch.arange(start, min(start + PIECE, len(self))), self.rng.at(start))

    def _encode(self, rows: Tensor, rng: Rng) -> Batch:
        where = self.index[rows]
        items = self.data.modality.take(self.data.items, where)
        batch = encoded(self.codec, self.lift, items, rng)
        context = self.data.context(where) if self.about else {}
        return replace(batch, context={name: context[name] for name in self.about})


def encoded(codec: Codec[Any], lift: Lift, items: Any, rng: Rng) -> Batch:
    """Raw items as a distribution sees them; DataError if the codes are not in the space that the codec declares."""
    batch = codec.encode(items, rng.child("codec"))
    if not codec.space.holds(batch):
        raise DataError(f"{type(codec).__name__} made codes outside its space", code="SPACE", remedy="check the data for NaN, infinities or huge numbers")
    return lift.encode(batch, rng.child("lift"))
