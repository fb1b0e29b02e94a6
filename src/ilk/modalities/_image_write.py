"""Pictures for eyes and files: PNG, contact sheets, folders, zips."""
from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import PIL.Image as pil

from ilk.errors import UsageError
from ilk.files import atomic, not_written
from ilk.modalities._image_decode import MODES, Items

SIDE, GAP, MOST = 64, 2, 4096  # pixels that a picture of a sheet is enlarged to, pixels between, pictures on a sheet


def image_of(x: Items) -> pil.Image:
    """(h, w, c) as an image."""
    return pil.fromarray(np.ascontiguousarray(x[:, :, 0] if x.shape[2] == 1 else x))


def png(image: pil.Image) -> bytes:
    """An image as PNG."""
    made = BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def contact_sheet(items: Items) -> pil.Image:
    """All pictures in a grid with thin gaps, small ones enlarged by a whole factor, large ones made smaller."""
    n, height, width, channels = items.shape
    across = max(1, ceil(sqrt(n)))
    longest = max(height, width)
    scale = max(1, SIDE // longest) if longest <= 4 * SIDE else 4 * SIDE / longest
    size = max(1, round(width * scale)), max(1, round(height * scale))
    step = size[0] + GAP, size[1] + GAP
    sheet = pil.new(MODES[channels], (across * step[0] - GAP, max(1, ceil(n / across)) * step[1] - GAP), "white" if channels < 4 else (255, 255, 255, 0))
    for i, x in enumerate(items):
        how = pil.Resampling.NEAREST if scale >= 1 else pil.Resampling.LANCZOS
        sheet.paste(image_of(x).resize(size, how), (i % across * step[0], i // across * step[1]))
    return sheet


def write(items: Items, to: Path) -> None:
    """A folder of PNG files, a .zip of them, an .npz, or one .png: the picture itself, or a contact sheet of several."""
    suffix = to.suffix.lower()
    if suffix == "":
        _folder(items, to)
    elif suffix == ".png":
        _one(items, to)
    elif suffix in (".zip", ".npz"):
        with atomic(to) as file:
            if suffix == ".npz":
                np.savez_compressed(file, x=items)
            else:
                with zipfile.ZipFile(file, "w") as archive:
                    for name, data in _files(items):
                        archive.writestr(zipfile.ZipInfo(name), data)  # without the time, so that the same pictures are the same bytes
    else:
        raise UsageError(f"pictures can't be written as {to.name}", remedy="a folder (a name without a suffix), .png, .zip or .npz", code="FORMAT", param="out")


def _one(items: Items, to: Path) -> None:
    if not 1 <= len(items) <= MOST:
        raise UsageError(f"{len(items)} pictures don't go on one sheet", remedy=f"1 to {MOST}, or a folder or a .zip", code="FORMAT", param="out")
    with atomic(to) as file:
        file.write(png(image_of(items[0]) if len(items) == 1 else contact_sheet(items)))


def _files(items: Items) -> Iterator[tuple[str, bytes]]:
    digits = max(4, len(str(len(items) - 1)))
    return ((f"{i:0{digits}}.png", png(image_of(x))) for i, x in enumerate(items))


def _folder(items: Items, to: Path) -> None:
    """A folder that takes its name only when all is in it."""
    part = to.with_name(f".{to.name}.part")
    if to.is_file() or (to.is_dir() and any(to.iterdir())):
        raise UsageError(f"{to} is there already", remedy="name a folder that is new or empty", code="EXISTS", param="out")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, data in _files(items):
            with open(part / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, to)
    except OSError as why:
        raise not_written(to, why) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
