"""Pictures: read as people expect, coded without loss, written whole. References are Pillow's own operations and closed forms."""
from __future__ import annotations

import gzip
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image as pil
import polars as pl
import pytest
import torch
from PIL import ImageOps

import ilk as ilk_
from ilk.errors import DataError, ResourceError, UsageError
from ilk.given import Weigh, Within
from ilk.modalities import _image_load
from ilk.modalities._image_codecs import Binary, Levels, Pixels
from ilk.modalities.array import Array
from ilk.modalities.image import Image
from ilk.modality import Limits
from ilk.rng import Rng
from ilk.rules import parse
from ilk.testing import check_modality

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def dice(key: int, *shape: int) -> Bytes:
    return np.random.Generator(np.random.Philox(key=key)).integers(0, 256, shape).astype(np.uint8)


def drawn(height: int = 10, width: int = 12, channels: int = 3, key: int = 1) -> pil.Image:
    x = dice(key, height, width, channels)
    return pil.fromarray(x[:, :, 0] if channels == 1 else x)


def put(at: Path, image: pil.Image, **more: Any) -> Path:
    at.parent.mkdir(parents=True, exist_ok=True)
    image.save(at, **more)
    return at


def read(at: Any, how: Image = Image()) -> Any:  # noqa: B008
    return how.read(at, Limits())


def encoded(image: pil.Image, form: str = "PNG") -> bytes:
    made = BytesIO()
    image.save(made, form)
    return made.getvalue()


def labels(data: Any) -> list[Any]:
    return [data.labels.names[c] for c in data.labels.codes.tolist()]


@pytest.mark.parametrize(("x", "to"), [(dice(9, 30, 8, 9), "a.zip"), (dice(9, 30, 8, 9, 3), "a.npz"), (dice(9, 30, 9, 8, 4), "a.zip"),
                                       (dice(9, 30, 8, 8) // 128 * 255, "a.zip")])
def test_contract(tmp_path: Path, x: Bytes, to: str) -> None:
    end = "" if x.ndim == 3 else ",0"
    check_modality(Image(), x, tmp_path / to, [parse(r.replace("#", end)) for r in ("`0,0#` > 100", "`1,1#` != 0 and `7,7#` <= 254", "`3,2#` in [0, 1, 255]")])


# modes

@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("RGB", 3), ("RGBA", 4), ("LA", 4), ("P", 3), ("CMYK", 3), ("YCbCr", 3)])
def test_every_mode_becomes_what_pillow_makes_of_it(tmp_path: Path, mode: str, channels: int) -> None:
    image = drawn().convert(mode)
    at = put(tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png"), image)
    data = read(at)
    assert data.items.shape == (1, 10, 12, channels) and data.items.dtype == np.uint8
    want = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])).reshape(10, 12, channels)
    assert (data.items[0] == want).all()


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path, suffix: str) -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    if suffix == "pgm":
        (tmp_path / "a.pgm").write_bytes(b"P5 256 256 65535\n" + values.astype(">u2").tobytes())
    else:
        put(tmp_path / f"a.{suffix}", pil.fromarray(values))
    got = read(tmp_path / f"a.{suffix}").items[0, :, :, 0]
    assert (got == np.round(values / 257)).all()


