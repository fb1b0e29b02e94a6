"""Cases 3 and 4: folders of pictures as people have them, and files made to hurt. Nothing hangs, nothing is decoded that is too large."""
from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image as pil
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilk.errors import DataError, IlkError
from ilk.modalities.image import Image
from ilk.modality import Limits

FIT = ("--modality", "image", "--family", "gmm", "--components", "1", "--steps", "2")
TAG = b"\x89PNG\r\n\x1a\n"


def picture(key: int = 1, size: int = 8, channels: int = 1) -> pil.Image:
    x = np.random.Generator(np.random.Philox(key=key)).integers(0, 256, (size, size, channels)).astype(np.uint8)
    return pil.fromarray(x[:, :, 0] if channels == 1 else x)


def packed(image: pil.Image, form: str = "PNG") -> bytes:
    made = BytesIO()
    image.save(made, form)
    return made.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, all of them zero."""
    line = zlib.compressobj(9)
    row = b"\0" * (1 + -(-width // 8))
    data = b"".join(line.compress(row) for _ in range(height)) + line.flush()
    return TAG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def claimed(width: int, height: int) -> bytes:
    """A header that claims a size, and nothing after it."""
    return TAG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def folder(many: int = 40) -> Path:
    at = Path("d")
    at.mkdir()
    for i in range(many):
        picture(i).save(at / f"{i:03}.png")
    return at


def read(at: Any, how: Image = Image()) -> Any:  # noqa: B008
    return how.read(at, Limits())


BROKEN: dict[str, tuple[Callable[[], bytes], str, str]] = {   # bytes of x.png, code, what is said
    "empty": (lambda: b"", "EMPTY", "it is empty"),
    "HTML": (lambda: b"<!doctype html><script>alert(1)</script>", "FORMAT", "it is no PNG"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', "FORMAT", "it is no PNG"),
    "a header alone": (lambda: TAG, "FORMAT", ""),
    "a cut PNG": (lambda: packed(picture(1, 64, 3))[:-3000], "FORMAT", ""),
    "a cut JPEG": (lambda: packed(picture(1, 64, 3), "JPEG")[:-900], "FORMAT", "truncated"),
    "a cut GIF": (lambda: packed(picture(1, 64), "GIF")[:-900], "FORMAT", ""),
    "a flipped byte": (lambda: (lambda d: d[:60] + bytes([d[60] ^ 255]) + d[61:])(packed(picture(1, 64))), "FORMAT", ""),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(/etc/passwd) run\n", "FORMAT", "it is no PNG"),
    "PSD": (lambda: b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + b"\0" * 400, "FORMAT", "it is no PNG"),
    "FITS": (lambda: b"SIMPLE  =                    T" + b" " * 2850, "FORMAT", "it is no PNG"),
    "PDF": (lambda: b"%PDF-1.4\n1 0 obj<</Parent 1 0 R>>endobj", "FORMAT", "it is no PNG"),
    "ELF": (lambda: b"\x7fELF" + b"\0" * 100, "FORMAT", "it is no PNG"),
    "a pickle": (lambda: b"cposix\nsystem\n(S'touch pwned'\ntR.", "FORMAT", "it is no PNG"),
    "no width": (lambda: claimed(0, 8), "EMPTY|FORMAT", ""),
    "100 million pixels in 12 kB": (lambda: bomb(10_000, 10_000), "decompression_bomb", "more than the 64 million"),
    "400 million pixels": (lambda: bomb(20_000, 20_000), "decompression_bomb", "more than the 64 million"),
    "claims of 2^31": (lambda: claimed(2**31 - 1, 2**31 - 1), "decompression_bomb|FORMAT", ""),
    "claims of 65 million": (lambda: claimed(65_000, 1_001), "decompression_bomb", "65000 x 1001"),
    "a text chunk that unpacks to 100 MB": (lambda: (lambda d: d[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 10**8, 9)) + d[33:])(packed(picture())), "FORMAT", ""),
    "TIFF claiming 4 GiB": (lambda: b"II*\0\x08\0\0\0\x03\0" + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in ((256, 65_535), (257, 65_535), (273, 8))) + b"\0\0\0\0",
                            "decompression_bomb|FORMAT", ""),
    "PPM claiming 10^9": (lambda: b"P6 1000000000 1000000000 255\n", "decompression_bomb|FORMAT", ""),
    "a TIFF whose pages go in a circle": (lambda: b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 256, 4, 1, 8) + struct.pack("<I", 8), "FORMAT", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_alone_it_is_refused(ilk: Any, name: str) -> None:
    make, code, said = BROKEN[name]
    Path("x.png").write_bytes(make())
    start = time.monotonic()
    assert said in ilk.refuses(3, code, "fit", "x.png", *FIT).err
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("name", BROKEN)
def test_among_others_it_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make, code, said = BROKEN[name]
    monkeypatch.chdir(tmp_path)
    (folder() / "x.png").write_bytes(make())
    data = read(Path("d"), Image(bad=0.5))
    note = next(n for n in data.origin.notes if n.startswith("1 of 41 pictures can't be read and were left out: x.png: "))
    assert len(data) == 40 and said in note
    with pytest.raises(DataError, match=r"1 of 41 pictures in d can't be read: x\.png") as caught:
        read(Path("d"))
    assert caught.value.code in code.split("|")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]


def test_what_was_left_out_is_printed(ilk: Any) -> None:
    (folder() / "x.png").write_bytes(b"<html>")
    assert "1 of 41 pictures can't be read and were left out: x.png: it is no PNG" in ilk.ok("fit", "d", *FIT, "--bad", "0.5", "-o", "m.ilk").out
    Path("m.ilk").rename("n.ilk")
    ilk.refuses(3, "FORMAT", "fit", "d", *FIT, "-o", "m.ilk")


def test_a_folder_as_people_have_it(ilk: Any) -> None:
    """All oddities at once: what can be read is, what can't is told, what leads out is not followed."""
    at = folder(20)
    picture(30, 8, 3).convert("CMYK").save(at / "cmyk.jpg")
    pil.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(at / "deep.png")
    picture(31, 8, 4).save(at / "clear.png")
    picture(32).convert("P").save(at / "palette.gif")
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "._1.png"):
        (at / name).write_bytes(b"junk")
    (at / "__MACOSX").mkdir()
    (at / "__MACOSX/1.png").write_bytes(b"junk")
    (at / "passwd.png").symlink_to("/etc/passwd")
    (at / "loop.png").symlink_to("loop.png")
    (at / "round").symlink_to(".")
    (at / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(at / "pipe.png")
    (at / "folder.png").mkdir()
    os.write(fd := os.open(os.fsencode(at) + b"/\xff\xfe\x1b[31m.png", os.O_CREAT | os.O_WRONLY), packed(picture(40)))
    os.close(fd)
    out = ilk.ok("fit", "d", *FIT, "--bad", "0.5", "-o", "m.ilk").out
    assert "can't be read" not in out and "root:" not in out and "\x1b" not in out
    assert "links that lead out of the folder or nowhere were left out: 3" in out and "1 files are no pictures: notes.txt" in out
    data = read(Path("d"), Image(bad=0.5))
    assert data.items.shape == (25, 8, 8, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(ilk: Any) -> None:
    (folder() / "001.png").chmod(0)
    assert "1 of 40 pictures can't be read" in ilk.ok("fit", "d", *FIT, "--bad", "0.5", "-o", "m.ilk").out


@pytest.mark.parametrize("make", [lambda: Path("d").mkdir(), lambda: (Path("d").mkdir(), Path("d/a.txt").write_text("x")), lambda: Path("d").symlink_to("d"), lambda: None])
def test_folders_without_pictures(ilk: Any, make: Callable[[], Any]) -> None:
    make()
    ilk.refuses(3, "EMPTY|NOT_FOUND|UNREADABLE", "fit", "d", *FIT)


def test_more_than_half_broken(ilk: Any) -> None:
    at = folder(4)
    for i in range(5):
        (at / f"x{i}.png").write_bytes(b"x")
    assert "5 of 9 pictures in d can't be read: x0.png: it is no PNG" in ilk.refuses(3, "FORMAT", "fit", "d", *FIT).err


# archives

def archive(at: str, files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(at, "w", how) as made:
        for name, data in files.items():
            made.writestr(name, data)


def test_a_zip_that_unpacks_a_thousandfold(ilk: Any) -> None:
    archive("a.zip", {"a.png": packed(picture()), "b.png": b"\0" * (100 << 20)})
    assert os.path.getsize("a.zip") < 200_000
    ilk.refuses(3, "decompression_bomb", "fit", "a.zip", *FIT)


def test_zips_in_zips_are_not_opened(ilk: Any) -> None:
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("b.png", b"\0" * (10 << 20))
    archive("a.zip", {f"{i}.zip": inner.getvalue() for i in range(16)})
    ilk.refuses(3, "EMPTY", "fit", "a.zip", *FIT)


@pytest.mark.parametrize("many", [100_001, 400_000])
def test_a_zip_of_too_many_entries(ilk: Any, many: int) -> None:
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 5, 0) + b"a.png"
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"a.png"
    size = len(entry) * many
    Path("a.zip").write_bytes(local + entry * many + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, many & 0xFFFF, many & 0xFFFF, size, len(local), 0))
    ilk.refuses(3, "decompression_bomb", "fit", "a.zip", *FIT)


@pytest.mark.parametrize("name", ["../../x.png", "/etc/x.png", "a/../../x.png", "..\\..\\x.png"])
def test_a_zip_whose_names_lead_out(ilk: Any, name: str) -> None:
    archive("a.zip", {"a.png": packed(picture()), name: packed(picture())})
    ilk.refuses(3, "UNSAFE_ARCHIVE", "fit", "a.zip", *FIT)


def test_links_in_a_zip_are_nothing(ilk: Any) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile("a.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
        made.writestr("a.png", packed(picture()))
    assert len(read(Path("a.zip"))) == 1


def test_a_damaged_member_is_one_broken_picture(ilk: Any) -> None:
    archive("a.zip", {f"{i}.png": packed(picture(i)) for i in range(5)}, zipfile.ZIP_STORED)
    data = bytearray(Path("a.zip").read_bytes())
    data[data.find(TAG) + 60] ^= 255
    Path("a.zip").write_bytes(data)
    found = read(Path("a.zip"), Image(bad=0.5))
    assert len(found) == 4 and any("0.png: it can't be unpacked: Bad CRC" in n for n in found.origin.notes)


@pytest.mark.parametrize("data", [b"", b"PK\5\6", b"PK\3\4" + b"\0" * 100, b"no zip"])
def test_what_is_no_zip(ilk: Any, data: bytes) -> None:
    Path("a.zip").write_bytes(data)
    ilk.refuses(3, "EMPTY|FORMAT", "fit", "a.zip", *FIT)


def test_a_parquet_of_broken_cells(ilk: Any) -> None:
    cells = [packed(picture(i)) for i in range(5)] + [b"x", None, b"", bomb(10_000, 10_000)]
    pl.DataFrame({"image": cells}).write_parquet("a.parquet")
    found = read(Path("a.parquet"), Image(bad=0.5))
    assert len(found) == 5 and any("4 of 9 pictures" in n and "row 6" in n for n in found.origin.notes)
    Path("a.parquet").write_bytes(b"PAR1 no")
    ilk.refuses(3, "FORMAT", "fit", "a.parquet", *FIT)


def test_a_gzip_that_unpacks_a_thousandfold(ilk: Any) -> None:
    import gzip

    Path("a-idx3-ubyte.gz").write_bytes(gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 100, 1000, 1000) + b"\0" * 10**8))
    ilk.refuses(3, "decompression_bomb", "fit", "a-idx3-ubyte.gz", *FIT)


