"""The catalogue of data: its entries and the ways to files. Nothing here uses a network."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image as pil
import pytest

import ilk
from ilk import catalogue
from ilk.catalogue import index, load, shapes, sources, unpack
from ilk.errors import DataError, UsageError

CSV = b"|a line to skip\n 1, x ,yes.\n2,?,no.\n\n3,y,yes\n"
KINDS = {"pip", "npm", "apt", "https", "sklearn", "stdlib"}
FORMS = {"csv", "bits", "bunch", "text", "topics", "poems", "images", "greys", "emoji", "quatrains", "chords", "recordings", "shapes"}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def written(folder: Path, name: str, files: Sequence[tuple[str, str, str]], reading: str, source: str = "") -> None:
    """An entry NAME.toml of (path, sha256, split) files."""
    rows = "".join(f'    {{ path = "{p}", sha256 = "{s}", split = "{k}" }},\n' for p, s, k in files)
    source = source or '[[sources]]\nkind = "stdlib"\n'
    head = 'summary = "s"\nsummary_zh = "z"\nlicence = "l"\nmodality = "table"\nhome = "https://home.example"\n'
    (folder / f"{name}.toml").write_text(f"{head}files = [\n{rows}]\n{source}[reading]\n{reading}", encoding="utf-8")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `entries`, `data` (in ILK_DATA) and `cache` (ILK_CACHE)."""
    for name in ("entries", "data", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(index, "FOLDER", tmp_path / "entries")
    monkeypatch.setenv("ILK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ILK_CACHE", str(tmp_path / "cache"))
    return tmp_path


def table(shelf: Path, source: str = "") -> None:
    """The entry `few`: a csv of five lines in train, one in test."""
    reading = 'form = "csv"\ncolumns = ["n", "word", "answer"]\nskip = \'^\\||^$\'\nmissing = ["?"]\nstrip = { answer = "." }\n'
    written(shelf / "entries", "few", [("few/a.csv", sha(CSV), "train"), ("few/b.csv", sha(b"4,z,no"), "test")], reading, source)


def put(shelf: Path, a: bytes = CSV, b: bytes = b"4,z,no") -> None:
    (shelf / "data" / "few").mkdir()
    (shelf / "data" / "few" / "a.csv").write_bytes(a)
    (shelf / "data" / "few" / "b.csv").write_bytes(b)


# entries

@pytest.mark.parametrize("name", catalogue.names())
def test_entry_is_complete(name: str) -> None:
    entry = catalogue.entry(name)
    assert entry.name == name and catalogue.summary(name) == entry.summary
    assert all((entry.summary, entry.summary_zh, entry.licence, entry.modality, entry.sources)) and "\n" not in entry.summary
    assert entry.home.startswith("https://") and entry.reading.form in FORMS
    assert len({f.path for f in entry.files}) == len(entry.files)
    for file in entry.files:
        assert len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef")
        assert ".." not in file.path.split("/") and not file.path.startswith("/") and "\\" not in file.path
    for source in entry.sources:
        assert source.kind in KINDS
        assert source.kind not in ("pip", "npm", "apt") or (source.name and source.version and (source.at or source.pick))
        assert source.kind != "https" or source.at.startswith("https://")


def test_names_hold_what_was_promised() -> None:
    promised = "adult nltcs plants dna mushrooms jsb shakespeare spoken_digits mnist emoji shapes tang iris wine breast_cancer diabetes digits topics"
    assert set(promised.split()) <= set(catalogue.names())
    assert catalogue.names() == tuple(sorted(catalogue.names()))


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean iris") as caught:
        catalogue.entry("irs")
    assert caught.value.code == "UNKNOWN_DATA"


@pytest.mark.parametrize("bad", ["../iris", "/etc/passwd", "", "iris.toml"])
def test_name_is_no_path(bad: str) -> None:
    with pytest.raises(UsageError):
        catalogue.fetch(bad)


def test_unknown_key_is_refused(shelf: Path) -> None:
    written(shelf / "entries", "odd", [], 'form = "csv"\nshell = "rm"\n')
    with pytest.raises(DataError, match=r"odd\.toml.*shell"):
        catalogue.entry("odd")


def test_importing_the_catalogue_is_light() -> None:
    code = "import sys, ilk.catalogue as c; c.names(); c.fetch('iris'); sys.exit(bool({'torch', 'polars', 'numpy', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# data that need no download

@pytest.mark.parametrize(("name", "shape", "target"), [("iris", (150, 5), "species"), ("wine", (178, 14), "grower"),
                                                       ("breast_cancer", (569, 31), "diagnosis"), ("diabetes", (442, 11), "progression")])
def test_toy_tables(name: str, shape: tuple[int, int], target: str) -> None:
    assert catalogue.fetch(name, offline=True) == {}
    frame = load.frames(name)["all"]
    assert frame.shape == shape and frame.columns[-1] == target
    assert sum(frame.null_count().row(0)) == 0


def test_toy_tables_are_in_raw_units() -> None:
    frame = load.frames("diabetes")["all"]
    assert (frame["age"].min(), frame["age"].max()) == (19, 79) and str(frame["age"].dtype) == "Int64"
    assert sorted(load.frames("iris")["all"]["species"].unique()) == ["setosa", "versicolor", "virginica"]


def test_digits() -> None:
    digits = load.arrays("digits")["all"]
    assert digits.items.shape == (1797, 8, 8) and digits.items.dtype == np.uint8 and digits.items.max() == 16
    assert digits.labels is not None and sorted(set(digits.labels.tolist())) == list(range(10))


def test_topics_are_paragraphs() -> None:
    paragraphs = load.texts("topics")["all"]
    assert len(paragraphs) > 1000 and min(map(len, paragraphs)) >= 40
    assert all(p == p.strip() and "\n\n" not in p for p in paragraphs)


def test_wrong_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="iris are not text: they are of the modality table"):
        load.texts("iris")