def test_floating_point_pixels_have_no_range(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", pil.fromarray(np.ones((8, 8), dtype=np.float32)))
    with pytest.raises(DataError, match="floating-point"):
        read(tmp_path / "a.tif")


def test_palette_with_a_clear_colour(tmp_path: Path) -> None:
    image = pil.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.putpixel((1, 2), 0)
    put(tmp_path / "a.png", image, transparency=0)
    assert read(tmp_path / "a.png").items[0, 2, 1].tolist() == [255, 0, 0, 0]
    flat = read(tmp_path / "a.png", Image(color="rgb")).items[0]
    assert flat[2, 1].tolist() == [255, 255, 255] and flat[0, 0].tolist() == [0, 128, 0]


def test_half_clear_grey_on_white(tmp_path: Path) -> None:
    put(tmp_path / "a.png", pil.new("LA", (3, 3), (100, 51)))
    assert read(tmp_path / "a.png", Image(color="grey")).items[0, 0, 0, 0] == round(255 * 0.8 + 100 * 0.2)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_exif_says(tmp_path: Path, suffix: str, orientation: int) -> None:
    image = drawn()
    exif = pil.Exif()
    exif[0x0112] = orientation
    at = put(tmp_path / f"a.{suffix}", image, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    turned = image.copy()
    turned.getexif()[0x0112] = orientation
    want = np.asarray(ImageOps.exif_transpose(turned))
    data = read(at)
    assert data.items.shape[1:] == want.shape and (data.items[0] == want).all()


def test_damaged_exif_does_no_harm(tmp_path: Path) -> None:
    at = put(tmp_path / "a.png", drawn(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 20)
    assert (read(at).items[0] == np.asarray(drawn())).all()


def test_first_frame_and_a_note(tmp_path: Path) -> None:
    frames = [pil.new("RGB", (8, 8), c) for c in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    data = read(tmp_path / "a.gif")
    assert data.items[0, 0, 0].tolist() == [255, 0, 0] and any("several frames" in n for n in data.origin.notes)


def test_grey_only_if_all_are(tmp_path: Path) -> None:
    put(tmp_path / "a.png", drawn(channels=1))
    put(tmp_path / "b.png", drawn(channels=1).convert("1"))
    assert read(tmp_path).items.shape[3] == 1
    put(tmp_path / "c.png", drawn(channels=1).convert("RGB"))
    assert read(tmp_path).items.shape[3] == 3 and read(tmp_path, Image(color="grey")).items.shape[3] == 1


@pytest.mark.parametrize("plain", [1, 2])
def test_transparency_is_kept_if_half_have_it(tmp_path: Path, plain: int) -> None:
    put(tmp_path / "a.png", pil.new("RGBA", (12, 10), (9, 9, 9, 0)))
    for i in range(plain):
        put(tmp_path / f"b{i}.png", drawn())
    data = read(tmp_path)
    assert data.items.shape[3] == (4 if plain == 1 else 3) and (data.items[0] == ((9, 9, 9, 0) if plain == 1 else 255)).all()
    assert any("1 of" in n and n.endswith("transparency" if plain == 1 else "put on white (--color rgba keeps it)") for n in data.origin.notes)
    assert read(tmp_path, Image(color="rgba")).items[0, 0, 0].tolist() == [9, 9, 9, 0]


# sizes

@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("shape", [(10, 12), (12, 10), (5, 40), (16, 16)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_sizes_are_those_of_pillow(tmp_path: Path, size: int, shape: tuple[int, int], fit: Any) -> None:
    image = drawn(*shape)
    put(tmp_path / "a.png", image)
    scale = (max if fit == "crop" else min)(size / shape[0], size / shape[1])
    how = pil.Resampling.LANCZOS if scale < 1 else pil.Resampling.BICUBIC
    want = {"crop": lambda: ImageOps.fit(image, (size, size), how), "pad": lambda: ImageOps.pad(image, (size, size), how),
            "stretch": lambda: image.resize((size, size), how)}[fit]()
    got = read(tmp_path / "a.png", Image(size=size, fit=fit)).items[0].astype(int)
    if fit == "pad" and np.asarray(want).shape == got.shape:  # where the margins are odd, the odd row may lie on either side
        want = want if abs(got - np.asarray(want, dtype=int)).max() <= 1 else pil.fromarray(np.roll(np.asarray(want), -1, 0 if shape[1] > shape[0] else 1))
    assert abs(got - np.asarray(want, dtype=int)).max() <= 1


def test_the_most_frequent_size_wins_and_others_are_told(tmp_path: Path) -> None:
    for i, size in enumerate([(9, 9), (12, 10), (12, 10)]):
        put(tmp_path / f"{i}.png", drawn(*size))
    data = read(tmp_path)
    assert data.items.shape == (3, 12, 10, 3) and any("1 of 3 pictures have another size" in n for n in data.origin.notes)


def test_a_sliver_can_be_padded(tmp_path: Path) -> None:
    put(tmp_path / "a.png", drawn(1, 3000))
    assert read(tmp_path / "a.png", Image(size=8, fit="pad")).items.shape == (1, 8, 8, 3)


def test_what_a_model_knows_wins(tmp_path: Path) -> None:
    put(tmp_path / "a.png", drawn(20, 30))
    assert read(tmp_path, Image(shape=(8, 9, 1))).items.shape == (1, 8, 9, 1)
    assert read(dice(2, 3, 20, 30), Image(shape=(8, 9, 3))).items.shape == (3, 8, 9, 3)


def test_huge_pictures_want_a_size(tmp_path: Path) -> None:
    put(tmp_path / "a.png", pil.new("RGB", (3000, 3000)))
    with pytest.raises(DataError, match="--size"):
        read(tmp_path / "a.png")
    assert read(tmp_path / "a.png", Image(size=16)).items.shape == (1, 16, 16, 3)


# labels, splits, side files

def test_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/deep/2.png", "dog/1.png"):
        put(tmp_path / name, drawn())
    assert labels(read(tmp_path)) == ["cat", "cat", "dog"]
    put(tmp_path / "3.png", drawn())
    assert read(tmp_path).labels is None


def test_numbers_as_folders_are_whole_numbers(tmp_path: Path) -> None:
    for name in ("10/1.png", "9/1.png", "0/1.png"):
        put(tmp_path / name, drawn())
    assert sorted(labels(read(tmp_path))) == [0, 9, 10]


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_folders_are_splits(tmp_path: Path, val: str) -> None:
    for i, name in enumerate(("test/cat/1.png", "train/cat/1.png", "train/dog/2.png", f"{val}/dog/9.png", "more/1.png")):
        put(tmp_path / name, drawn(key=i))
    data = read(tmp_path)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 2, "valid": 1, "test": 1}
    assert labels(data) == ["cat", "dog", "dog", "cat"] and any("1 pictures outside" in n for n in data.origin.notes)
    assert (data.test[0] == np.asarray(drawn(key=0))).all() and (data.train[1] == np.asarray(drawn(key=2))).all()


SAID: dict[str, str] = {
    "labels.csv": "file_name,label,text\na.png,cat,a cat\nb.png,dog,\ngone.png,dog,x\n",
    "metadata.csv": "\ufefffile_name,label,caption\r\na.png,cat,a cat\r\nb.png,dog,\r\ngone.png,dog,\r\n",
    "metadata.jsonl": '{"file_name": "a.png", "label": "cat", "text": "a cat"}\n{"file_name": "b.png", "label": "dog"}\n\n{"file_name": "gone.png"}\n'}


@pytest.mark.parametrize("name", SAID)
def test_files_beside_say_labels_and_captions(tmp_path: Path, name: str) -> None:
    for n in "ab":
        put(tmp_path / f"{n}.png", drawn())
    (tmp_path / name).write_text(SAID[name], encoding="utf-8")
    data = read(tmp_path)
    assert labels(data) == ["cat", "dog"]
    assert data.captions is not None and list(data.captions.texts) == ["a cat", ""]
    assert any("1 rows" in n and "no picture" in n for n in data.origin.notes)
    put(tmp_path / "c.png", drawn())
    assert read(tmp_path).labels is None and any("says none of 1 pictures" in n for n in read(tmp_path, Image(bad=0.5)).origin.notes)


@pytest.mark.parametrize(("name", "text", "code"), [("labels.csv", "who,label\na.png,1\n", "COLUMN"), ("metadata.jsonl", "{oops\n", "JSON"),
                                                    ("metadata.jsonl", "[1]\n", "JSON"),
                                                    ("metadata.csv", "", "EMPTY")])
def test_a_side_file_that_can_t_be_read(tmp_path: Path, name: str, text: str, code: str) -> None:
    put(tmp_path / "a.png", drawn())
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert caught.value.code == code and name in str(caught.value)


def test_side_files_of_splits_count_from_their_own_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path / split / "a.png", drawn())
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label\na.png,{split}y\n")
    assert labels(read(tmp_path)) == ["trainy", "testy"]


# other homes

def test_a_zip_is_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("cat/1.png", "dog/1.png", "__MACOSX/cat/._1.png", "dog/.hidden.png"):
            archive.writestr(name, encoded(drawn()) if "1.png" in name and "_" not in name else b"junk")
    data = read(tmp_path / "a.zip")
    assert labels(data) == ["cat", "dog"] and (data.items[1] == np.asarray(drawn())).all() and Image.claims(tmp_path / "a.zip")
    assert not any("no pictures" in n or "can't be read" in n for n in data.origin.notes)


@pytest.mark.parametrize("struct_", [True, False])
def test_parquet(tmp_path: Path, struct_: bool) -> None:
    many = 300  # more than one stretch
    cells: list[Any] = [encoded(drawn(8, 8, 1, i)) for i in range(many)]
    frame = pl.DataFrame({"image": [{"bytes": c, "path": "x.png"} for c in cells] if struct_ else cells, "label": [i % 3 for i in range(many)]})
    frame.write_parquet(tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet")
    assert all((data.items[i, :, :, 0] == np.asarray(drawn(8, 8, 1, i))).all() for i in (0, 255, 256, 299)) and labels(data)[:4] == [0, 1, 2, 0]
    assert isinstance(ilk_.read(tmp_path / "a.parquet").modality, Image)


def test_a_parquet_table_stays_a_table(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2, 3], "label": ["x", "y", "x"]}).write_parquet(tmp_path / "a.parquet")
    assert not Image.claims(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column of pictures"):
        read(tmp_path / "a.parquet")


def idx(x: Bytes) -> bytes:
    return struct.pack(f">BBBB{x.ndim}I", 0, 0, 8, x.ndim, *x.shape) + x.tobytes()


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_idx_as_mnist_comes(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    x, y, end = dice(4, 12, 9, 8), (np.arange(12) % 4).astype(np.uint8), ".gz" if pack is gzip.compress else ""
    for name, a, b in (("train", 0, 8), ("t10k", 8, 12)):
        (tmp_path / f"{name}-images-idx3-ubyte{end}").write_bytes(pack(idx(x[a:b])))
        (tmp_path / f"{name}-labels-idx1-ubyte{end}").write_bytes(pack(idx(y[a:b])))
    one, both = read(tmp_path / f"t10k-images-idx3-ubyte{end}"), read(tmp_path)
    assert (one.items[..., 0] == x[8:]).all() and labels(one) == y[8:].tolist() and Image.claims(tmp_path) and Image.claims(tmp_path / f"t10k-images-idx3-ubyte{end}")
    assert (both.train[..., 0] == x[:8]).all() and (both.test[..., 0] == x[8:]).all() and sorted(labels(both)) == sorted(y.tolist())


def test_idx_that_lies(tmp_path: Path) -> None:
    at = tmp_path / "a-idx3-ubyte"
    for data, said in ((idx(dice(1, 4, 8, 8))[:-1], "its header says"), (b"\0\0\x08\x09" + b"\xff" * 40, "no IDX"), (b"\0\0\x08\x03" + b"\xff" * 12, "header says"),
                       (idx(dice(1, 20)), "no pictures"), (b"\0", "no IDX")):
        at.write_bytes(data)
        with pytest.raises(DataError, match=said):
            read(at)


def test_npz_keeps_labels_and_splits(tmp_path: Path) -> None:
    x, y = dice(5, 20, 8, 8), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x[:15], y_train=y[:15], x_test=x[15:], y_test=y[15:])
    data = read(tmp_path / "a.npz")
    assert (data.train[..., 0] == x[:15]).all() and (data.test[..., 0] == x[15:]).all() and labels(data) == y.tolist()


CLAIMED: Sequence[tuple[Bytes, bool]] = (
    (dice(1, 5, 8, 8), True), (dice(1, 5, 8, 8, 1), True), (dice(1, 5, 8, 30, 3), True), (dice(1, 5, 8, 8, 4), True), (dice(1, 5, 8, 8, 2), False),
    (dice(1, 5, 7, 8), False), (dice(1, 5, 8), False), (dice(1, 5, 3, 8, 8), False), (dice(1, 5, 8, 8).astype(np.int16), False), (dice(1, 5, 8, 8) / 255, False))


@pytest.mark.parametrize(("x", "mine"), CLAIMED)
def test_which_arrays_are_pictures(tmp_path: Path, x: Bytes, mine: bool) -> None:
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "a.npz", y=np.arange(len(x)), x=x)
    assert [Image.claims(raw) for raw in (x, tmp_path / "a.npy", tmp_path / "a.npz")] == [mine] * 3
    assert all(Array.claims(raw) for raw in (x, tmp_path / "a.npy", tmp_path / "a.npz"))


@pytest.mark.parametrize("x", [np.zeros((4, 8, 8)), np.zeros((4, 3, 8, 8), np.uint8), np.zeros((4, 8), np.uint8)])
def test_other_arrays_are_refused_with_the_form_they_need(x: Any) -> None:
    with pytest.raises(DataError, match="channels last"):
        read(x)


def test_two_levels() -> None:
    assert read(dice(1, 5, 8, 8) // 128 * 255).modality.levels == 2 and read(dice(1, 5, 8, 8)).modality.levels == 256


# codecs

def test_where_a_part_stands() -> None:
    data = read(dice(1, 3, 8, 9, 3))
    batch = Levels.learned(data.modality, data.items).encode(data.items, Rng(0))
    for part, (r, c, k) in {"0,0,0": (0, 0, 0), "7,8,2": (7, 8, 2), "3,4,1": (3, 4, 1)}.items():
        assert (batch.tensor.flatten(1)[:, data.modality.place(part)].numpy() == data.items[:, r, c, k]).all()
    for bad in ("8,0,0", "0,9,0", "0,0,3", "0,0", "x", "-1,0,0", "1,1,1,1"):
        with pytest.raises(UsageError, match="no part"):
            data.modality.place(bad)


def test_the_uniform_density_is_uniform_over_levels() -> None:
    data = read(dice(1, 3, 8, 9, 3))
    numbers = 8 * 9 * 3
    found = -numbers * log(2) + Pixels.learned(data.modality, data.items).log_volume(data.items, Rng(0))
    assert torch.allclose(found, torch.full((3,), -numbers * log(256), dtype=torch.double))


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.5), (-0.1, 0.1), (0.02, 0.02)])
def test_noise_gives_the_mass_of_a_level_and_its_bound(mean: float, sd: float) -> None:
    """The mean of the density over a cell is its mass; the mean of the log density is below the log mass (Jensen)."""
    x = np.repeat(np.arange(120, 136, dtype=np.uint8), 4000).reshape(-1, 1, 1, 1)
    codec = Pixels(Image(shape=(1, 1, 1)))
    law = torch.distributions.Normal(torch.tensor(mean, dtype=torch.double), sd)
    found = (law.log_prob(codec.encode(x, Rng(1)).tensor.flatten()) + codec.log_volume(x, Rng(1))).reshape(16, 4000)
    edges = torch.arange(120, 137, dtype=torch.double) / 128 - 1
    exact = law.cdf(edges[1:]) - law.cdf(edges[:-1])
    assert bool(((found.exp().mean(1) - exact).abs() <= 5 * found.exp().std(1) / 4000**0.5 + 1e-12).all())
    assert bool((found.mean(1) <= exact.log() + 5 * found.std(1) / 4000**0.5).all())


def test_every_cell_comes_back_to_its_level() -> None:
    codec = Pixels(Image(shape=(16, 16, 1)))
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(50, 0)
    batch = codec.encode(x, Rng(3))
    assert (codec.decode(batch, Rng(0)) == x).all()
    assert float(batch.tensor.min()) >= -1 and float(batch.tensor.max()) <= 1
    beyond = codec.decode(ilk_.batch.Batch(torch.tensor([-7.0, 9.0]).reshape(2, 1, 1, 1).expand(2, 1, 16, 16)), Rng(0))
    assert beyond[0].max() == 0 and beyond[1].min() == 255


def test_ranges_and_tables() -> None:
    m = Image(shape=(8, 8, 1))
    said = Pixels(m).given(parse("`0,0` >= 10 and `0,0` < 20 and `1,1` == 0 and `2,2` in [3, 9]"))
    assert said.rest == parse("`2,2` in [3, 9]") and isinstance(said.known[""], Within)
    assert said.known[""].ranges == {0: (10 / 128 - 1, 20 / 128 - 1), 9: (-float("inf"), 1 / 128 - 1)}
    table = Levels(m).given(parse("`2,2` in [3, 9]")).known[""]
    assert isinstance(table, Weigh) and table.tables[18].exp().nonzero().flatten().tolist() == [3, 9]
    bits = Binary(Image(shape=(8, 8, 1), levels=2)).given(parse("`0,1` > 200")).known[""]
    assert isinstance(bits, Weigh) and bits.tables[1].exp().tolist() == [0, 1]
    for codec, rule in ((Pixels(m), "`0,0` > 255"), (Levels(m), "`0,0` < 3 and `0,0` > 5"), (Binary(m), "`0,0` == 7")):
        with pytest.raises(UsageError, match="no level"):
            codec.given(parse(rule))


def test_what_is_kept_holds_although_numbers_are_rounded() -> None:
    codec = Pixels(Image(shape=(8, 8, 1))).given(parse("`0,0` <= 9")).codec
    edge = torch.full((1, 1, 8, 8), 10 / 128 - 1)  # the first number of the next cell, as rounding may make it
    assert codec.decode(ilk_.batch.Batch(edge), Rng(0))[0, :2, :2, 0].tolist() == [[9, 10], [10, 10]]


def test_orders_of_codecs() -> None:
    assert Image().codecs() == (Pixels, Levels) and Image(levels=2).codecs() == (Binary, Pixels, Levels)


@pytest.mark.parametrize(("x", "said"), [(dice(1, 3, 8, 9, 1), "the model knows"), (dice(1, 3, 8, 8, 1) / 255, "uint8")])
def test_other_shapes_are_refused(x: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Pixels(Image(shape=(8, 8, 1))).encode(x, Rng(0))


def test_from_folder_to_samples_under_a_rule(tmp_path: Path) -> None:
    for i in range(40):
        put(tmp_path / f"{i}.png", pil.fromarray((dice(i, 8, 8) // 8 + (200 if i % 2 else 20)).astype(np.uint8)))
    model = ilk_.fit(read(tmp_path), ilk_.GMM(components=2), seed=1, budget=ilk_.Steps(20))
    made = model.given("`3,3` > 180").sample(20, seed=2)
    assert made.shape == (20, 8, 8, 1) and made.dtype == np.uint8 and (made[:, 3, 3, 0] > 180).all() and (made[:, 5, 5, 0] > 150).all()
    model.save(tmp_path / "m.ilk")
    assert (ilk_.load(tmp_path / "m.ilk").sample(3, seed=2) == model.sample(3, seed=2)).all()


# broken files, memory

def test_broken_files_are_left_out_and_told(tmp_path: Path) -> None:
    for i in range(6):
        put(tmp_path / f"{i}.png", drawn(key=i))
    for i in range(4):
        (tmp_path / f"x{i}.png").write_bytes(b"no picture")
    data = read(tmp_path, Image(bad=0.5))
    assert len(data) == 6 and any("4 of 10 pictures can't be read" in n and "x0.png: it is no PNG" in n and "; ..." in n for n in data.origin.notes)
    with pytest.raises(DataError, match=r"4 of 10 .* x0\.png"):
        read(tmp_path, Image(bad=0.3))
    (tmp_path / "y.txt").write_text("no picture at all")
    assert any("1 files are no pictures: y.txt" in n for n in read(tmp_path, Image(bad=0.5)).origin.notes)


def test_labels_follow_what_is_left(tmp_path: Path) -> None:
    for i, name in enumerate(("a/1.png", "a/3.png", "b/1.png")):
        put(tmp_path / name, drawn(key=i))
    (tmp_path / "a/2.png").write_bytes(encoded(drawn())[:-40])  # the header is whole: found when it is decoded
    data = read(tmp_path, Image(bad=0.5))
    assert labels(data) == ["a", "a", "b"] and (data.items[1] == np.asarray(drawn(key=1))).all()


def test_more_than_memory_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        put(tmp_path / f"{i}.png", drawn(key=i))
    whole = read(tmp_path).items
    monkeypatch.setattr(_image_load, "RESIDENT", 100)
    mapped = read(tmp_path)
    assert isinstance(mapped.items.base, np.memmap) or isinstance(mapped.items, np.memmap)
    assert (mapped.items == whole).all() and (mapped.modality.take(mapped.items, torch.tensor([4, 0])) == whole[[4, 0]]).all()


def test_limits(tmp_path: Path) -> None:
    for i in range(5):
        put(tmp_path / f"{i}.png", drawn(key=i))
    for limits in (Limits(items=4), Limits(bytes=1000)):
        with pytest.raises(ResourceError) as caught:
            Image().read(tmp_path, limits)
        assert caught.value.code == "TOO_LARGE"


# writing, showing

@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_folder_of_png_comes_back(tmp_path: Path, channels: int) -> None:
    x = dice(3, 12, 9, 8, channels)
    data = read(x)
    data.modality.write(x, tmp_path / "made")
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == [f"{i:04}.png" for i in range(12)] and [p.name for p in tmp_path.iterdir()] == ["made"]
    assert (read(tmp_path / "made").items == x).all()
    with pytest.raises(UsageError, match="there already"):
        data.modality.write(x, tmp_path / "made")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ilk.modalities import _image_write

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_image_write.os, "fsync", full)
    with pytest.raises(ResourceError) as caught:
        Image(shape=(8, 8, 1)).write(dice(1, 3, 8, 8, 1), tmp_path / "made")
    assert caught.value.code == "DISK_FULL" and not list(tmp_path.iterdir())


def test_one_png_is_the_picture_and_several_are_a_sheet(tmp_path: Path) -> None:
    x = dice(3, 5, 8, 8, 3)
    m = Image(shape=(8, 8, 3))
    m.write(x[:1], tmp_path / "one.png")
    assert (np.asarray(pil.open(tmp_path / "one.png")) == x[0]).all()
    m.write(x, tmp_path / "all.png")
    sheet = np.asarray(pil.open(tmp_path / "all.png"))
    assert sheet.shape == (64 * 2 + 2, 64 * 3 + 4, 3)
    assert (sheet[:64:8, 66:130:8] == x[1]).all() and (sheet[66 + 7::8, 66 + 7:130:8] == x[4]).all() and (sheet[64:66] == 255).all()
    with pytest.raises(UsageError, match=r"\.zip"):
        m.write(x, tmp_path / "a.jpg")


def test_what_is_shown_is_a_png_of_64_at_most() -> None:
    m = Image(shape=(8, 8, 1))
    shown = m.show(dice(3, 100, 8, 8, 1))
    assert shown.mime == "image/png" and pil.open(BytesIO(shown.data)).size == (8 * 66 - 2, 8 * 66 - 2)
    large = pil.open(BytesIO(m.show(dice(3, 4, 600, 300, 1)).data))
    assert large.size == (128 * 2 + 2, 256 * 2 + 2)
    assert pil.open(BytesIO(m.show(dice(3, 0, 8, 8, 1)).data)).size


def test_the_same_zip_for_the_same_pictures(tmp_path: Path) -> None:
    m = Image(shape=(8, 8, 1))
    for name in ("a.zip", "b.zip"):
        m.write(dice(3, 5, 8, 8, 1), tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_facts_of_a_saved_modality() -> None:
    from ilk import recipe

    with pytest.raises(UsageError, match="no pictures have the shape"):
        Image(shape=(8, 8, 2))
    with pytest.raises(UsageError):
        recipe.checked(Image(size=-1))
    assert json.dumps(recipe.facts("modalities", Image(shape=(8, 8, 1))))


# the catalogue

def test_groups_of_emoji() -> None:
    from ilk.catalogue.emoji import group_of

    want = {"😀": "Smileys & Emotion", "👋": "People & Body", "🐈": "Animals & Nature", "🍕": "Food & Drink", "🚗": "Travel & Places", "⚽": "Activities",
            "💡": "Objects", "☮": "Symbols", "🏁": "Flags", "🏻": None, "🇦": None, "A": None, "7": None}
    assert {c: group_of(ord(c)) for c in want} == want


def test_quatrains_are_four_lines_of_one_length() -> None:
    from ilk.catalogue.load import _four

    five, seven = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。", "朝辭白帝彩雲間，千里江陵一日還。兩岸猿聲啼不住，輕舟已過萬重山。"
    poems = [{"paragraphs": [five[:12], five[12:]]}, {"paragraphs": [seven]}, {"paragraphs": [five, five]}, {"paragraphs": [five[:12]]}, {"paragraphs": []},
             {"paragraphs": [five], "error_type": ["x"]}, {"paragraphs": [five[:12], seven[16:]]}]
    assert _four(poems) == [five[:12] + "\n" + five[12:], seven[:16] + "\n" + seven[16:]]
