"""index: a status for every file, only what changed is read, near duplicates once, kills leave the old library and the next run goes on."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.test_rag_store import TEXTS, Bag

import ilk
from ilk.cli import main
from ilk.errors import UsageError
from ilk.rag._alike import alike, runs, sketch
from ilk.rag.ingest import Cut, Indexed, Rules, index
from ilk.rag.store import Library

LONG = " ".join(f"{t} And {i} more words of it." for i, t in enumerate(TEXTS))


class Counting(Bag):
    """Counts what it is asked for."""

    asked: int = 0

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked += len(texts)
        return super().embed(texts)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    at = tmp_path / "files"
    (at / "sub" / ".git").mkdir(parents=True)
    for name, content in {"a.md": "# Moon\n\nThe moon is bright.", "b.txt": "The sea is wide.", "sub/c.py": "def f():\n    return 'river'\n",
                          "p.csv": "title,year\nQuiet Night,726\nSpring,730\n",
                          "empty.txt": "", "bin.txt": "a\0b", "x.pdf": "no pdf", "y.xyz": "?", ".hidden.txt": "no", "sub/.git/config.txt": "no"}.items():
        (at / name).write_text(content)
    return at


def statuses(found: Indexed, at: Path) -> dict[str, str]:
    return {Path(t.file).relative_to(at).as_posix(): t.status for t in found.files}


def test_every_file_has_a_status(files: Path, tmp_path: Path) -> None:
    found = index(files, tmp_path / "library", Bag())
    assert statuses(found, files) == {"a.md": "new", "b.txt": "new", "sub/c.py": "new", "p.csv": "new",
                                     "empty.txt": "failed", "bin.txt": "failed", "x.pdf": "failed", "y.xyz": "skipped"}
    assert (found.generation, found.documents, found.passages) == (1, 5, 5) and all(t.note for t in found.files if t.status in ("failed", "skipped"))
    with Library.open(tmp_path / "library", Bag()) as library:
        hit = library.passages([library.lexical("quiet night", 1, "year < 728")[0][0]])[0]
        assert hit.document.endswith("p.csv#1") and hit.facts == {"title": "Quiet Night", "year": 726}
        assert library.passages([library.lexical("bright", 1)[0][0]])[0].path == ("Moon",)


def test_only_what_changed_is_read_again(files: Path, tmp_path: Path) -> None:
    at, bag = tmp_path / "library", Counting()
    index(files, at, bag)
    assert bag.asked == 5
    again = index(files, at, bag)
    assert bag.asked == 5 and again.generation == 1 and {s for s in statuses(again, files).values()} == {"unchanged", "failed", "skipped"}
    (files / "b.txt").write_text("The sea is narrow.")
    (files / "a.md").unlink()
    (files / "p.csv").write_text("title,year\nQuiet Night,726\n")
    (files / "new.txt").write_text("A new one.")
    changed = index(files, at, bag)
    assert bag.asked == 8 and changed.generation == 2 and changed.documents == 4
    moved = {k: v for k, v in statuses(changed, files).items() if v in ("new", "changed", "removed")}
    assert moved == {"b.txt": "changed", "p.csv": "changed", "new.txt": "new", "a.md": "removed"}
    with Library.open(at, bag) as library:
        text = " ".join(p.text for p in library.passages([i for i, _ in library.nearest(bag.embed(["sea moon spring"]), 99)[0]]))
        assert "narrow" in text and "wide" not in text and "bright" not in text and "Spring" not in text


def test_a_file_that_broke_is_taken_out(files: Path, tmp_path: Path) -> None:
    index(files, tmp_path / "library")
    (files / "b.txt").write_bytes(b"\0")
    assert statuses(index(files, tmp_path / "library"), files)["b.txt"] == "failed"
    with Library.open(tmp_path / "library") as library:
        assert not any("b.txt" in name for name in library.names)


def test_duplicates_are_kept_once_and_told(tmp_path: Path) -> None:
    at = tmp_path / "files"
    at.mkdir()
    for name, text in {"1.txt": LONG, "2.txt": LONG,
                       "3.txt": LONG.replace("Tang number 25", "Qing number 25"), "4.txt": LONG[:len(LONG) // 2]}.items():
        (at / name).write_text(text)
    found = {Path(t.file).name: t for t in index(at, tmp_path / "library").files}
    assert {n: t.status for n, t in found.items()} == {"1.txt": "new", "2.txt": "duplicate", "3.txt": "duplicate", "4.txt": "new"}
    assert "the same text as" in found["2.txt"].note and "% the same as" in found["3.txt"].note and "1.txt" in found["3.txt"].note
    (at / "1.txt").unlink()
    after = {Path(t.file).name: t.status for t in index(at, tmp_path / "library").files}
    assert after == {"2.txt": "changed", "3.txt": "duplicate", "4.txt": "unchanged", "1.txt": "removed"}
    assert index(at, tmp_path / "all", rules=Rules(near=None)).counts == {"new": 3}


def test_a_renamed_file_is_kept(tmp_path: Path) -> None:
    at = tmp_path / "files"
    at.mkdir()
    (at / "b.txt").write_text(LONG)
    index(at, tmp_path / "library", Bag())
    (at / "b.txt").rename(at / "a.txt")
    found = index(at, tmp_path / "library", Bag())
    with Library.open(tmp_path / "library", Bag()) as library:
        assert found.counts == {"new": 1, "removed": 1} and [Path(n).name for n in library.names] == ["a.txt"]
        assert len(library.nearest(Bag().embed(["moon"]), 999)[0]) == found.passages > 0


def test_how_alike_is_counted() -> None:
    one, other = runs(LONG), runs(LONG.replace("Tang", "Qing"))
    words = [" ".join(p) for p in zip(*[ilk.rag.words.words(LONG)[i:] for i in range(5)], strict=False)]
    assert len(one) == len(set(words)) and alike(one, one) == 1 and 0 < alike(one, other) < 1
    import numpy as np

    near = np.mean(np.frombuffer(sketch(one), np.uint32) == np.frombuffer(sketch(other), np.uint32))
    assert abs(near - alike(one, other)) < 0.15 and sketch(runs("short")) == b""


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_rag_store import Bag
from ilk.rag import ingest
class Deadly(Bag):
    left = {left}
    def embed(self, texts):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts)
ingest._BATCH = 2
ingest.index(Path({files!r}), Path({at!r}), Deadly())
"""