def test_shapes_are_what_the_answers_say() -> None:
    asked = [("what is the blue shape?", "rectangle"), ("is there a triangle in the image?", "no")]
    assert shapes.shown(asked) == "blue rectangle" and shapes.shown(asked[1:]) is None
    assert shapes.shown([("does the image not contain a red shape?", "no"), ("is no circle present?", "yes"), ("is there a triangle?", "no")]) == "red rectangle"
    drawn = io.BytesIO()
    pil.new("RGB", (64, 64), "blue").save(drawn, "PNG")
    told = json.dumps([[*asked[0], 1], ["is there a red shape?", "no", 0]]).encode()
    items, names = shapes.pictures(unpack.pack({"0.png": drawn.getvalue(), "1.png": drawn.getvalue(), "questions.json": told}, "train"))
    assert items.shape == (1, 64, 64, 3) and tuple(items[0, 0, 0]) == (0, 0, 255) and names.tolist() == ["blue rectangle"]


PALETTE = {"black": (0, 0, 0), "blue": (0, 0, 255), "brown": (165, 42, 42), "gray": (128, 128, 128), "green": (0, 255, 0), "red": (255, 0, 0),
           "teal": (0, 128, 128), "yellow": (255, 255, 0)}


def test_answers_agree_with_the_colours_of_the_pictures() -> None:
    try:
        data = ilk.read("shapes")
    except DataError:
        pytest.skip("the data are not on this machine")
    assert data.labels is not None and data.captions is not None and (len(data.train), len(data.test)) == (3578, 888)
    for i in range(0, len(data), 17):
        name = str(data.labels.names[int(data.labels.codes[i])])
        assert data.captions.texts[i] == f"a {name}"
        here = {tuple(int(v) for v in pixel) for pixel in data.items[i].reshape(-1, 3)}
        assert {c for c, rgb in PALETTE.items() if rgb in here} == {name.split()[0]}


# files in folders

def test_a_table_is_read_by_its_hints(shelf: Path) -> None:
    table(shelf)
    put(shelf)
    frames = load.frames("few")
    assert frames["train"].rows() == [(1, "x", "yes"), (2, None, "no"), (3, "y", "yes")]
    assert frames["test"].rows() == [(4, "z", "no")] and frames["train"].schema == frames["test"].schema


def test_every_folder_is_looked_in_then_the_cache(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shelf)
    put(shelf)
    (shelf / "data" / "few").rename(shelf / "cache" / "few")
    (shelf / "more" / "few").mkdir(parents=True)
    (shelf / "more" / "few" / "b.csv").write_bytes(b"4,z,no")
    monkeypatch.setenv("ILK_DATA", f"{shelf / 'data'}{os.pathsep}{shelf / 'more'}")
    assert catalogue.fetch("few") == {"few/a.csv": shelf / "cache/few/a.csv", "few/b.csv": shelf / "more/few/b.csv"}


