"""Where pictures lie: a folder, a zip, a column of a Parquet file, a file of its own; with their labels and splits."""
from __future__ import annotations

import stat
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any

import polars as pl

from ilk.errors import DataError, IlkError, printable
from ilk.modalities._files import read_bytes, unreadable, walk
from ilk.modalities._image_decode import SUFFIXES, Broken, open_regular
from ilk.modalities._image_sides import Side, is_side, said_beside, whole
from ilk.modality import Limits

SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test", "testing": "test"}
COLUMNS = ("image", "img", "picture", "photo", "jpg", "png")
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")
_DIRECTORY, _STRETCH, _HARMLESS = 16 << 20, 256, 1 << 20


@dataclass(frozen=True)
class Picture:
    """A file that may hold a picture: its place within the whole, how to open it, and what its place or a side file says of it."""

    name: str
    open: Callable[[], IO[bytes]]
    split: str = ""
    label: int | str | None = None
    caption: str = ""


@dataclass(frozen=True)
class Found:
    """Pictures in order, and what was decided while looking for them."""

    pictures: Sequence[Picture]
    notes: tuple[str, ...] = ()


def look(at: Path, limits: Limits) -> Found:
    """The pictures at a path, none of them decoded yet; DataError where there can't be any."""
    try:
        if at.is_dir():
            return _folder(at, limits)
        if at.suffix.lower() == ".zip":
            return _zipped(at, limits)
        if at.suffix.lower() in (".parquet", ".pq"):
            return _parquet(at)
        if not at.exists():
            raise DataError(f"there is no file {at}", code="NOT_FOUND", remedy="check the path")
    except IlkError:
        raise
    except (OSError, ValueError) as why:
        raise unreadable(at, why) from None
    return Found([Picture(_clean(at.name), lambda: open_regular(at))])


