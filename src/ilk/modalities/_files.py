"""Bytes of files and of folders of files, plain or gzip, within limits; whatever is wrong is said with its place."""
from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError, IlkError, ResourceError
from ..files import atomic
from ..modality import Limits

_HARMLESS, _PIECE = 1 << 20, 1 << 20  # what may be unpacked at any ratio; bytes unpacked at once


def suffix_of(at: Path) -> str:
    """The last suffix, lower case, that of gzip left out.

    >>> suffix_of(Path("poems.TXT.gz"))
    '.txt'
    """
    return (at.with_suffix("") if at.suffix.lower() == ".gz" else at).suffix.lower()


def read_bytes(at: Path, limits: Limits) -> bytes:
    """All bytes of a file, unpacked if its name ends in .gz; never more than the limits allow."""
    try:
        about = at.stat()
        if not stat.S_ISREG(about.st_mode):
            raise DataError(f"{at} is no regular file", code="UNREADABLE")
        if about.st_size > limits.bytes:
            raise ResourceError(f"{at} has {about.st_size} bytes; the limit is {limits.bytes}", code="TOO_LARGE", remedy="cut it up")
        data = _unpacked(at, about.st_size, limits) if at.suffix.lower() == ".gz" else at.read_bytes()
    except IlkError:
        raise
    except (OSError, ValueError) as why:
        raise unreadable(at, why) from None
    if not data:
        raise DataError(f"{at} is empty", code="EMPTY")
    return data


def unreadable(at: Path, why: Exception) -> DataError:
    """What kept a path from being read."""
    if isinstance(why, FileNotFoundError):
        return DataError(f"there is no file {at}", code="NOT_FOUND", remedy="check the path")
    reason = getattr(why, "strerror", None) or why
    return DataError(f"{at} can't be read: {reason}", code="UNREADABLE", remedy="check the path and your right to read it")


def _unpacked(at: Path, packed: int, limits: Limits) -> bytes:
    whole = bytearray()
    try:
        with gzip.open(at) as file:
            while piece := file.read(_PIECE):
                whole += piece
                if len(whole) > limits.unpacked or len(whole) > max(_HARMLESS, limits.ratio * packed):
                    raise DataError(f"{at} unpacks to more than {limits.ratio} to 1 or {limits.unpacked} bytes", code="decompression_bomb",
                                    remedy="unpack it yourself if you trust it")
    except gzip.BadGzipFile:
        raise DataError(f"{at} is not gzip data", code="FORMAT", remedy="name it without .gz if it is not packed") from None
    except (EOFError, zlib.error) as why:
        raise DataError(f"{at} is damaged gzip data after {len(whole)} bytes: {why}", code="FORMAT", remedy="fetch it again") from None
    return bytes(whole)


def walk(folder: Path, limits: Limits) -> tuple[list[Path], list[str]]:
    """The files of a folder and its subfolders in sorted order, and notes. Hidden files and links that lead out are left out."""
    root, found, out = folder.resolve(), [], 0
    for path in _sorted_files(folder):
        if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root)):
            out += 1
        elif path.is_file():
            found.append(path)
        if len(found) + out > limits.entries:
            raise ResourceError(f"{folder} has more than {limits.entries} files", code="TOO_LARGE", remedy="put them into one .jsonl file")
    return found, [f"links that lead out of the folder or nowhere were left out: {out}"] if out else []


def _sorted_files(folder: Path) -> Iterator[Path]:
    def refuse(why: OSError) -> None:
        raise unreadable(Path(why.filename or folder), why)

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here) / name for name in sorted(files) if not name.startswith("."))


def write_bytes(to: Path, data: bytes) -> None:
    """A whole file or none; packed if its name ends in .gz."""
    with atomic(to) as file:
        file.write(gzip.compress(data, mtime=0) if to.suffix.lower() == ".gz" else data)