def test_cache_follows_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ILK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalogue.cache() == tmp_path / "ilk"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert catalogue.cache() == Path.home() / ".cache" / "ilk"


def test_changed_file_is_an_error_that_names_it(shelf: Path) -> None:
    table(shelf)
    put(shelf, b=b"4,z,NO")
    with pytest.raises(DataError, match=r"few/b\.csv") as caught:
        catalogue.fetch("few")
    assert caught.value.code == "DATA_CHANGED"


def test_missing_files_say_how_to_get_them(shelf: Path) -> None:
    table(shelf, '[[sources]]\nkind = "pip"\nname = "thing"\nversion = "1.0"\nat = "thing/{name}"\n')
    with pytest.raises(DataError, match="pip thing 1.0") as caught:
        catalogue.fetch("few", offline=True)
    assert caught.value.code == "DATA_MISSING"
    for part in ("few/a.csv", "ILK_DATA", "https://home.example"):
        assert part in str(caught.value)


def test_gz_is_known_by_what_it_holds(shelf: Path) -> None:
    bits = b"0,1,1\n1,0,1\n"
    written(shelf / "entries", "bit", [("b/x.csv.gz", sha(bits), "train")], 'form = "bits"\nheader = false\n')
    (shelf / "data" / "b").mkdir()
    for level in (1, 9):
        (shelf / "data" / "b" / "x.csv.gz").write_bytes(gzip.compress(bits, level))
        assert load.arrays("bit")["train"].items.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert load.frames("bit")["train"].columns == ["x0", "x1", "x2"]


def test_damaged_content_is_a_data_error(shelf: Path) -> None:
    data = b"{not json"
    written(shelf / "entries", "bad", [("bad.json", sha(data), "all")], 'form = "poems"\n')
    (shelf / "data" / "bad.json").write_bytes(data)
    with pytest.raises(DataError, match="bad can't be read"):
        load.texts("bad")


def test_poems_leave_out_what_is_damaged(shelf: Path) -> None:
    data = b'[{"title":"t","paragraphs":["a","b"]},{"title":"u","paragraphs":[]},{"title":"v","paragraphs":["c"],"error_type":["e"]}]'
    written(shelf / "entries", "poem", [("p.json", sha(data), "all")], 'form = "poems"\n')
    (shelf / "data" / "p.json").write_bytes(data)
    assert load.texts("poem") == {"all": ["t\na\nb"]}


def test_glosses_have_terms_part_of_speech_and_definition(shelf: Path) -> None:
    data = b"  1 the licence  \n00001 03 n 02 physical_entity 0 thing(p) 1 000 | what is there; \"a thing\"  \n00002 00 s 01 deft 0 000 | skilful  \n"
    written(shelf / "entries", "gloss", [("data.noun", sha(data), "all")], 'form = "glosses"\n')
    (shelf / "data" / "data.noun").write_bytes(data)
    assert load.texts("gloss") == {"all": ['physical entity, thing (noun): what is there; "a thing"', "deft (adjective): skilful"]}


def test_damaged_glosses_are_a_data_error(shelf: Path) -> None:
    written(shelf / "entries", "gloss", [("data.noun", sha(b"oops"), "all")], 'form = "glosses"\n')
    (shelf / "data" / "data.noun").write_bytes(b"oops")
    with pytest.raises(DataError, match="gloss can't be read"):
        load.texts("gloss")


# sources: the client is a stand-in that leaves an archive where the real one would

def client(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], None]) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str], folder: Path) -> None:
        commands.append(command)
        make(folder / name)

    monkeypatch.setattr(sources, "_run", run)
    return commands


def wheel(at: Path, a: bytes = CSV) -> None:
    with zipfile.ZipFile(at, "w") as made:
        made.writestr("thing/a.csv", a)
        made.writestr("thing/b.csv", b"4,z,no")
        made.writestr("thing/__init__.py", b"raise SystemExit('code of a package was run')")


PIP = '[[sources]]\nkind = "pip"\nname = "thing"\nversion = "1.0"\nat = "thing/{name}"\n'


