"""Lines to copy do what was asked: the words are run by the command line, the Python by Python, and all three agree."""
from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

import ilk
from ilk.cli import main
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.lines import lines, verbs
from ilk.serve.place import Workspace
from ilk.serve.server import Server

TABLE = pl.DataFrame({"age": [20 + i % 40 for i in range(200)], "odd, name": [("Lyon", "L'Île")[i % 40 > 20] for i in range(200)]})
ROWS = [{"age": 25, "odd, name": "Lyon"}, {"age": 50, "odd, name": "L'Île"}]
GAPS = [{"age": None, "odd, name": "Lyon"}, {"age": 50, "odd, name": None}]
BRIDGE = "The old bridge is of steel. It was painted in 1985."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("home")
    ilk.fit(TABLE, ilk.ChowLiu()).save(at / "people.ilk")
    ilk.fit(["the cat sat", "the dog sat", "a cat ran"] * 9, ilk.NGram(order=3)).save(at / "words.ilk")
    TABLE.write_csv(at / "people.csv")
    (at / "bridge.txt").write_text(BRIDGE)
    return at


@pytest.fixture(scope="module")
def client(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    server = Server(Here({"people": str(home / "people.ilk"), "words": str(home / "words.ilk"), "echo": "echo:"}), Workspace.at(tmp_path_factory.mktemp("w")))
    with TestClient(build(server), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(autouse=True)
def there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def shell(line: str) -> Any:
    """What the command says, run as a shell would split it."""
    words = shlex.split(line)
    assert words[0] == "ilk"
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*words[1:], "--json"] if "--" not in words else [words[1], "--json", *words[2:]]) == 0
    return json.loads(out.getvalue())


def python(line: str) -> tuple[dict[str, Any], str]:
    """The names that the lines leave, and what they print."""
    names: dict[str, Any] = {}
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(line, "line", "exec"), names)  # noqa: S102 - our own lines
    return names, out.getvalue()


@pytest.mark.parametrize(("verb", "asked"), [
    ("sample", {"model": "people", "n": 3, "seed": -7, "given": ["age > 40 and `odd, name` == 'L''Île'", {"age": 50}]}), ("sample", {"model": "people"}),
    ("sample", {"model": "words", "n": 2, "how": "top_p", "options": {"p": 0.7, "temperature": 0.5}, "given": ["the "], "seed": 2}),
    ("edit", {"model": "people", "items": ROWS, "redo": ["odd, name"], "n": 2, "seed": 1}), ("edit", {"model": "words", "items": ["the cat"], "redo": {"span": [4]}, "n": 2}), ("impute", {"model": "people", "items": GAPS, "best": True}),
    ("impute", {"model": "people", "items": GAPS, "n": 2, "seed": 3, "given": ["age > 20"]})])
