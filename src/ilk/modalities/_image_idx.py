"""The IDX form of MNIST: a header of sizes, then bytes; labels lie in a file beside the pictures."""
from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from ilk.errors import DataError
from ilk.modalities._files import read_bytes
from ilk.modalities._image_decode import Items
from ilk.modality import Limits

_NAME = re.compile(r".*(\.idx|[.-]idx[1-4]-ubyte)(\.gz)?", re.IGNORECASE)
_BYTES = 0x08  # the type of unsigned bytes


def is_idx(at: Path) -> bool:
    """Whether a file is named as such."""
    return bool(_NAME.fullmatch(at.name))


def idx_files(folder: Path) -> Mapping[str, Path]:
    """The files of pictures in a folder by split: those of MNIST are named train-images and t10k-images."""
    found = sorted(p for p in folder.iterdir() if is_idx(p) and "images" in p.name.lower())
    return {"train" if p.name.lower().startswith("train") else "test": p for p in found}


def read_idx(at: Path, limits: Limits) -> tuple[Items, Items | None]:
    """The pictures (n, h, w, c) of a file, and the labels of the file beside it; DataError if the header says other sizes."""
    items = _array(at, limits)
    if items.ndim not in (3, 4):
        raise DataError(f"{at} holds an array of shape {items.shape}, no pictures", code="SHAPE")
    items = items[..., None] if items.ndim == 3 else items
    beside = at.with_name(re.sub("idx[34]", "idx1", at.name.replace("images", "labels")))
    if beside.name == at.name or not beside.is_file():
        return items, None
    return items, _array(beside, limits)


def _array(at: Path, limits: Limits) -> Items:
    data = read_bytes(at, limits)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _BYTES or not 1 <= data[3] <= 4:
        raise DataError(f"{at} is no IDX file of bytes", code="FORMAT")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i:i + 4], "big") for i in range(4, start, 4))
    if prod(shape) != len(data) - start:
        raise DataError(f"{at} has {len(data) - start} bytes; its header says {' x '.join(map(str, shape))}", code="FORMAT", remedy="fetch it again")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape).copy()