def test_package_is_unpacked_into_the_cache_once(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shelf, PIP)
    commands = client(monkeypatch, "thing-1.0-py3-none-any.whl", wheel)
    for _ in range(2):
        assert catalogue.fetch("few") == {p: shelf / "cache" / p for p in ("few/a.csv", "few/b.csv")}
    assert len(commands) == 1 and commands[0][-1] == "thing==1.0" and "--no-deps" in commands[0]
    assert sorted(p.name for p in (shelf / "cache").rglob("*")) == ["a.csv", "b.csv", "few"]


def test_members_of_a_package_are_packed_by_split(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {split: {"0.txt": split.encode(), "1.txt": b"1"} for split in ("train", "test")}
    digests = {split: unpack.digest("x.tar.gz", unpack.pack(members, "x")) for split, members in parts.items()}
    written(shelf / "entries", "parts", [(f"parts/{s}.tar.gz", digests[s], s) for s in parts], 'form = "shapes"\n',
            '[[sources]]\nkind = "pip"\nname = "thing"\nversion = "1.0"\npick = "data/{split}/*"\n')

    def make(at: Path) -> None:
        with zipfile.ZipFile(at, "w") as made:
            for split, members in parts.items():
                for name, data in members.items():
                    made.writestr(f"data/{split}/inner/{name}", data)
            made.writestr("data/other.txt", b"not wanted")

    client(monkeypatch, "thing-1.0-py3-none-any.whl", make)
    found = catalogue.fetch("parts")
    assert {path.rpartition("/")[2]: sorted(n.rpartition("/")[2] for n in _members(at)) for path, at in found.items()} == dict.fromkeys(
        ("train.tar.gz", "test.tar.gz"), ["0.txt", "1.txt"])
    client(monkeypatch, "thing-1.0-py3-none-any.whl", wheel)
    monkeypatch.setenv("ILK_CACHE", str(shelf / "elsewhere"))
    with pytest.raises(DataError, match=r"no data/train/\*"):
        catalogue.fetch("parts")


def _members(at: Path) -> list[str]:
    with open(at, "rb") as file:
        return list(unpack.pick(file, lambda _: True))


def test_package_with_another_content_is_not_used(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shelf, PIP)
    client(monkeypatch, "thing-1.0-py3-none-any.whl", lambda at: wheel(at, b"other"))
    with pytest.raises(DataError, match=r"pip thing 1\.0 gave is not the few/a\.csv") as caught:
        catalogue.fetch("few")
    assert caught.value.code == "DATA_CHANGED" and not list((shelf / "cache").iterdir())


def test_next_source_is_tried_and_all_reasons_are_told(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shelf, PIP + '[[sources]]\nkind = "https"\nat = "http://plain.example/{name}"\n')

    def refuse(command: list[str], folder: Path) -> None:
        raise sources.Unavailable("no such package")

    monkeypatch.setattr(sources, "_run", refuse)
    with pytest.raises(DataError, match="pip thing 1.0: no such package; https: .* is not an https address"):
        catalogue.fetch("few")


def test_address_gives_plain_or_picked_files(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bits = b"0,1\n"
    whole = unpack.pack({"0_a_0.wav": b"RIFF0", "0_a_9.wav": b"RIFF9"}, "repo/rec")
    answers = {"https://h.example/train.data": bits, "https://h.example/all.tgz": whole}
    monkeypatch.setattr(sources, "_download", answers.__getitem__)
    written(shelf / "entries", "bit", [("x.csv.gz", sha(bits), "train")], 'form = "bits"\nheader = false\n',
            '[[sources]]\nkind = "https"\nat = "https://h.example/{split}.data"\n')
    assert load.arrays("bit")["train"].items.tolist() == [[0, 1]]
    written(shelf / "entries", "pick", [("r/rec.tar.gz", unpack.digest("rec.tar.gz", whole), "all")], 'form = "recordings"\n',
            '[[sources]]\nkind = "https"\nat = "https://h.example/all.tgz"\npick = "*/rec/*.wav"\n')
    assert catalogue.fetch("pick") == {"r/rec.tar.gz": shelf / "cache/r/rec.tar.gz"}


def test_failing_client_is_told(tmp_path: Path) -> None:
    with pytest.raises(sources.Unavailable, match="^second$"):
        sources._run([sys.executable, "-c", "import sys; sys.exit('first\\nsecond')"], tmp_path)
    with pytest.raises(sources.Unavailable, match="FileNotFoundError"):
        sources._run([str(tmp_path / "nothing")], tmp_path)
