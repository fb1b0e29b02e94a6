"""`ilk jobs`: the same store without a server."""
from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ilk.cli import main
from ilk.jobs.runner import Runner
from ilk.jobs.store import Store


@pytest.fixture
def ilk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("a,b\n1,2\n3,4\n")

    def run(*words: str) -> Any:
        code = main(["jobs", *words, "--workspace", "ws", "--json"] if words[0] != "submit" else ["jobs", "submit", "--workspace", "ws", "--json", *words[1:]])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_job_from_its_words_to_its_end(ilk: Any, tmp_path: Path) -> None:
    code, job = ilk("submit", "fit", "people.csv", "--family", "gmm", "--components", "2")
    assert code == 0 and job["state"] == "queued" and job["words"] == ["fit", f"{tmp_path}/people.csv", "--family", "gmm", "--components", "2", "--out", "people.ilk"]
    assert ilk("pause", job["id"][-6:])[1]["state"] == "paused" and ilk("resume", "last")[1]["state"] == "queued"
    assert [j["id"] for j in ilk("list", "--state", "queued")[1]["jobs"]] == [job["id"]]
    assert ilk("cancel", "last")[1]["state"] == "cancelled" and ilk("show", "last", "--follow")[1]["events"] == 4
    assert ilk("run")[1] == {"jobs": []}
    assert ilk("remove", "last")[1]["removed"] == [job["id"]] and ilk("list")[1]["jobs"] == []


@pytest.mark.parametrize(("words", "code"), [(("fit", "people.csv", "--stepz", "3"), "USAGE"), (("fit", "people.csv", "--family", "gnn"), "UNKNOWN_FAMILIES"),
                                             (("sample", "people.ilk"), "KIND"), (("fit",), "USAGE"), (("index", "people.csv"), "USAGE")])
def test_what_is_wrong_with_the_words_is_told_at_once(ilk: Any, words: tuple[str, ...], code: str) -> None:
    exit, told = ilk("submit", *words)
    assert exit == 2 and told["error"]["code"] == code and ilk("list")[1]["jobs"] == []


def test_an_unknown_job_and_too_many_at_once(ilk: Any) -> None:
    assert ilk("show", "123456")[1]["error"]["code"] == "job_not_found" and ilk("show", "last")[0] == 2
    assert ilk("run", "-j", "0")[0] == 2


def test_a_runner_in_the_foreground_gives_back_what_it_did_not_end(ilk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ilk("submit", "fit", "people.csv")
    monkeypatch.setattr("ilk.jobs.child.COMMAND", ("/bin/sh", "-c", "trap 'exit 143' TERM; sleep 60 & wait", "sh"))
    rounds: list[int] = []
    step = Runner.step

    def stepped(self: Runner) -> None:
        rounds.append(1)
        if len(rounds) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        step(self)

    monkeypatch.setattr(Runner, "step", stepped)
    assert main(["jobs", "run", "--workspace", "ws"]) == 143
    job = Store(tmp_path / "ws" / "jobs").list()[0]
    assert (job.state, job.attempt) == ("queued", 0)
