"""Races: cheats lose, the order of names changes nothing, what was run is not run again, limits end what goes beyond them, the page and the command."""
from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.cli import main
from ilk.errors import DataError, Stopped, UsageError
from ilk.rng import Rng
from ilk.space import Discrete, Many, Maybe, Reals, Row
from ilk.testing._spaces import planted
from ilk.verbs import _crews
from ilk.verbs._cheats import shaken
from ilk.verbs._crews import Limits, Task, known
from ilk.verbs._entrants import entrants
from ilk.verbs._heat import Result, Spec, heat
from ilk.verbs._kept import keep, kept
from ilk.verbs._race_page import page
from ilk.verbs.race import Race, race

torch.set_num_threads(1)
QUICK = ilk.RaceRules(budget=ilk.Steps(30), judged=60, finalists=1, trials=1, seeds=2)


@dataclass
class Here:
    """Heats in this process: no limits, no waiting for an interpreter."""

    jobs: int = 1
    ran: int = 0

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        for task in tasks:
            found: list[Result] = []
            while (spec := task.then(found)) is not None:
                if known(spec) is None:
                    heat(spec)
                    self.ran += 1
                done = known(spec)
                assert done is not None
                found.append(done)
                yield done


def items() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal((0, 0), (0.4, 1.0), (300, 2)), rng.normal((4, 1), (0.6, 0.3), (300, 2))])
    return rng.permutation(x)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Race:
    """One race that several tests look at."""
    return race(items(), None, ["gmm", "copula"], rules=QUICK, crew=Here(), out=tmp_path_factory.mktemp("race") / "r")


def test_the_right_family_wins_and_cheats_do_not(ran: Race) -> None:
    assert ran.winner.name == "gmm" and ran.decides == "quality"
    assert ran.ranking("likelihood")[0] == (1, "gmm") and dict((n, r) for r, n in ran.ranking("likelihood"))["independent"] > 1
    assert {"copies", "noisy_copies", "real"} <= {r.name for r in ran.rows} and not any(ran.by(n).runs for n in ("copies", "noisy_copies", "real", "independent"))
    assert ran.by("copies").flags and ran.by("copies").nats is None and not ran.by("gmm").flags
    assert ran.by("real").quality == pytest.approx(1.0) and ran.by("independent").quality == pytest.approx(0.0)
    assert isinstance(ran.best().sample(3), np.ndarray)


def test_a_finalist_is_tuned_and_repeated_from_other_seeds(ran: Race) -> None:
    assert ran.by("gmm").seeds >= 2 and (ran.folder / "heats" / "gmm-trial1" / "result").is_dir()
    assert ran.by("copula").seeds == 1


def test_what_was_run_is_not_run_again_and_the_order_of_names_changes_nothing(ran: Race) -> None:
    crew = Here()
    again = race(items(), None, ["copula", "gmm"], rules=QUICK, crew=crew, out=ran.folder)
    assert crew.ran == 0 and again.ranking() == ran.ranking() and again.ranking("likelihood") == ran.ranking("likelihood") and again.why == ran.why


def test_the_same_race_run_anew_gives_the_same_table(ran: Race, tmp_path: Path) -> None:
    again = race(items(), None, ["copula", "gmm"], rules=QUICK, crew=Here(), out=tmp_path / "r")
    assert [(r.name, r.nats, r.quality) for r in again.rows] == [(r.name, r.nats, r.quality) for r in ran.rows]
    assert again.ranking() == ran.ranking()