def test_items_are_the_same_three_times(client: TestClient, verb: str, asked: dict[str, Any]) -> None:
    answer = client.post(f"/v1/{verb}", json=asked).json()
    items = asked.get("items", [])
    if items and isinstance(items[0], str):
        Path("items.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in items))
    elif items:
        pl.DataFrame(items).write_csv("items.csv")
    line = answer["line"]
    names, _ = python(line["python"])
    made = names["items"]
    assert (made.to_dicts() if hasattr(made, "to_dicts") else made) == answer["items"] == shell(line["cli"])["items"]
    said = client.post("/v1/lines", json={"verb": verb, "params": {k: v for k, v in asked.items() if v is not None}}).json()
    assert said["cli"] == line["cli"] and said["python"] == line["python"]


def test_scores_are_the_same_three_times(client: TestClient) -> None:
    answer = client.post("/v1/score", json={"model": "people", "items": ROWS, "given": ["age > 10"]}).json()
    pl.DataFrame(ROWS).write_csv("items.csv")
    said = shell(answer["line"]["cli"])
    assert said["nats"] == pytest.approx(answer["mean"]) and f"{answer['mean']:.4f}" in python(answer["line"]["python"])[1]


@pytest.mark.slow
def test_figures_are_the_same_three_times(client: TestClient) -> None:
    pl.DataFrame(TABLE.head(60)).write_csv("held.csv")
    id = client.post("/v1/files", files={"file": ("held.csv", Path("held.csv").read_bytes())}).json()["id"]
    answer = client.post("/v1/evaluate", json={"model": "people", "file": id, "n": 60, "seed": 2}).json()
    figures = {f["name"]: f["value"] for f in answer["figures"] if f["why"] is None}
    assert {f["name"]: f["value"] for f in shell(answer["line"]["cli"])["metrics"]} == pytest.approx(figures)
    assert all(f"{v:z.4f}" in python(answer["line"]["python"])[1] for v in list(figures.values())[:2])


def test_fits_are_the_same_twice(home: Path) -> None:
    asked = {"file": "people.csv", "family": "gmm", "options": {"components": 2, "covariance": "diag"}, "types": {"age": "continuous"}, "steps": 5, "seed": 3, "name": "two"}
    line = lines("fit", asked)
    model = python(line.python)[0]["model"]
    first = (home / "two.ilk" / "model.safetensors").read_bytes()
    assert shell(str(line.cli))["family"] == "gmm" and (home / "two.ilk" / "model.safetensors").read_bytes() == first and model.body.family == ilk.GMM(components=2, covariance="diag")


def test_a_library_is_asked_the_same_three_times(client: TestClient, home: Path) -> None:
    line = lines("index", {"files": ["bridge.txt"], "name": "notes"})
    assert shell(str(line.cli))
    python(line.python)
    asked = lines("ask", {"library": "notes", "question": "Is the old bridge of steel?", "k": 2})
    assert shell(str(asked.cli))["answer"] == python(asked.python)[1].strip() == "The old bridge is of steel. [1]"


def test_chats_are_the_same_twice() -> None:
    line = lines("chat", {"model": "echo:", "messages": [{"role": "user", "content": "--help 'me' $HOME"}], "seed": 1})
    assert python(line.python)[1].strip() == shell(str(line.cli))["answer"] == "--help 'me' $HOME"


@pytest.mark.slow
def test_reports_and_audits_run(home: Path) -> None:
    assert shell(str(lines("report", {"model": "people", "file": "people.csv", "language": "zh"}).cli)) and (home / "report.html").exists()
    assert shell(str(lines("audit", {"model": "people", "file": "people.csv"}).cli))


def test_words_of_long_work_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    for module, name in (("race", "race_command"), ("tune", "tune_command"), ("keep", "export_command")):
        monkeypatch.setattr(f"ilk.console.{module}.{name}", lambda *said: heard.append(deepcopy(said)) or ({"fine": True}, ""))
    assert shell(str(lines("race", {"file": "people.csv", "families": ["chow_liu", "gmm"], "seconds": 5, "name": "sprint"}).cli))["fine"]
    assert shell(str(lines("tune", {"model": "hf:some", "file": "people.csv", "tuning": "lora", "options": {"rank": 4}, "steps": 3, "name": "t"}).cli))["fine"]
    assert shell(str(lines("export", {"model": "people", "to": "onnx", "name": "out"}).cli))["fine"]
    race, tune, export = heard
    assert race[1]["families"] == "chow_liu,gmm" and race[1]["budget"] == "5s" and race[1]["out"] == Path("sprint.race")
    assert tune[2] == "lora" and tune[3]["tunings"] == {"rank": 4} and tune[4]["steps"] == 3 and export == ("people.ilk", "onnx", Path("out"))


def test_nothing_in_a_line_is_run_by_a_shell() -> None:
    evil = "x'; touch /tmp/pwned; $(id) `id` \n\" -rf"
    for verb, asked in (("sample", {"model": evil, "given": [evil]}), ("ask", {"library": "-x", "question": evil}), ("fit", {"file": evil, "family": "gmm"}), ("index", {"files": [evil], "name": "n"})):
        line = lines(verb, asked)
        assert any(evil in word for word in shlex.split(str(line.cli))) and compile(line.python, "line", "exec")


def test_every_verb_has_lines_and_others_are_refused(client: TestClient) -> None:
    whole = {"model": "people", "file": "a.csv", "items": ROWS, "redo": ["age"], "turns": [{"step": 1, "given": ["age > 3"]}], "files": ["a.txt"], "name": "n", "library": "n",
             "question": "?", "to": "onnx", "families": ["gmm"]}
    for verb in verbs():
        line = lines(verb, whole)
        assert compile(line.python, "line", "exec") and (line.cli is None) == (verb == "steer")
    assert client.post("/v1/lines", json={"verb": "rm", "params": {}}).status_code == 400
    assert client.post("/v1/lines", json={"verb": "edit", "params": {"model": "a"}}).json()["error"]["code"] == "PARAMS"
