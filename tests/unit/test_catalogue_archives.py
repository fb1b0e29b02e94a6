"""What the catalogue unpacks: only what is wanted, and nothing that means harm."""
from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from ilk.catalogue import unpack
from ilk.errors import DataError

DEFAULT = unpack.Caps()
WAVES = [("repo/rec/0_a_0.wav", b"RIFF0"), ("repo/rec/0_a_9.wav", b"RIFF9")]


def tgz(members: Sequence[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zipped(members: Sequence[tuple[str, bytes]], mode: int = 0) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return made.getvalue()


def picked(data: bytes, caps: unpack.Caps = DEFAULT) -> dict[str, bytes]:
    return unpack.pick(io.BytesIO(data), lambda name: True, caps)


@pytest.mark.parametrize("make", [tgz, zipped])
def test_only_what_is_wanted_is_read(make: Callable[[Sequence[tuple[str, bytes]]], bytes]) -> None:
    data = make([("./a/x", b"1"), ("a/y", b"2")])
    assert unpack.pick(io.BytesIO(data), lambda name: name == "a/y") == {"a/y": b"2"}
    assert picked(data).keys() == {"a/x", "a/y"}


@pytest.mark.parametrize("make", [tgz, zipped])
@pytest.mark.parametrize("name", ["/etc/passwd", "../out", "a/../../out", "a\\..\\out", "\\out", "C:/out", "C:out"])
def test_names_that_leave_the_folder_are_refused(make: Callable[[Sequence[tuple[str, bytes]]], bytes], name: str) -> None:
    with pytest.raises(DataError) as caught:
        picked(make([("fine", b""), (name, b"x")]))
    assert caught.value.code == "UNSAFE_ARCHIVE"


@pytest.mark.parametrize("data", [tgz([("x", b"")], tarfile.SYMTYPE, "/etc/passwd"), tgz([("x", b"")], tarfile.LNKTYPE, "y"),
                                  tgz([("x", b"")], tarfile.FIFOTYPE), zipped([("x", b"/etc/passwd")], stat.S_IFLNK | 0o777)],
                         ids=["symlink", "hard link", "pipe", "zipped symlink"])
def test_links_and_devices_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="not a regular file") as caught:
        picked(data)
    assert caught.value.code == "UNSAFE_ARCHIVE"


BOMB = b"\0" * (8 << 20)


@pytest.mark.parametrize("data", [tgz([("x", BOMB)]), zipped([("x", BOMB)]), zipped([(f"x{i}", BOMB[:1 << 20]) for i in range(4)])])
def test_bombs_are_refused(data: bytes) -> None:
    assert len(data) < 20_000
    for caps in (unpack.Caps(), unpack.Caps(ratio=10**6, unpacked=2 << 20)):
        with pytest.raises(DataError) as caught:
            picked(data, caps)
        assert caught.value.code == "DECOMPRESSION_BOMB"


def test_gzip_bomb_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        unpack.gunzip(gzip.compress(BOMB))
    assert caught.value.code == "DECOMPRESSION_BOMB"


@pytest.mark.parametrize("make", [tgz, zipped])
def test_too_many_entries_are_refused(make: Callable[[Sequence[tuple[str, bytes]]], bytes]) -> None:
    with pytest.raises(DataError, match="more than 10 entries"):
        picked(make([(f"x{i}", b"") for i in range(11)]), unpack.Caps(entries=10))


def test_zip_of_a_million_names_is_refused_before_it_is_read() -> None:
    made = io.BytesIO(zipped([("x", b"")]))
    end = made.getvalue().rfind(b"PK\x05\x06")
    huge = bytearray(made.getvalue())
    huge[end + 12:end + 16] = (64 << 20).to_bytes(4, "little")
    zip64 = made.getvalue()[:end] + b"PK\x06\x07" + bytes(16) + made.getvalue()[end:]
    for data in (b"\0" * (65 << 20) + bytes(huge), zip64):
        with pytest.raises(DataError) as caught:
            picked(data)
        assert caught.value.code == "DECOMPRESSION_BOMB"


@pytest.mark.parametrize("data", [b"", b"\x1f\x8bnonsense", b"no archive at all" * 100,
                                  zipped([("x", b"abc" * 99)])[:-30], tgz([("x", b"abc" * 99)])[:-30]],
                         ids=lambda data: f"{len(data)} bytes {data[:4].hex()}")
def test_damaged_archives_are_data_errors(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        picked(data)
    assert caught.value.code == "DATA_DAMAGED"


def test_every_cut_of_an_archive_is_refused_or_whole() -> None:
    for whole in (tgz(WAVES), zipped(WAVES)):
        for cut in range(len(whole)):
            with suppress(DataError):
                assert picked(whole[:cut]) in ({}, dict(WAVES))


def test_packing_gives_the_same_bytes_and_the_same_digest() -> None:
    files = {"b.wav": b"2", "a.wav": b"1"}
    packed = unpack.pack(files, "rec")
    assert packed == unpack.pack(dict(sorted(files.items())), "rec")
    assert picked(packed) == {"rec/a.wav": b"1", "rec/b.wav": b"2"}
    assert unpack.digest("r.tar.gz", packed) == unpack.digest("r.tar.gz", tgz([("other/b.wav", b"2"), ("other/a.wav", b"1")]))
    assert unpack.digest("r.tar.gz", packed) != unpack.digest("r.tar.gz", tgz([("other/b.wav", b"1"), ("other/a.wav", b"2")]))
