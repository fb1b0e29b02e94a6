"""Arrays: npy and npz files and NumPy arrays, whole numbers counted, floats as densities, labels beside them."""
from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ilk.dataset import Dataset, Labels, Origin, given_splits
from ilk.errors import DataError, ModelError, UsageError
from ilk.files import atomic
from ilk.modalities._array_codecs import Counted, Items, Smooth
from ilk.modality import Codec, Gauge, Limits, Modality, Shown, times_of
from ilk.rules import Test, Value

MOST_LEVELS, MOST_NUMBERS = 65_536, 1 << 24
ITEMS, LABELS = ("x", "X", "data", "images", "items", "arr_0"), ("y", "Y", "labels", "label", "target")


@dataclass(frozen=True, kw_only=True)
class Array(Modality[Items]):
    """Arrays of shape (items, ...). `shape`, `dtype`, `low` and `levels` (0: real) are filled by `read`."""

    shape: tuple[Annotated[int, Interval(ge=1)], ...] = ()
    dtype: Annotated[str, Field(pattern=r"^(bool|u?int(8|16|32|64)|float(16|32|64|96|128))$")] = "float64"
    low: Annotated[int, Interval(ge=-(2**63), le=2**63)] = 0
    levels: Annotated[int, Interval(ge=0, le=2**64)] = 0

    def __post_init__(self) -> None:
        if prod(self.shape) > MOST_NUMBERS:
            raise UsageError(f"items of shape {self.shape} have more than {MOST_NUMBERS} numbers each", code="TOO_LARGE")

    @classmethod
    def claims(cls, raw: Any) -> bool:
        """.npy, .npz, and arrays."""
        return Path(raw).suffix.lower() in (".npy", ".npz") if isinstance(raw, str | Path) else isinstance(raw, np.ndarray | Tensor)

    def read(self, at: Any, limits: Limits) -> Dataset[Items]:
        """A file, or an array in memory. An npz may hold labels, and x_train, y_train, x_test, y_test."""
        if not isinstance(at, str | Path):
            return self.dataset(np.asarray(at), None, Origin("memory"))
        path = Path(at)
        try:
            if path.stat().st_size == 0:
                raise DataError(f"{path} is empty", code="EMPTY")
            arrays = _unzipped(path, limits) if zipfile.is_zipfile(path) else {"x": np.load(path, allow_pickle=False)}
        except FileNotFoundError:
            raise DataError(f"there is no file {path}", code="NOT_FOUND") from None
        except PermissionError:
            raise DataError(f"{path} can't be read: permission denied", code="UNREADABLE") from None
        except (ValueError, EOFError, OSError, zipfile.BadZipFile) as why:
            if isinstance(why, DataError):
                raise
            if "pickle" in str(why) or "Object" in str(why):
                raise ModelError(f"{path} holds Python objects, which would run code when read", code="UNTRUSTED_FORMAT", remedy="save plain numbers") from None
            raise DataError(f"{path} is not a NumPy file that can be read: {str(why)[:120]}", code="FORMAT") from None
        return self._named(arrays, Origin(str(path)))

    def _named(self, arrays: Mapping[str, Items], origin: Origin) -> Dataset[Items]:
        splits = {n: arrays[f"x_{n}"] for n in ("train", "valid", "test") if f"x_{n}" in arrays}
        if "train" in splits:
            whole = self.dataset(np.concatenate(list(splits.values())), None, origin)
            made = given_splits(whole.modality, splits, origin)
            if all(f"y_{n}" in arrays for n in splits):
                return replace(made, labels=labelled(np.concatenate([arrays[f"y_{n}"] for n in splits]), len(made)))
            return made
        name = next((n for n in ITEMS if n in arrays), next(iter(arrays)))
        label = next((arrays[n] for n in LABELS if n in arrays and n != name), None)
        return self.dataset(arrays[name], label, origin)

    def dataset(self, items: Items, labels: Items | None, origin: Origin = Origin()) -> Dataset[Items]:
        """An array with its type; DataError for one that is empty, not numbers, or not finite."""
        if items.dtype.kind == "O":
            raise ModelError("the array holds Python objects", code="UNTRUSTED_FORMAT", remedy="save plain numbers")
        if items.ndim == 0 or items.shape[0] == 0 or prod(items.shape[1:]) == 0:
            raise DataError(f"an array of shape {items.shape} holds no items", code="EMPTY")
        if items.dtype.kind not in "biuf":
            raise DataError(f"an array of {items.dtype} is not of numbers", code="DATA_TYPE")
        if items.dtype.kind == "f":
            if not np.isfinite(items).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(items))[0])
                raise DataError(f"the number at {list(where)} is {items[where]}", code="DATA_TYPE", remedy="remove it; tables may have missing cells")
            if float(np.abs(items).max()) > 1e150:
                raise DataError("numbers beyond 1e150 can't be modelled", code="DATA_TYPE")
            made = replace(self, shape=items.shape[1:], dtype=items.dtype.name, low=0, levels=0)
        else:
            low = int(items.min()) if items.dtype.kind == "i" else 0
            made = replace(self, shape=items.shape[1:], dtype=items.dtype.name, low=low, levels=max(1, int(items.max()) - low + 1))
        return Dataset(made, items, labels=None if labels is None else labelled(labels, len(items)), origin=origin)

    def codecs(self) -> Sequence[type[Codec[Items]]]:
        """Whole numbers as such first, if there are not too many."""
        return (Counted, Smooth) if 0 < self.levels <= MOST_LEVELS else (Smooth,)

    def place(self, part: str) -> int:
        """The flat index of a part such as "3" or "2,5"; UsageError for one outside the shape."""
        try:
            index = tuple(int(p) for p in part.split(","))
            return int(np.ravel_multi_index(index, self.shape)) if self.shape else 0
        except ValueError:
            raise UsageError(f"no part {part!r} in items of shape {self.shape}", code="COLUMN", param="given",
                             remedy="name a place as `0` or `2,5`, counting from 0") from None

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """Places inside the shape, constants that are numbers."""
        for t in tests:
            self.place(t.part)
            values: Sequence[Value] = t.value if isinstance(t.value, tuple) else (t.value,)
            if any(isinstance(v, bool | str) or v is None for v in values):
                raise UsageError(f"`{t.part}` {t.sign} {t.value!r}: arrays hold numbers", code="RULE_TYPE", param="given")
        return tuple(tests)

    def obeys(self, items: Items, tests: Sequence[Test]) -> Tensor:
        """Which items obey."""
        flat, out = items.reshape(len(items), -1), np.ones(len(items), dtype=bool)
        for t in tests:
            x = flat[:, self.place(t.part)]
            values = list(t.value) if isinstance(t.value, tuple) else [t.value]
            inside = np.isin(x, np.asarray(values, dtype=np.float64))
            v: Any = values[0]
            out &= {"==": inside, "in": inside, "!=": ~inside, "not in": ~inside, "<": x < v, "<=": x <= v, ">": x > v, ">=": x >= v}[t.sign]
        return torch.from_numpy(out)

    def number(self, items: Items, part: str) -> Tensor:
        """The number at a place."""
        return torch.from_numpy(items.reshape(len(items), -1)[:, self.place(part)].astype(np.float64))

    def parts(self, item: Items) -> dict[str, Value]:
        """Every number by its place."""
        return {",".join(map(str, at)): value.item() for at, value in np.ndenumerate(item[0])}

    def gauges(self, names: Sequence[str]) -> list[Gauge]:
        """Whole numbers within their type, or floats of so many binary digits."""
        for name in names:
            self.place(name)
        kind = np.dtype(self.dtype)
        if kind.kind == "f":
            return [Gauge(binary=min(53, np.finfo(kind).nmant + 1))] * len(names)
        low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
        return [Gauge(Fraction(1), low=float(low), high=float(high), binary=53)] * len(names)

    def numbers(self, items: Items, names: Sequence[str]) -> NDArray[np.float64]:
        """The numbers at these places."""
        return items.reshape(len(items), -1)[:, [self.place(name) for name in names]].astype(np.float64)

    def renumbered(self, items: Items, names: Sequence[str], values: NDArray[np.float64]) -> Items:
        """The array with other numbers there."""
        made = items.copy().reshape(len(items), -1)
        made[:, [self.place(name) for name in names]] = values.astype(items.dtype)
        return made.reshape(items.shape)

    def take(self, items: Items, index: Tensor) -> Items:
        """Items by index."""
        taken: Items = items[index.numpy()]
        return taken

    def join(self, pieces: Sequence[Items]) -> Items:
        """One array."""
        return np.concatenate(pieces)

    def sizeless(self) -> Array:
        """Arrays of any shape."""
        return Array()

    def times(self, small: Items) -> int:
        """How many times as high and as wide the pictures (channels, height, width) that it knows are."""
        return times_of(self.shape[1:], small.shape[2:])

    def enlarged(self, small: Items, times: int) -> Items:
        """Every pixel as a block."""
        return small.repeat(times, 2).repeat(times, 3)

    def write(self, items: Items, to: Path) -> None:
        """.npy or .npz."""
        if to.suffix.lower() not in (".npy", ".npz"):
            raise UsageError(f"an array can't be written as {to.name}", remedy="use .npy or .npz", code="FORMAT", param="out")
        with atomic(to) as file:
            np.savez_compressed(file, x=items) if to.suffix.lower() == ".npz" else np.save(file, items, allow_pickle=False)

    def show(self, items: Items) -> Shown:
        """Text."""
        return Shown("text/plain; charset=utf-8", np.array2string(items[:5], threshold=200, precision=4).encode())

    def keys(self, items: Items) -> Sequence[Any]:
        """Their bytes."""
        return [x.tobytes() for x in np.ascontiguousarray(items)]

    @property
    def measure(self) -> str:
        """Counting for whole numbers, Lebesgue for reals."""
        return "counting measure" if self.levels else "Lebesgue measure"


def labelled(labels: Items, items: int) -> Labels:
    """Labels of any kind as codes and names; DataError if there are not as many as items."""
    if len(labels) != items or labels.ndim != 1:
        raise DataError(f"{len(labels)} labels for {items} items", code="LABELS")
    names, codes = np.unique(labels, return_inverse=True)
    return Labels(torch.from_numpy(codes.astype(np.int64)), tuple(n.item() for n in names))


def _unzipped(path: Path, limits: Limits) -> dict[str, Items]:
    """The arrays of an npz; DataError before anything is unpacked that is too large."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        size, packed = sum(e.file_size for e in entries), max(1, sum(e.compress_size for e in entries))
        if len(entries) > limits.entries or size > limits.unpacked or (size > 1 << 20 and size / packed > limits.ratio):
            raise DataError(f"{path} unpacks to {size >> 20} MiB from {packed >> 10} KiB in {len(entries)} parts", code="decompression_bomb",
                            remedy=f"at most {limits.unpacked >> 20} MiB, {limits.ratio} times its size and {limits.entries} parts")
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files if f"{name}.npy" in found.zip.namelist()}
    if not arrays:
        raise DataError(f"{path} holds no arrays", code="EMPTY")
    return arrays