def test_a_million_frames_cost_as_much_as_one(ilk: Any) -> None:
    frame = b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    Path("a.gif").write_bytes(b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 1_000_000 + b";")
    start = time.monotonic()
    assert read(Path("a.gif"), Image(size=8, color="rgb")).items.shape == (1, 8, 8, 3)
    assert time.monotonic() - start < 2


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    for name, data in (("a", bomb(10_000, 10_000)), ("b", bomb(20_000, 20_000)), ("c", claimed(60_000, 60_000))):
        (tmp_path / f"{name}.png").write_bytes(data)
    code = ("import resource, sys; from ilk.modalities.image import Image; from ilk.modality import Limits; from ilk.errors import DataError\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "for name in sys.argv[1:]:\n"
            "    try: Image().read(name, Limits()); raise SystemExit('was read')\n"
            "    except DataError as why: assert why.code == 'decompression_bomb', why\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)")
    ran = subprocess.run([sys.executable, "-c", code, *(str(tmp_path / f"{n}.png") for n in "abc")], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 64 * 1024, "KiB more than before"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_picture_or_a_data_error(form: str, data: Any, tmp_path: Path) -> None:
    whole = bytearray(packed(picture(1, 16, 3), form))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    at = tmp_path / "a.png"
    at.write_bytes(whole[:cut] if data.draw(st.booleans()) else whole)
    try:
        items = read(at, Image(size=8)).items
    except IlkError as why:
        assert isinstance(why, DataError) and "0x" not in str(why) and "Traceback" not in str(why)
    else:
        assert items.dtype == np.uint8 and items.shape[1:3] == (8, 8)


def test_nothing_is_kept_open(tmp_path: Path) -> None:
    for i in range(50):
        picture(i).save(tmp_path / f"{i}.png")
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    assert len(read(tmp_path)) == 50 and len(os.listdir("/proc/self/fd")) <= before + 1 and soft == resource.getrlimit(resource.RLIMIT_NOFILE)