def _clean(name: str) -> str:
    """A name that can be printed and saved, also where its bytes are no text."""
    return printable(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _folder(at: Path, limits: Limits) -> Found:
    paths, notes = walk(at, replace(limits, entries=sys.maxsize))  # pictures are counted later
    names = {_clean(p.relative_to(at).as_posix()): p for p in paths}
    stems = _stems(names)
    sides = {name: (lambda p=p: read_bytes(p, limits)) for name, p in names.items() if is_side(name, stems)}
    return _named({n: (lambda p=p: open_regular(p)) for n, p in names.items()}, sides, at, notes)  # type: ignore[misc]


def _named(files: Mapping[str, Callable[[], IO[bytes]]], sides: Mapping[str, Callable[[], bytes]], at: Path, notes: Sequence[str]) -> Found:
    """Files by their name within a folder or an archive, as pictures with labels and splits."""
    wanted = {name: open for name, open in files.items() if _is_picture(name)}
    other = [n for n in files if n not in wanted and n not in sides and not _is_junk(n)]
    if not wanted:
        raise DataError(f"{at} has no pictures in it", code="EMPTY", remedy=f"files that end in {', '.join(SUFFIXES)}")
    splits, left = _splits(list(wanted))
    side = said_beside({name: read() for name, read in sides.items()}, splits)
    labels, more = _labels(splits, side)
    said = [f"{len(other)} files are no pictures: {_few(other)}"] if other else []
    said += [f"{len(left)} pictures outside of the folders of train and test were left out: {_few(left)}"] if left else []
    found = [Picture(name, wanted[name], split, labels.get(name), side.captions.get(name, "")) for name, split in splits.items()]
    return Found(found, (*notes, *said, *side.notes, *more))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not _is_junk(name)


def _stems(names: Iterable[str]) -> set[str]:
    """Names of pictures without their suffix."""
    return {PurePosixPath(name).with_suffix("").as_posix() for name in names if _is_picture(name)}


def _is_junk(name: str) -> bool:
    return any(part.startswith(".") or part in _JUNK for part in name.split("/"))


def _splits(names: Sequence[str]) -> tuple[Mapping[str, str], Sequence[str]]:
    """The split of every picture, "" where nobody made any, and the names that lie outside of those that were made."""
    top = {name: SPLITS.get(name.split("/")[0].lower(), "") if "/" in name else "" for name in names}
    if not {"train", "valid"} <= set(top.values()) and not {"train", "test"} <= set(top.values()):
        return dict.fromkeys(names, ""), []
    order = [name for split in ("train", "valid", "test") for name in names if top[name] == split]
    return {name: top[name] for name in order}, [name for name in names if not top[name]]


def _labels(splits: Mapping[str, str], side: Side) -> tuple[Mapping[str, int | str], Sequence[str]]:
    """A label for every picture or for none: from a side file, else the folder that it lies in."""
    if side.labels:
        without = [name for name in splits if name not in side.labels]
        if without:
            return {}, [f"no labels: {side.name} says none of {len(without)} pictures ({_few(without)})"]
        return side.labels, []
    inner = {name: name.split("/")[1 if split else 0:-1] for name, split in splits.items()}
    found = {folders[0] for folders in inner.values() if folders}
    if not all(inner.values()) or len(found) < 2:
        return {}, []
    return whole({name: folders[0] for name, folders in inner.items()}), []


def _zipped(at: Path, limits: Limits) -> Found:
    """The pictures of a zip, read where they lie: nothing is written under a name that an archive chose."""
    if not at.stat().st_size:
        raise DataError(f"{at} is empty", code="EMPTY")
    try:
        _check_directory(at)
        archive = zipfile.ZipFile(at)
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as why:
        raise DataError(f"{at} is no zip archive that can be read: {why}", code="FORMAT") from None
    infos = archive.infolist()
    size, packed = sum(i.file_size for i in infos), at.stat().st_size
    if len(infos) > limits.entries or size > limits.unpacked or size > max(_HARMLESS, limits.ratio * packed):
        raise DataError(f"{at} unpacks to {size >> 20} MiB from {packed >> 10} KiB in {len(infos)} parts", code="decompression_bomb",
                        remedy=f"at most {limits.unpacked >> 20} MiB, {limits.ratio} times its size and {limits.entries} parts")
    for info in infos:
        if info.filename.startswith("/") or ".." in info.filename.replace("\\", "/").split("/"):
            raise DataError(f"{at} is not safe: {_clean(info.filename)[:200]!r} leaves the archive's own folder", code="UNSAFE_ARCHIVE")
    regular = {_clean(i.filename): i for i in infos if not i.is_dir() and stat.S_IFMT(i.external_attr >> 16) in (0, stat.S_IFREG)}
    stems = _stems(regular)
    sides = {n: (lambda i=i: _said(archive, i)) for n, i in regular.items() if is_side(n, stems)}
    return _named({n: (lambda i=i: _member(archive, i)) for n, i in sorted(regular.items())}, sides, at, ())  # type: ignore[misc]


def has_pictures(at: Path) -> bool:
    """Whether a zip has names of pictures in it; one that would take much memory to look at is said to, so that reading refuses it."""
    try:
        _check_directory(at)
        with zipfile.ZipFile(at) as archive:
            return any(_is_picture(name) for name in archive.namelist())
    except DataError:
        return True
    except (OSError, zipfile.BadZipFile, NotImplementedError, struct.error, ValueError):
        return False


def _check_directory(at: Path) -> None:
    """DataError for a directory that would take much memory to read."""
    with at.open("rb") as file:
        file.seek(max(0, at.stat().st_size - (1 << 16) - 22))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if 0 <= end <= len(tail) - 22 and struct.unpack_from("<I", tail, end + 12)[0] > _DIRECTORY:
        raise DataError(f"{at} has a directory of more than {_DIRECTORY >> 20} MiB", code="decompression_bomb", remedy="unpack it yourself if you trust it")


def _said(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return _member(archive, info).getvalue()
    except Broken as why:
        raise DataError(f"{_clean(info.filename)}: {why}", code=why.code) from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BytesIO:
    try:
        return BytesIO(archive.read(info))
    except Exception as why:  # damaged, encrypted or packed in an unknown way: zipfile says it in many ways
        raise Broken(f"it can't be unpacked: {str(why)[:100]}") from None


class _Cells:
    """A column of pictures in a Parquet file, a stretch in memory at a time."""

    def __init__(self, at: Path, name: str) -> None:
        column = pl.col(name)
        self.lazy, self.start, self.held = pl.scan_parquet(at), -_STRETCH, [b""]
        self.column = column.struct.field("bytes") if isinstance(self.lazy.collect_schema()[name], pl.Struct) else column

    def open(self, row: int) -> BytesIO:
        """The bytes of one row."""
        if not self.start <= row < self.start + _STRETCH:
            self.start = row - row % _STRETCH
            self.held = self.lazy.slice(self.start, _STRETCH).select(self.column).collect().to_series().to_list()
        data = self.held[row - self.start]
        if not data:
            raise Broken("it is missing", "EMPTY")
        return BytesIO(data)


def picture_column(at: Path) -> str | None:
    """The column of a Parquet file that holds pictures: bytes, or bytes with a path; None where there is none."""
    try:
        schema: Mapping[str, Any] = pl.read_parquet_schema(at)
    except (OSError, pl.exceptions.PolarsError):
        return None
    fit = [n for n, kind in schema.items() if isinstance(kind, pl.Struct) and ("bytes", pl.Binary) in [(f.name, f.dtype) for f in kind.fields]]
    fit += [n for n, kind in schema.items() if kind == pl.Binary and n.lower() in COLUMNS]
    return min(fit, key=lambda n: (n.lower() not in COLUMNS, fit.index(n)), default=None)


def _parquet(at: Path) -> Found:
    if not at.exists():
        raise DataError(f"there is no file {at}", code="NOT_FOUND", remedy="check the path")
    name = picture_column(at)
    if name is None:
        raise DataError(f"{at} has no column of pictures", code="FORMAT", remedy=f"a column of bytes named {', '.join(COLUMNS)}, or of bytes and path")
    try:
        rows = int(pl.scan_parquet(at).select(pl.len()).collect().item())
        schema = pl.read_parquet_schema(at)
        label, caption = (next((n for n in names if n in schema), None) for names in (Side.LABELS, Side.CAPTIONS))
        labels, captions = ([None] * rows if n is None else pl.scan_parquet(at).select(n).collect().to_series().to_list() for n in (label, caption))
    except pl.exceptions.PolarsError as why:
        raise DataError(f"{at} can't be read: {str(why)[:120]}", code="FORMAT") from None
    known = label is not None and all(isinstance(v, int | str) for v in labels)
    cells = _Cells(at, name)
    notes = () if label is None or known else (f"no labels: `{label}` has missing cells or is neither text nor whole numbers",)
    told = [text if isinstance(text, str) else "" for text in captions]
    return Found([Picture(f"row {i + 1}", (lambda i=i: cells.open(i)), label=v if known else None, caption=told[i]) for i, v in enumerate(labels)], notes)  # type: ignore[misc]
