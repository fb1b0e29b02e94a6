"""Pictures as spaces: levels counted, two levels as bits, or levels filled by noise as reals in [-1, 1]. Channels come first there."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log, prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Keeps
from ilk.errors import DataError, UsageError
from ilk.given import Weigh, Within
from ilk.modalities._image_decode import Items
from ilk.modality import Codec, Lowered, Modality
from ilk.rng import Rng
from ilk.rules import Test
from ilk.space import Discrete, Reals, Space
from ilk.store import State

if TYPE_CHECKING:
    from ilk.modalities.image import Image

LEVELS = 256
S = TypeVar("S", bound="ImageCodec")


class ImageCodec(Codec[Items]):
    """What codecs of pictures share: nothing is learned, the type says all. `values` are the levels that a pixel can have."""

    values: tuple[int, ...] = tuple(range(LEVELS))

    def __init__(self, modality: Image) -> None:
        self.modality = modality
        height, width, channels = modality.shape
        self.shape = (channels, height, width)

    @classmethod
    def learned(cls: type[S], modality: Modality[Items], train: Items) -> S:
        """Nothing to learn."""
        return cls(modality)  # type: ignore[arg-type]

    @classmethod
    def restored(cls: type[S], modality: Modality[Items], state: State) -> S:
        """The same."""
        return cls(modality)  # type: ignore[arg-type]

    def state(self) -> State:
        """Nothing."""
        return State()

    def log_volume(self, items: Items, rng: Rng) -> Tensor:
        """Unit volume."""
        return torch.zeros(len(items), dtype=torch.float64)

    def levels(self, items: Items) -> Tensor:
        """Levels with channels first, uint8; DataError for pictures of another shape."""
        x = items[..., None] if items.ndim == 3 and self.modality.shape[2] == 1 else items
        if x.shape[1:] != self.modality.shape or x.dtype != np.uint8:
            raise DataError(f"pictures of shape {items.shape[1:]} in {items.dtype}; the model knows {self.modality.shape} in uint8", code="SHAPE",
                            remedy="read them with model.modality.read")
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 3, 1)))

    def pictures(self, levels: Tensor) -> Items:
        """Levels with channels first as pictures."""
        return np.ascontiguousarray(np.moveaxis(levels.to(torch.uint8).numpy(), 1, 3))

    def allowed(self, tests: Sequence[Test]) -> dict[int, list[bool]]:
        """By place in the space, which values obey; UsageError where none does."""
        asked: dict[str, list[Test]] = {}
        for test in tests:
            asked.setdefault(test.part, []).append(test)
        found = {self.modality.place(part): [all(t.holds(v) for t in some) for v in self.values] for part, some in asked.items()}
        if not all(any(each) for each in found.values()):
            raise UsageError(f"no level of a pixel obeys {' and '.join(map(str, tests))}", code="CONTRADICTION", param="given",
                             remedy=f"levels are {', '.join(map(str, self.values)) if len(self.values) == 2 else '0 to 255'}")
        return found


class Levels(ImageCodec):
    """Every channel of every pixel as one of 256 values: exact."""

    keeps: Keeps = "bijection"

    @property
    def space(self) -> Space:  # type: ignore[override]
        """One size for all positions."""
        return Discrete(len(self.values), self.shape)

    def encode(self, items: Items, rng: Rng) -> Batch:
        """Levels as they are."""
        return Batch(self.levels(items).long())

    def decode(self, batch: Batch, rng: Rng) -> Items:
        """The same."""
        return self.pictures(batch.tensor)

    def given(self, tests: Sequence[Test]) -> Lowered[Items]:
        """A table of what is allowed at each place: exact."""
        tables = {i: torch.tensor([0.0 if a else -inf for a in each], dtype=torch.float64) for i, each in self.allowed(tests).items()}
        return Lowered(self, {"": Weigh(tables)})


class Binary(Levels):
    """Pictures of black and white only: a bit a pixel, exact."""

    values = (0, 255)

    def encode(self, items: Items, rng: Rng) -> Batch:
        """0 for black, 1 for white."""
        levels = self.levels(items)
        if bool(((levels != 0) & (levels != 255)).any()):
            raise DataError("a pixel is neither 0 nor 255; the model knows black and white only", code="DATA_RANGE")
        return Batch((levels != 0).long())

    def decode(self, batch: Batch, rng: Rng) -> Items:
        """Black and white."""
        return self.pictures(batch.tensor * 255)


class Pixels(ImageCodec):
    """Reals in [-1, 1]: every level's cell filled by uniform noise. The density of the reals bounds the mass of the levels (Theis et al., 2016)."""

    keeps: Keeps = "refines"

    def __init__(self, modality: Image, kept: Mapping[int, tuple[int, int]] | None = None) -> None:
        super().__init__(modality)
        self.kept = kept or {}

    @property
    def space(self) -> Space:  # type: ignore[override]
        """Reals."""
        return Reals(self.shape)

    def log_volume(self, items: Items, rng: Rng) -> Tensor:
        """A cell is 2/256 wide in every direction."""
        return torch.full((len(items),), prod(self.shape) * log(2 / LEVELS), dtype=torch.float64)

    def encode(self, items: Items, rng: Rng) -> Batch:
        """Noise in every cell."""
        x = self.levels(items).double()
        return Batch((x + rng.child("fill").uniform(len(x), *self.shape)) * (2 / LEVELS) - 1)

    def decode(self, batch: Batch, rng: Rng) -> Items:
        """The cell that each number lies in, the outermost ones without end; what is asked for holds whatever was rounded."""
        levels = ((batch.tensor.double() + 1) * (LEVELS / 2)).floor().clamp(0, LEVELS - 1)
        flat = levels.reshape(len(levels), prod(self.shape))
        for i, (low, high) in self.kept.items():
            flat[:, i] = flat[:, i].clamp(low, high)
        return self.pictures(flat.reshape(len(levels), *self.shape))

    def given(self, tests: Sequence[Test]) -> Lowered[Items]:
        """Ranges of neighbouring levels; other sets are left to rejection."""
        runs = {i: (each.index(True), LEVELS - 1 - each[::-1].index(True), sum(each)) for i, each in self.allowed(tests).items()}
        kept = {i: (low, high) for i, (low, high, many) in runs.items() if many == high - low + 1}
        ranges = {i: (low * 2 / LEVELS - 1 if low else -inf, (high + 1) * 2 / LEVELS - 1 if high < LEVELS - 1 else inf)
                  for i, (low, high) in kept.items() if (low, high) != (0, LEVELS - 1)}
        rest = tuple(t for t in tests if self.modality.place(t.part) not in kept)
        return Lowered(Pixels(self.modality, kept), {"": Within(ranges)} if ranges else {}, 0.0, rest)
