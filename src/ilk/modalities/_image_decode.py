"""Files of pictures as pixels: an allow-list of formats, sizes checked before decoding, upright, in 8 bits, in one size and colour."""
from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import PIL.Image as pil
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from ilk.errors import IlkError

Items = NDArray[np.uint8]
Fit = Literal["crop", "pad", "stretch"]
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
MOST_PIXELS = 64_000_000
_TOO_MANY = f"more than the {MOST_PIXELS // 1_000_000} million that are decoded"
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_ORIENTATION, _SIDEWAYS = 0x0112, 5  # the tag of EXIF; from this value on, height and width change places
_TURNS = {2: pil.Transpose.FLIP_LEFT_RIGHT, 3: pil.Transpose.ROTATE_180, 4: pil.Transpose.FLIP_TOP_BOTTOM, 5: pil.Transpose.TRANSPOSE,
          6: pil.Transpose.ROTATE_270, 7: pil.Transpose.TRANSVERSE, 8: pil.Transpose.ROTATE_90}


class Broken(Exception):
    """Why a file gives no picture."""

    def __init__(self, why: str, code: str = "FORMAT") -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before any pixel is decoded: upright size, channels that hold all of it, more frames than one."""

    height: int
    width: int
    channels: int
    moving: bool


def header(file: IO[bytes]) -> Header:
    """The header of a picture; Broken if it can't be one."""
    with _opened(file) as image:
        width, height = image.size
        if image.format != "TIFF" and _orientation(image) >= _SIDEWAYS:  # of a TIFF the size is told upright
            width, height = height, width
        grey = image.mode == "1" or image.mode[:1] in "LIF" and image.mode != "LAB"
        channels = 4 if image.has_transparency_data else 1 if grey else 3
        return Header(height, width, channels, bool(getattr(image, "is_animated", False)))


def pixels(file: IO[bytes], shape: tuple[int, int, int], fit: Fit) -> Items:
    """The picture upright, of this height, width and number of channels; Broken if it can't be decoded."""
    with _opened(file) as image:
        image.load()
        turn = _TURNS.get(_orientation(image))
        plain = coloured(_plain(image), shape[2])
        return sized(plain if turn is None else plain.transpose(turn), shape, fit)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[pil.Image]:
    """An image of which the header is read. Whatever goes wrong inside is Broken: decoders meet hostile bytes with exceptions of all kinds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pil.DecompressionBombWarning)
        try:
            with pil.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise Broken(f"{width} x {height} pixels are {_TOO_MANY}", "decompression_bomb")
                if min(width, height) < 1:
                    raise Broken("it has no pixels", "EMPTY")
                yield image
        except (Broken, IlkError, MemoryError):
            raise
        except (pil.DecompressionBombWarning, pil.DecompressionBombError):
            raise Broken(f"its pixels are {_TOO_MANY}", "decompression_bomb") from None
        except UnidentifiedImageError:
            raise Broken(f"it is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture") from None
        except Exception as why:
            text = str(why) or type(why).__name__
            raise Broken("its data are damaged" if "0x" in text else text[:120], "UNREADABLE" if isinstance(why, PermissionError) else "FORMAT") from None


def _orientation(image: pil.Image) -> int:
    """The orientation that EXIF data say. A PNG is asked for them only where they stand before the pixels, since else all would be decoded."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data say nothing, and do no harm to the picture
        return 1


def _plain(image: pil.Image) -> pil.Image:
    """The same picture as L, RGB or RGBA: palettes looked up, 16 bits scaled to 8, inks as light."""
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image))
    if image.mode == "F":
        raise Broken("its pixels are floating-point numbers, of which no range is known")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _from_16_bits(values: NDArray[Any]) -> pil.Image:
    if values.size and (values.min() < 0 or values.max() > 65_535):
        raise Broken("its pixels are 32-bit numbers, of which no range is known")
    return pil.fromarray(((values.astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8))


def coloured(image: pil.Image, channels: int) -> pil.Image:
    """A picture of L, RGB or RGBA with so many channels; what shows through is white."""
    if image.mode == "RGBA" and channels < 4:
        image = pil.alpha_composite(pil.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def sized(image: pil.Image, shape: tuple[int, int, int], fit: Fit) -> Items:
    """The picture of this size, (h, w, c): cut to the shape around its middle, or with black (transparent) margins, or stretched."""
    height, width, _ = shape
    if image.size != (width, height):
        across, down = width / image.width, height / image.height
        scale = max(across, down) if fit == "crop" else min(across, down)
        how = pil.Resampling.LANCZOS if scale < 1 else pil.Resampling.BICUBIC
        image = _padded(image, width, height, scale, how) if fit == "pad" else image.resize((width, height), how, _middle(image, width / scale, height / scale, fit))
    return np.asarray(image, dtype=np.uint8).reshape(shape)


def _middle(image: pil.Image, width: float, height: float, fit: Fit) -> tuple[float, float, float, float]:
    """The part of the picture that is kept."""
    if fit == "stretch":
        return (0, 0, image.width, image.height)
    width, height = min(width, image.width), min(height, image.height)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return (left, top, left + width, top + height)


def _padded(image: pil.Image, width: int, height: int, scale: float, how: pil.Resampling) -> pil.Image:
    inner = image.resize((min(width, max(1, round(image.width * scale))), min(height, max(1, round(image.height * scale)))), how)
    whole = pil.new(image.mode, (width, height))
    whole.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return whole


def resized(items: Items, shape: tuple[int, int, int], fit: Fit) -> Items:
    """Pictures in memory in another size or colour."""
    if items.shape[1:] == shape:
        return items
    images = (pil.fromarray(x[:, :, 0] if items.shape[3] == 1 else x) for x in items)
    made = [sized(coloured(image, shape[2]), shape, fit) for image in images]
    return np.stack(made) if made else np.zeros((0, *shape), dtype=np.uint8)


def open_regular(at: Path) -> IO[bytes]:
    """A file, if it is one: pipes and devices would keep the reader waiting."""
    if not at.is_file():
        raise Broken("it is no regular file", "UNREADABLE")
    if not at.stat().st_size:
        raise Broken("it is empty", "EMPTY")
    return at.open("rb")
