"""Reads wanted members of archives into memory, within limits; nothing is written under a name that an archive chose."""
from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import DataError

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError, ValueError, OSError)
_CHUNK, _DIRECTORY = 1 << 20, 16 << 20


@dataclass(frozen=True)
class Caps:
    """What unpacking may cost: bytes in all, bytes per packed byte (above `free` bytes), entries."""

    unpacked: int = 1 << 30
    ratio: int = 100
    entries: int = 100_000
    free: int = 1 << 20

    def check(self, unpacked: int, packed: int) -> None:
        """DataError (code DECOMPRESSION_BOMB) above a limit."""
        if unpacked > self.unpacked:
            raise _bomb(f"unpacks to more than {self.unpacked} bytes")
        if unpacked > max(self.free, self.ratio * packed):
            raise _bomb(f"unpacks to more than {self.ratio} times its size")

    def count(self, entries: int) -> None:
        """DataError (code DECOMPRESSION_BOMB) for too many entries."""
        if entries > self.entries:
            raise _bomb(f"has more than {self.entries} entries")


class _Metered:
    """An unpacking stream that fails as soon as it has given more than it may."""

    def __init__(self, stream: BinaryIO, packed: int, caps: Caps) -> None:
        self.stream, self.packed, self.caps, self.given = stream, packed, caps, 0

    def read(self, size: int = _CHUNK) -> bytes:
        data = self.stream.read(size)
        self.given += len(data)
        self.caps.check(self.given, self.packed)
        return data


def pick(archive: BinaryIO, wants: Callable[[str], bool], caps: Caps = Caps(), packed: int | None = None) -> dict[str, bytes]:
    """The wanted regular files of a zip, wheel, tar or tar.gz, by name.

    DataError for an absolute path or ".." anywhere (code UNSAFE_ARCHIVE), for a wanted link or device, above a limit, or
    for a damaged archive (code DATA_DAMAGED). `packed` is its size, if it can't be sought.
    """
    try:
        if packed is None:
            packed = archive.seek(0, io.SEEK_END)
            archive.seek(0)
            if zipfile.is_zipfile(archive):
                return dict(_zipped(archive, packed, wants, caps))
            archive.seek(0)
            if archive.read(2) == b"\x1f\x8b":
                archive.seek(0)
                with gzip.GzipFile(fileobj=archive) as plain:
                    return dict(_tarred(_Metered(plain, packed, caps), wants, caps))  # type: ignore[arg-type]
            archive.seek(0)
        return dict(_tarred(_Metered(archive, packed, caps), wants, caps))
    except DataError:
        raise
    except _BROKEN as why:
        raise DataError(f"the archive can't be read: {why}", code="DATA_DAMAGED") from None


def _zipped(archive: BinaryIO, packed: int, wants: Callable[[str], bool], caps: Caps) -> Iterator[tuple[str, bytes]]:
    _check_directory(archive, packed)
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        caps.count(len(infos))
        caps.check(sum(i.file_size for i in infos), packed)
        for info, name in [(i, _safe(i.filename)) for i in infos]:
            if info.is_dir() or not wants(name):
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _unsafe(name, "is not a regular file")
            yield name, opened.read(info)


def _check_directory(archive: BinaryIO, packed: int) -> None:
    """Refuses a zip64 or a huge directory, before zipfile takes all of it into memory."""
    archive.seek(max(0, packed - (1 << 16) - 22))
    tail = archive.read()
    end = tail.rfind(b"PK\x05\x06")
    size = struct.unpack_from("<I", tail, end + 12)[0] if 0 <= end <= len(tail) - 22 else 0
    if size > _DIRECTORY or tail[max(0, end - 20):end].startswith(b"PK\x06\x07"):
        raise _bomb("has too large a directory")


def _tarred(stream: _Metered, wants: Callable[[str], bool], caps: Caps) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|") as opened:  # type: ignore[call-overload]  # a stream is only read
        for count, member in enumerate(opened, 1):
            caps.count(count)
            opened.members = []  # a stream needs no index of what has gone by
            name = _safe(member.name)
            if member.isdir() or not wants(name):
                continue
            file = opened.extractfile(member) if member.isreg() else None
            if file is None:
                raise _unsafe(name, "is not a regular file")
            yield name, file.read()


def _safe(name: str) -> str:
    clean = name.replace("\\", "/").removeprefix("./").rstrip("/")
    if name.startswith(("/", "\\")) or ".." in clean.split("/") or re.match("[A-Za-z]:", clean) or "\0" in clean:
        raise _unsafe(name, "leaves the archive's own folder")
    return "" if clean == "." else clean


def _unsafe(name: str, why: str) -> DataError:
    return DataError(f"the archive is not safe: {name[:200]!r} {why}", code="UNSAFE_ARCHIVE")


def _bomb(why: str) -> DataError:
    return DataError(f"the archive {why}", code="DECOMPRESSION_BOMB")


def gunzip(data: bytes, caps: Caps = Caps()) -> bytes:
    """What a .gz holds; DataError above a limit or when it is damaged."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as plain:
            stream = _Metered(plain, len(data), caps)  # type: ignore[arg-type]
            return b"".join(iter(stream.read, b""))
    except (zlib.error, EOFError, OSError) as why:
        raise DataError(f"the file is not a whole .gz: {why}", code="DATA_DAMAGED") from None


def pack(members: dict[str, bytes], folder: str) -> bytes:
    """A tar.gz of some files, the same bytes each time."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name in sorted(members):
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(members[name])
            tar.addfile(info, io.BytesIO(members[name]))
    return made.getvalue()


def digest(name: str, data: bytes) -> str:
    """SHA-256 of a file's content, however it was packed.

    A .gz is unpacked first; of a .tar.gz it is that of the sorted lines "digest  name" of its files, folders left out.
    """
    if name.endswith(".tar.gz"):
        files = pick(io.BytesIO(data), lambda _: True)
        lines = sorted(f"{hashlib.sha256(d).hexdigest()}  {n.rpartition('/')[2]}\n" for n, d in files.items())
        data = "".join(lines).encode()
    elif name.endswith(".gz"):
        data = gunzip(data)
    return hashlib.sha256(data).hexdigest()
