"""Pictures: folders, zips, single files, Parquet, IDX and arrays; upright, in one size and colour, 256 levels a channel."""
from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from ilk.captions import Captions
from ilk.dataset import Dataset, Labels, Origin
from ilk.errors import DataError, UsageError
from ilk.modalities._image_beside import pictures_beside
from ilk.modalities._image_codecs import LEVELS, Binary, Levels, Pixels
from ilk.modalities._image_decode import SUFFIXES, Fit, Items, resized
from ilk.modalities._image_files import has_pictures, look, picture_column
from ilk.modalities._image_idx import idx_files, is_idx, read_idx
from ilk.modalities._image_load import MOST_NUMBERS, Loaded, Wanted, load
from ilk.modalities._image_write import contact_sheet, png, write
from ilk.modalities.array import ITEMS, Array, labelled
from ilk.modality import Codec, Limits, Modality, Shown, times_of
from ilk.rules import Test, Value

LEAST_SIDE, SHOWN = 8, 64
_LOOK, _PIECE = 1000, 4096  # files of a folder looked at to tell what it holds; pictures looked at at once
_CHANNELS = {"auto": 0, "grey": 1, "rgb": 3, "rgba": 4}
Color = Literal["auto", "grey", "rgb", "rgba"]


@dataclass(frozen=True, kw_only=True)
class Image(Modality[Items]):
    """Pictures as bytes of shape (items, height, width, channels). `shape` and `levels` (2: black and white) are filled by `read`.

    `beside` is a folder with another picture of each one's name, which models may learn to make them from.
    """

    size: Annotated[int, Interval(ge=0, le=4096)] = 0
    fit: Fit = "crop"
    color: Color = "auto"
    bad: Annotated[float, Interval(ge=0, le=1)] = 0.01
    beside: str = ""
    shape: tuple[Annotated[int, Interval(ge=1)], ...] = ()
    levels: Annotated[int, Interval(ge=2, le=LEVELS)] = LEVELS

    def __post_init__(self) -> None:
        if self.shape and (len(self.shape) != 3 or self.shape[2] not in _CHANNELS.values() or prod(self.shape) > MOST_NUMBERS):
            raise UsageError(f"no pictures have the shape {self.shape}", code="SHAPE", remedy=f"height, width, 1, 3 or 4 channels; at most {MOST_NUMBERS} numbers")

    @classmethod
    def claims(cls, raw: Any) -> bool:
        """Files and folders of pictures, and arrays of bytes of the shape of pictures of 8 x 8 pixels at least."""
        if isinstance(raw, np.ndarray):
            return _looks(raw.shape, raw.dtype)
        if not isinstance(raw, str | Path):
            return False
        at = Path(raw)
        suffix = at.suffix.lower()
        if os.path.isdir(at):
            suffixes = [p.suffix.lower() for p in islice(at.rglob("*.*"), _LOOK)]
            return 0 < sum(s in SUFFIXES for s in suffixes) * 2 >= len(suffixes) or bool(idx_files(at))
        kinds = {".zip": has_pictures, ".parquet": picture_column, ".pq": picture_column, ".npz": _array_looks, ".npy": _array_looks}
        return suffix in SUFFIXES or is_idx(at) or (suffix in kinds and bool(kinds[suffix](at)))

    def read(self, at: Any, limits: Limits) -> Dataset[Items]:
        """A path, or an array in memory; folders named train, valid and test become the splits."""
        if self.beside and not (isinstance(at, str | Path) and (os.path.isdir(at) or Path(at).suffix.lower() == ".zip")):
            raise UsageError("pictures that are no files of a folder or a zip have no names to look for beside them", code="FORMAT", param="beside",
                             remedy="in Python: Dataset(..., beside={'beside': array})")
        if not isinstance(at, str | Path):
            return self._of_array(Array().read(at, limits))
        path = Path(at)
        if path.suffix.lower() in (".npz", ".npy"):
            return self._of_array(Array().read(path, limits))
        idx = {"": path} if is_idx(path) else idx_files(path) if os.path.isdir(path) else {}
        if idx and not self.beside:
            return self._of_idx(path, {split: read_idx(p, limits) for split, p in idx.items()})
        found = look(path, limits)
        loaded = load(path, found, Wanted(self.shape, self.size, _CHANNELS[self.color], self.fit, self.bad), limits)
        made = self._of_files(path, loaded)
        return replace(made, beside={"beside": pictures_beside(Path(self.beside), loaded.pictures, limits)}) if self.beside else made

    def _of_files(self, at: Path, loaded: Loaded) -> Dataset[Items]:
        labels = [p.label for p in loaded.pictures]
        splits = _ranges([p.split for p in loaded.pictures])
        captions = [p.caption for p in loaded.pictures]
        made = self.dataset(loaded.items, None if None in labels else np.array(labels), splits, Origin(str(at), notes=loaded.notes))
        return replace(made, captions=Captions.of(captions)) if any(captions) else made

    def _of_array(self, data: Dataset[Any]) -> Dataset[Items]:
        """Pictures that came as an array, with what came beside it."""
        items = data.items
        if items.dtype != np.uint8 or items.ndim not in (3, 4) or (items.ndim == 4 and items.shape[3] not in (1, 3, 4)):
            raise DataError(f"an array of {items.dtype} of shape {items.shape} is not of pictures", code="SHAPE",
                            remedy="uint8 (0 to 255) of shape (n, h, w) or (n, h, w, 1, 3 or 4), channels last")
        made = self.dataset(items if items.ndim == 4 else items[..., None], None, data.splits, data.origin)
        return replace(made, labels=data.labels)

    def _of_idx(self, at: Path, parts: Mapping[str, tuple[Items, Items | None]]) -> Dataset[Items]:
        if len({items.shape[1:] for items, _ in parts.values()}) > 1:
            raise DataError(f"the files of {at} hold pictures of different shapes", code="SHAPE")
        items = np.concatenate([items for items, _ in parts.values()])
        labels = [labels for _, labels in parts.values() if labels is not None]
        splits = _ranges([split for split, (part, _) in parts.items() for _ in range(len(part))])
        return self.dataset(items, np.concatenate(labels) if len(labels) == len(parts) else None, splits, Origin(str(at)))

    def dataset(self, items: Items, labels: Any, splits: Mapping[str, Tensor], origin: Origin = Origin()) -> Dataset[Items]:
        """Pictures (n, h, w, c) in the size and colour asked for, or in those that the model knows."""
        if not len(items):
            raise DataError(f"{origin.name or 'the array'} holds no pictures", code="EMPTY")
        asked = (self.size or items.shape[1], self.size or items.shape[2], _CHANNELS[self.color] or items.shape[3])
        chosen = self if self.shape else replace(self, shape=asked)
        height, width, channels = chosen.shape
        made = resized(items, (height, width, channels), self.fit)
        known = replace(chosen if self.shape else replace(chosen, levels=2 if _two_levels(made) else LEVELS), beside="")
        found: Labels | None = None if labels is None else labelled(labels, len(made))
        return Dataset(known, made, splits, found, origin=origin)

    def codecs(self) -> Sequence[type[Codec[Items]]]:
        """Bits for black and white, reals for networks, levels where each shall be counted."""
        return (Binary, Pixels, Levels) if self.levels == 2 else (Pixels, Levels)

    def pixel(self, part: str) -> tuple[int, int, int]:
        """Row, column and channel of a part such as "3,4" or "3,4,0"; UsageError for one outside of the picture."""
        try:
            found = tuple(int(p) for p in part.split(","))
        except ValueError:
            found = ()
        found = (*found, 0) if len(found) == 2 and self.shape[2] == 1 else found
        if len(found) != 3 or not all(0 <= i < n for i, n in zip(found, self.shape, strict=True)):
            raise UsageError(f"no part {part!r} in pictures of {self.shape[0]} rows, {self.shape[1]} columns and {self.shape[2]} channels", code="COLUMN",
                             param="given", remedy=f"name a pixel as `2,5{'' if self.shape[2] == 1 else ',0'}`, counting from 0")
        return found

    def place(self, part: str) -> int:
        """Where a part stands in a space, channels first."""
        row, column, channel = self.pixel(part)
        return (channel * self.shape[0] + row) * self.shape[1] + column

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """Pixels inside the picture, constants that are numbers."""
        for t in tests:
            self.pixel(t.part)
            if any(isinstance(v, bool | str) or v is None for v in (t.value if isinstance(t.value, tuple) else (t.value,))):
                raise UsageError(f"`{t.part}` {t.sign} {t.value!r}: pixels are numbers from 0 to {LEVELS - 1}", code="RULE_TYPE", param="given")
        return tuple(tests)

    def obeys(self, items: Items, tests: Sequence[Test]) -> Tensor:
        """Which pictures obey."""
        out = np.ones(len(items), dtype=bool)
        for t in tests:
            row, column, channel = self.pixel(t.part)
            out &= np.array([t.holds(level) for level in range(LEVELS)])[items[:, row, column, channel]]
        return torch.from_numpy(out)

    def number(self, items: Items, part: str) -> Tensor:
        """The level of a pixel's channel."""
        row, column, channel = self.pixel(part)
        return torch.from_numpy(items[:, row, column, channel].astype(np.float64))

    def parts(self, item: Items) -> dict[str, Value]:
        """Every channel of every pixel, by row, column and channel."""
        return {",".join(map(str, at)): value.item() for at, value in np.ndenumerate(item[0])}

    def take(self, items: Items, index: Tensor) -> Items:
        """Items by index."""
        return np.asarray(items[index.numpy()])

    def join(self, pieces: Sequence[Items]) -> Items:
        """One array."""
        return np.concatenate(pieces)

    def sizeless(self) -> Image:
        """The same colour in any size."""
        colour: Color = {1: "grey", 3: "rgb", 4: "rgba"}.get(self.shape[2], "auto")   # type: ignore[assignment]
        return replace(self, size=0, shape=(), color=colour)

    def times(self, small: Items) -> int:
        """How many times as high and as wide the pictures that it knows are."""
        return times_of(self.shape[:2], small.shape[1:3])

    def enlarged(self, small: Items, times: int) -> Items:
        """Every pixel as a block."""
        return small.repeat(times, 1).repeat(times, 2)

    def write(self, items: Items, to: Path) -> None:
        """A folder of PNG files, a .zip of them, an .npz, or a .png: one picture, or a contact sheet of several."""
        write(items, to)

    def show(self, items: Items) -> Shown:
        """A contact sheet of the first 64."""
        return Shown("image/png", png(contact_sheet(items[:SHOWN])))

    def keys(self, items: Items) -> Sequence[Any]:
        """16 bytes that stand for each picture."""
        return [blake2b(x.tobytes(), digest_size=16).digest() for x in items]

    def lengths(self, items: Items) -> Mapping[str, Tensor]:
        """Numbers: every channel of every pixel."""
        return {"dimension": torch.full((len(items),), prod(self.shape))}