def test_an_interrupted_race_goes_on(tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    class Stops(Here):
        def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
            for i, result in enumerate(super().run(tasks)):
                if i == 3:
                    raise Broken
                yield result

    rules = replace(QUICK, finalists=0)
    with pytest.raises(Broken):
        race(items(), None, ["gmm"], rules=rules, crew=Stops(), out=tmp_path / "r")
    crew = Here()
    found = race(items(), None, ["gmm"], rules=rules, crew=crew, out=tmp_path / "r")
    assert crew.ran == 1 and len(found.rows) == 5


def test_another_race_in_the_folder_is_refused(ran: Race, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another race .*seed"):
        race(items(), None, ["gmm", "copula"], rules=replace(QUICK, seed=1), crew=Here(), out=ran.folder)
    with pytest.raises(UsageError, match="another race"):
        race(items()[:500], None, ["gmm", "copula"], rules=QUICK, crew=Here(), out=ran.folder)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="not a race"):
        race(items(), None, ["gmm"], rules=QUICK, crew=Here(), out=tmp_path)


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(UsageError, match="ngram can't take part"):
        race(items(), None, ["ngram"], rules=QUICK, crew=Here())
    with pytest.raises(UsageError, match="no family named 'gm'"):
        race(items(), None, ["gm"], rules=QUICK, crew=Here())
    with pytest.raises(UsageError, match="seeds is 0"):
        ilk.RaceRules(seeds=0)
    with pytest.raises(DataError, match="at least 2 items to choose"):
        race(items()[:4], None, ["gmm"], rules=QUICK, crew=Here())


def test_who_takes_part_and_why_others_do_not() -> None:
    found, out = entrants(ilk.read(items()))
    names = [e.name for e in found]
    assert {"gmm", "flow", "vae", "independent", "copies", "real"} <= set(names) and "autoencoder" in out and "cyclegan" in out and "ngram" in out
    assert "label" in out["cyclegan"]
    more = [e.name for e in entrants(ilk.read(items()), (), True)[0]]
    assert set(names) < set(more) and "realnvp" in more


def spec(folder: Path, **other: Any) -> Spec:
    said = {"name": "gmm", "options": {}}
    return Spec(**{"folder": str(folder), "key": "gmm", "name": "gmm", "kind": "family", "recipe": said, "seed": 0, "seconds": None, "steps": 5, "judged": 50, **other})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("limits")
    keep(ilk.dataset.split_dataset(ilk.read(items())), at / "data")
    return at


def test_a_process_runs_a_heat(folder: Path) -> None:
    done = _crews.one(spec(folder), Limits(60, 4 << 30), lambda fraction, loss: False)
    assert done.status == "done" and done.sort == "exact" and set(done.nats) == {"valid", "test"} and (done.peak or 0) > 50 << 20 and done.joules > 0


def test_memory_and_time_and_crashes_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = _crews.one(spec(folder, key="small"), Limits(60, 1 << 20), lambda fraction, loss: False)
    assert small.status == "memory" and "GiB" in small.why
    monkeypatch.setattr(_crews, "SLACK", 0.0)
    late = _crews.one(spec(folder, key="late"), Limits(0.05, 8 << 30), lambda fraction, loss: False)
    assert late.status == "timeout"
    monkeypatch.setattr(_crews, "SLACK", 20.0)
    broken = _crews.one(spec(folder, key="broken", recipe={"name": "nothing", "options": {}}), Limits(60, 8 << 30), lambda fraction, loss: False)
    assert broken.status == "refused" and "nothing" in broken.why
    monkeypatch.setattr("sys.executable", "/bin/false")
    crashed = _crews.one(spec(folder, key="crashed"), Limits(60, 8 << 30), lambda fraction, loss: False)
    assert crashed.status == "crashed" and "exit code 1" in crashed.why
    assert known(spec(folder, key="crashed")) == crashed


def test_processes_work_at_tasks_and_pass_on_what_breaks(folder: Path) -> None:
    def never(found: Sequence[Result]) -> Spec | None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(_crews.Processes(2).run([Task("x", Limits(1, 1), never)]))
    before = spec(folder, key="before")
    heat(before)
    found = list(_crews.Processes(2).run([Task("before", Limits(9, 1 << 30), lambda so_far: None if so_far else before)]))
    assert [r.key for r in found] == ["before"]


@pytest.mark.parametrize("name", ["iris", "digits", "shakespeare", "tang"])
def test_data_are_kept_and_read_alike(name: str, tmp_path: Path) -> None:
    try:
        data = ilk.dataset.split_dataset(ilk.read(name))
    except DataError:
        pytest.skip(f"no {name} here")
    keep(data, tmp_path)
    again = kept(tmp_path)
    assert again.modality == data.modality and again.splits.keys() == data.splits.keys() and all(torch.equal(again.splits[k], v) for k, v in data.splits.items())
    assert (again.labels is None) == (data.labels is None) and (data.labels is None or again.labels is not None and torch.equal(again.labels.codes, data.labels.codes))
    (tmp_path / "data.json").write_text((tmp_path / "data.json").read_text().replace('"sha": "', '"sha": "0'))
    with pytest.raises(DataError, match="have changed"):
        kept(tmp_path)


def test_noise_keeps_the_space() -> None:
    space = Row({"a": Reals(()), "b": Maybe(Discrete(4)), "c": Many(Discrete(5), 9)})
    one, other = (planted(space, 200, Rng(i)) for i in (1, 2))
    made = shaken(space, one, other, Rng(3))
    assert space.holds(made) and torch.equal(made.parts["c"].lengths, one.parts["c"].lengths)
    assert float((made.parts["a"].tensor == one.parts["a"].tensor).double().mean()) < 0.5
    assert 0.9 < float((made.parts["b"].tensor == one.parts["b"].tensor).double().mean()) <= 1.0


def test_a_whole_text_is_judged_by_pieces(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    file.write_text("the quick brown fox jumps over the lazy dog and runs away. " * 200)
    data = ilk.read(file, ilk.Text(per="whole"))
    found = race(data, None, ["ngram"], rules=replace(QUICK, finalists=0), crew=Here(), out=tmp_path / "r")
    assert found.decides == "likelihood" and found.winner.name == "ngram" and (found.by("ngram").error or 0) > 0
    assert (found.by("ngram").nats or 0) > (found.by("independent").nats or 0)


def test_the_page_in_both_languages(ran: Race, tmp_path: Path) -> None:
    for language, word in (("en", "Take gmm"), ("zh", "用 gmm")):
        text = page(ran, tmp_path / f"{language}.html", language).read_text(encoding="utf-8")
        assert word in text and "noisy_copies" in text and "aria-sort" in text and "http" not in text.replace("http-equiv", "")
        assert text.count("<table") == 3 and "<svg" in text


def test_the_command(ran: Race, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", items())
    monkeypatch.setattr("ilk.console.race.Processes", lambda jobs: Here(jobs))
    said = ["race", str(tmp_path / "x.npy"), "--steps", "30", "--families", "gmm,copula", "--finalists", "0", "--judged", "60", "--out", str(tmp_path / "r"),
            "--report", str(tmp_path / "p.html"), "--model", str(tmp_path / "m.ilk"), "--json"]
    assert main(said) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["winner"] == "gmm" and answer["rows"]["copies"]["copies"] and (tmp_path / "p.html").stat().st_size > 5000
    assert ilk.load(tmp_path / "m.ilk").score(items()).sort == "exact"
    assert main([*said[:-1], "--memory", "lots"]) == 2 and main([*said[:-1], "--jobs", "0"]) == 2
    assert main(["race", str(tmp_path / "nothing.csv")]) == 3


def test_a_heat_that_was_stopped_is_run_again(folder: Path) -> None:
    asked = spec(folder, key="stopped", steps=5)

    def stop(fraction: float, loss: float) -> bool:
        return False

    timer = Timer(0.5, _crews._CHILDREN.stop)
    timer.start()
    with pytest.raises(Stopped):
        _crews.one(asked, Limits(60, 8 << 30), stop)
    assert known(asked) is None


def test_without_a_folder_nothing_is_left_behind() -> None:
    found = race(items(), None, ["gmm"], rules=replace(QUICK, finalists=0), crew=Here())
    folder, model = found.folder, found.best()
    assert folder.is_dir()
    del found
    gc.collect()
    assert not folder.exists() and len(model.sample(3)) == 3


def test_seconds_end_what_goes_by_rounds() -> None:
    run = ilk.Run(budget=ilk.Seconds(1e-9))
    assert list(run.timely([1, 2, 3])) == [1] and list(ilk.Run(budget=ilk.Steps(5)).timely([1, 2, 3])) == [1, 2, 3]
    assert run.spent(0.0) and not ilk.Run().spent(0.0) and run.rounds(7) == 7 and ilk.Run(budget=ilk.Steps(5)).rounds(7) == 5
    assert run.quiet.budget == run.budget and ilk.Run(budget=ilk.Steps(5)).quiet.budget is None
    x = Rng(0).normal(3000, 6).numpy()
    tried: list[str] = []
    model = ilk.fit(x, ilk.GMM(), run=ilk.Run(budget=ilk.Seconds(1e-3), listeners=(lambda event: tried.append(getattr(event, "text", "")),)))
    assert any(text.startswith("1 components") for text in tried) and model.score(x).sort == "exact", "one number was tried, one round done"
