"""Blind comparisons: what is shown in which order, votes that are kept whatever happens, the page's answers, and the command."""
from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.captions import Captions
from ilk.cli import main
from ilk.dataset import Labels
from ilk.errors import DataError, UsageError
from ilk.rng import Rng
from ilk.verbs._ballots import Votes, read_votes, schedule
from ilk.verbs.blind import Study

TOKEN = "secret"


def study(n: int = 6, names: tuple[str, ...] = ("model-one", "model-two"), again: float = 0.0) -> Study:
    """Items that are numbers, larger from the first."""
    items = tuple(tuple(f"<pre>{100 * (len(names) - s) + i}</pre>" for i in range(n)) for s in range(len(names)))
    return Study(names, items, ("",) * n, schedule(len(names), n, again, Rng(0)), False)


@pytest.mark.parametrize(("sides", "n"), [(2, 1), (2, 9), (3, 10), (5, 4)])
def test_schedule(sides: int, n: int) -> None:
    """Every pair on every item once, at any time as often as the others, on the left half of the time; the second looks are turned."""
    found = schedule(sides, n, 0.25, Rng(7))
    first, again = found[:n * sides * (sides - 1) // 2], found[n * sides * (sides - 1) // 2:]
    assert Counter((*sorted((c.left, c.right)), c.item) for c in first) == Counter((*p, i) for p in combinations(range(sides), 2) for i in range(n))
    for stop in range(1, len(first) + 1):
        counts = Counter(tuple(sorted((c.left, c.right))) for c in first[:stop])
        assert max(counts.values()) - min(counts.get(p, 0) for p in combinations(range(sides), 2)) <= 1
    for one, other in combinations(range(sides), 2):
        turned = sum((c.left, c.right) == (other, one) for c in first)
        assert turned in (n // 2, (n + 1) // 2)
    assert len(again) == round(0.25 * len(first)) and all((c.right, c.left, c.item) in {(f.left, f.right, f.item) for f in first} for c in again)
    assert found == schedule(sides, n, 0.25, Rng(7)) and (n < 4 or found != schedule(sides, n, 0.25, Rng(8)))


def test_votes_go_on_where_they_ended(tmp_path: Path) -> None:
    """Undone, taken up again, by two raters in one file; what was left open too long is refused."""
    shown, at = study(), tmp_path / "v.jsonl"
    votes = Votes(at, shown, "ann")
    for choice in ("left", "tie", "right"):
        votes.cast(votes.next, choice)
    votes.undo()
    assert votes.next == 2 and len(read_votes(at)) == 2
    for wrong in ((1, "left"), (2, "both"), (99, "left")):
        with pytest.raises(UsageError):
            votes.cast(*wrong)
    other = Votes(at, shown, "bob")
    assert other.next == 0
    other.cast(0, "left")
    other.undo()
    other.undo()
    other.cast(0, "right")
    votes = Votes(at, shown, "ann")
    assert votes.next == 2
    votes.cast(2, "left")
    kept = read_votes(at)
    pairs = [shown.order[k] for k in (0, 1, 0, 2)]
    names = [[shown.names[p.left], shown.names[p.right]] for p in pairs]
    assert [(v.rater, v.winner, v.item) for v in kept] == [("ann", names[0][0], pairs[0].item), ("ann", None, pairs[1].item), ("bob", names[2][1], pairs[2].item),
                                                           ("ann", names[3][0], pairs[3].item)]
    with pytest.raises(DataError, match="another comparison"):
        Votes(at, study(5))


def test_a_file_cut_anywhere_can_be_taken_up(tmp_path: Path) -> None:
    """Whatever part of the last line is on disk, whole votes stand, and the next one is a line of its own."""
    shown, at = study(3), tmp_path / "v.jsonl"
    votes = Votes(at, shown)
    votes.cast(0, "left")
    votes.cast(1, "right")
    whole = at.read_bytes()
    ends = [i + 1 for i, b in enumerate(whole) if b == 10]
    for size in sorted({*range(0, len(whole), 7), *ends, *(e - 1 for e in ends), *(e + 1 for e in ends[:-1])}):
        at.write_bytes(whole[:size])
        again = Votes(at, shown)
        kept = sum(size >= end - 1 for end in ends[1:])   # all but the line's end is enough
        assert again.next == kept
        again.cast(kept, "tie")
        assert len(read_votes(at)) == kept + 1


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_blind import study
from ilk.verbs._ballots import Votes
votes = Votes(sys.argv[1], study(500))
while True:
    k = votes.next
    votes.cast(k, "left")
    print(k, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_no_vote_that_was_answered_is_lost(tmp_path: Path) -> None:
    at = tmp_path / "v.jsonl"
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(at), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True,
                           env={**os.environ, "PYTHONPATH": str(Path(ilk.__file__).parents[1])})
    for line in run.stdout or ():
        if int(line) >= 5:
            run.send_signal(signal.SIGKILL)
            break
    last = [5, *map(int, (run.stdout or "").read().split())][-1] if run.stdout else 0
    run.wait(20)
    if run.stdout:
        run.stdout.close()
    assert len(read_votes(at)) >= last + 1 and Votes(at, study(500)).next == len(read_votes(at))


def ask(app: Any, *calls: tuple[str, str, Any]) -> list[Any]:
    """Answers of an application, one after the other."""
    httpx = pytest.importorskip("httpx")

    async def go() -> list[Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
            return [await client.request(method, f"/{TOKEN}/{path}", **({} if body is None else {"json": body})) for method, path, body in calls]

    return asyncio.run(go())


def app_of(votes: Votes, done: Callable[[], None] = lambda: None, language: str = "en") -> Any:
    pytest.importorskip("starlette")
    return ilk.blind_app(votes, TOKEN, language, done)


def test_the_page_tells_no_names_and_loads_nothing(tmp_path: Path) -> None:
    for language, said in (("en", "can't tell"), ("zh", "分不出")):
        votes = Votes(tmp_path / f"{language}.jsonl", study(names=("model-one", "model-two")))
        page, ahead, other = ask(app_of(votes, language=language), ("GET", "", None), ("GET", "next", None), ("GET", "?language=zh", None))
        assert said in page.text.replace("&#x27;", "'") and "分不出" in other.text and f'lang="{"en" if language == "en" else "zh-Hans"}"' in page.text
        assert not re.search(r"model-|https?://|src=|url\(|@import", page.text + ahead.text)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and re.search(r"script-src 'nonce-([\w-]+)'", policy)[1] in page.text and "viewport" in page.text  # type: ignore[index]
        assert page.headers["cache-control"] == "no-store" and set(ahead.json()) == {"done", "k", "voted", "total", "left", "right", "asked"}
    

def test_votes_through_the_page(tmp_path: Path) -> None:
    """Somebody who likes the larger number gives all to the first; the end is told once."""
    shown, ended = study(again=0.5), list[int]()
    votes = Votes(tmp_path / "v.jsonl", shown)
    app = app_of(votes, lambda: ended.append(1))
    (told,) = ask(app, ("GET", "next", None))
    undone = False
    while not (now := told.json())["done"]:
        number = {side: int(re.sub("<[^>]*>", "", now[side])) for side in ("left", "right")}
        (told,) = ask(app, ("POST", "vote", {"k": now["k"], "choice": max(number, key=lambda side: number[side]), "seconds": 1.5}))
        assert told.status_code == 200
        if now["k"] == 3 and not undone:
            (told,), undone = ask(app, ("POST", "undo", {})), True
            assert told.json()["k"] == told.json()["voted"] == 3
    found = ilk.bradley_terry(read_votes(votes.at))
    assert ended == [1] and found["model-one"].wins == len(shown.order) == found.votes and found.itself.share == 1.0 and "prior" in found.note


def labelled(seed: int) -> ilk.Dataset[Any]:
    """Numbers around 10 times their label."""
    codes = torch.arange(90) % 3
    x = 10.0 * codes.numpy()[:, None] + np.random.Generator(np.random.Philox(seed)).normal(size=(90, 1))
    data: ilk.Dataset[Any] = ilk.read(x)
    return ilk.Dataset(data.modality, data.items, labels=Labels(codes, ("a", "b", "c")))


def test_all_show_the_same_label() -> None:
    """Item i is of the label that is said above it: of data, and of a model that knows labels."""
    data = labelled(1)
    model = ilk.fit(data, ilk.Flow(layers=1, width=16, bins=4), seed=1, budget=ilk.Steps(200))
    found = ilk.blind({"model": model, "real": labelled(2), "own": data}, n=7, seed=3)
    assert found.asked == ("a", "b", "c", "a", "b", "c", "a")
    values = [[float(re.search(r"-?\d+\.?\d*", item)[0]) for item in side] for side in found.items]  # type: ignore[index]
    for side in values:
        assert [round(v / 10) for v in side] == [0, 1, 2, 0, 1, 2, 0]
    tested = {round(float(v), 3) for v in data.test[:, 0]}
    assert all(any(abs(v - t) < 1e-2 for t in tested) for v in values[2])   # of the data that it was fitted on, what it has not seen
    assert found.items == ilk.blind({"model": model, "real": labelled(2), "own": data}, n=7, seed=3).items


def test_all_show_the_same_caption() -> None:
    """A model that was fitted with captions is asked for those of the data's test items, which stand beside what it made."""
    codes = torch.arange(300) % 3
    x = 10.0 * codes.numpy()[:, None] + np.random.Generator(np.random.Philox(5)).normal(size=(300, 1))
    plain: ilk.Dataset[Any] = ilk.read(x)
    told = ("low thing", "middle thing", "high thing")
    data = ilk.Dataset(plain.modality, plain.items, captions=Captions.of([told[c] for c in codes.tolist()]))
    model = ilk.fit(data, ilk.Diffusion(net=ilk.MLP(width=32)), seed=1, budget=ilk.Steps(500))
    found = ilk.blind({"model": model, "real": data}, n=12)
    wanted = [told.index(asked) for asked in found.asked]
    made, real = ([float(re.search(r"-?\d+\.?\d*", item)[0]) for item in side] for side in found.items)  # type: ignore[index]
    assert len(set(wanted)) == 3 and [round(v / 10) for v in real] == wanted and np.corrcoef(made, wanted)[0, 1] > 0.8


def test_what_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = pl.DataFrame({"a": list(range(40)), "b": ["<x>", "y"] * 20})
    table.write_csv("t.csv")
    model = ilk.fit(ilk.read("t.csv"), ilk.GMM(components=1))
    model.save("m.ilk")
    found = ilk.blind({"m.ilk": "m.ilk", "t.csv": "t.csv"}, n=20)
    assert len(found.items[0]) == 4 and all("<dt>a</dt>" in item and "<x>" not in item for side in found.items for item in side)   # its 4 test rows
    Path("one.txt").write_text("one line\ntwo lines\n" * 200)
    pieces = ilk.blind({"one.txt": "one.txt", "same": ilk.read("one.txt")}, n=3)
    assert all(item.startswith("<pre>") for side in pieces.items for item in side)
    for sides in ({"m.ilk": "m.ilk"}, {"m": "m.ilk", "x": np.zeros((9, 2))}, {"m": "m.ilk", "no": "nowhere.csv"}):
        with pytest.raises((UsageError, DataError)):
            ilk.blind(sides)


def served(sides: tuple[str, ...], votes: Path, answer: list[Any]) -> threading.Thread:
    from ilk.console.blind import blind_command

    how = {"n": 3, "seed": 0, "again": 0.0}
    thread = threading.Thread(daemon=True, target=lambda: answer.append(blind_command(sides, how, {"votes": votes, "rater": ""}, ("en", 0), None)))
    thread.start()
    return thread


def test_the_command_serves_until_all_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    for name, far in (("a", 0), ("b", 100)):
        np.save(f"{name}.npy", np.arange(10.0)[:, None] + far)
    answer: list[Any] = []
    thread, said, until = served(("a.npy", "b.npy"), Path("v.jsonl"), answer), "", time.monotonic() + 30
    while "http://" not in said and time.monotonic() < until:
        said += capsys.readouterr().err
        time.sleep(0.01)
    url = re.search(r"http://127\.0\.0\.1:\d+/\S+/", said)[0]  # type: ignore[index]
    with httpx.Client() as client:
        for _ in range(3):
            now = client.get(url + "next").json()
            larger = max(("left", "right"), key=lambda side: float(re.search(r"\d+", now[side])[0]))  # type: ignore[index]
            assert client.post(url + "vote", json={"k": now["k"], "choice": larger}).status_code == 200
    thread.join(20)
    assert not thread.is_alive() and answer[0][0]["standings"][0]["name"] == "b.npy" and answer[0][0]["left"] == 0
    assert len(read_votes("v.jsonl")) == 3


def test_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    votes = Votes("v.jsonl", study(20))
    for k in range(20):
        votes.cast(k, "tie" if k % 5 == 0 else "left" if (k % 3 == 0) == (votes.study.order[k].left == 1) else "right")
    assert main(["blind", "--results", "v.jsonl", "--json", "--out", "s.csv"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = ilk.bradley_terry(ilk.read_votes("v.jsonl"))
    assert [s["name"] for s in told["standings"]] == [s.name for s in found.standings] and told["pairs"][0]["difference"] == list(found.difference("model-one", "model-two"))
    assert pl.read_csv("s.csv")["strength"].to_list() == pytest.approx([s.strength for s in found.standings]) and told["standings"][0]["ties"] == 4
    assert main(["blind", "--results", "v.jsonl", "--out", "s.json"]) == 0 and json.loads(Path("s.json").read_text())["votes"] == 20
    assert "95 % interval" in capsys.readouterr().out
    Path("x.jsonl").write_text("{}\n")
    for words, code in ((("--results", "x.jsonl"), 3), (("--results", "no.jsonl"), 3), (("--results", "v.jsonl", "--out", "s.xyz"), 2), (("a",), 2), (("a", "a"), 2)):
        assert main(["blind", *words]) == code
        assert "Traceback" not in capsys.readouterr().err