def test_killed_while_it_reads_the_old_library_answers_and_the_next_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at, files = tmp_path / "library", tmp_path / "files"
    files.mkdir()
    (files / "old.txt").write_text("The old one.")
    index(files, at, Bag())
    for i, text in enumerate(TEXTS[:12]):
        (files / f"n{i:02}.txt").write_text(text)
    program = KILLED.format(tests=str(Path(__file__).parent), files=str(files), at=str(at), left=4)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with Library.open(at, Bag()) as library:
        assert library.generation == 1 and len(library) == 1 and library.lexical("moon", 9) == [] and len(library.nearest(Bag().embed(["moon"]), 9)[0]) == 1
    bag = Counting()
    found = index(files, at, bag)
    assert found.documents == 13 and found.generation == 2 and found.counts == {"new": 12, "unchanged": 1}
    assert bag.asked == 6   # three batches of two were put aside before


def test_another_embedder_or_index_is_refused(files: Path, tmp_path: Path) -> None:
    index(files, tmp_path / "library", Bag())
    with pytest.raises(UsageError, match="bag:64.*not with other"):
        index(files, tmp_path / "library", Bag("other"))
    with pytest.raises(UsageError, match="another index"):
        index(files, tmp_path / "library", Bag(), ilk.Usearch())
    with pytest.raises(UsageError, match="bag:64"):
        index(files, tmp_path / "library", "none")
    with pytest.raises(UsageError, match="there is no"):
        index(files / "nowhere", tmp_path / "library", Bag())


def test_a_failing_index_leaves_no_library(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    with pytest.raises(UsageError, match="PINECONE_API_KEY"):
        index(files, tmp_path / "library", Bag(), ilk.Pinecone(url="http://127.0.0.1:9"))
    assert index(files, tmp_path / "library").documents == 5


def test_the_size_of_passages_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LONG)
    index(tmp_path / "a.txt", tmp_path / "library", cut=Cut(size=200, overlap=50))
    with Library.open(tmp_path / "library") as library:
        assert max(len(p.text) for p in library.neighbours(library.lexical("moon", 1)[0][0], 999)) <= 200
    with pytest.raises(UsageError, match="passages of 10"):
        index(tmp_path / "a.txt", tmp_path / "other", cut=Cut(size=10))


def test_many_small_records_are_quick(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("term,meaning\n" + "".join(f"word{i},the meaning of number {i}\n" for i in range(3000)))
    began = time.monotonic()
    assert index(tmp_path / "p.csv", tmp_path / "library", Bag()).documents == 3000
    assert time.monotonic() - began < 30


def test_names_of_any_bytes(tmp_path: Path) -> None:
    at = tmp_path / "files"
    at.mkdir()
    with open(os.fsencode(at) + b"/\xff\n\x1b.txt", "wb") as file:
        file.write(b"Moonlight.")
    os.mkfifo(at / "pipe.txt")
    (at / "loop.txt").symlink_to(at / "loop.txt")
    (at / "up").symlink_to(at)
    found = index(at, tmp_path / "library")
    assert sorted(t.status for t in found.files) == ["failed", "failed", "new"] and index(at, tmp_path / "library").counts["unchanged"] == 1


def test_the_command(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = str(tmp_path / "library")
    assert main(["index", str(files), "--out", at, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"new": 4, "failed": 3, "skipped": 1} and found["documents"] == 5 and found["embedder"] is None
    assert main(["index", str(files), "--out", at]) == 0
    said = capsys.readouterr().out
    assert "failed" in said and "holds 5 documents in 5 passages, found by words only" in said and "b.txt" not in said
    assert main(["index", "--out", at, "--remove", f"{files}/b.txt"]) == 0 and "holds 4 documents" in capsys.readouterr().out
    for wrong, code in ((["index", "--out", at], 2), (["index", str(files), "--out", at, "--embedder", "echo:x"], 2),
                        (["index", str(files), "--out", at, "--kind", "nothing"], 2),
                        (["index", "--out", at, "--remove", "nobody"], 3), (["index", str(files), "--out", at, "--near", "2"], 2)):
        assert main(wrong) == code, wrong
        assert "ilk:" in capsys.readouterr().err