def _ranges(splits: Sequence[str]) -> Mapping[str, Tensor]:
    """The index of every split, if there are any."""
    names = {name: None for name in splits if name}
    return {name: torch.tensor([i for i, s in enumerate(splits) if s == name]) for name in names}


def _two_levels(items: Items) -> bool:
    return all(bool(((part == 0) | (part == LEVELS - 1)).all()) for part in (items[i:i + _PIECE] for i in range(0, len(items), _PIECE)))


def _looks(shape: tuple[int, ...], dtype: Any) -> bool:
    return dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))) and min(shape[1:3]) >= LEAST_SIDE


def _array_looks(at: Path) -> bool:
    """Whether the header of a NumPy file says that it holds pictures."""
    try:
        with open(at, "rb") as file:
            if not zipfile.is_zipfile(file):
                return _looks(*_header(file))
            with zipfile.ZipFile(file) as archive:
                names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
                name = next((n for n in ("x_train", *ITEMS) if n in names), names[0])
                with archive.open(f"{name}.npy") as member:
                    return _looks(*_header(member))
    except (OSError, ValueError, EOFError, IndexError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return False


def _header(file: Any) -> tuple[tuple[int, ...], Any]:
    file.seek(0)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(np.lib.format.read_magic(file), np.lib.format.read_array_header_2_0)
    shape, _, dtype = read(file)
    return shape, dtype
