"""Records of runs: what they hold, that they never clash, cost a fit nothing and break none, and what other programs are told."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ilk
from ilk.cli import main
from ilk.errors import DataError, Stopped, UsageError
from ilk.records import FINE, Recorder, differing, folder, found, remove, runs
from ilk.run import Began, Event, Measured, Noted, Progress, Run, Saved, Validated, as_facts
from ilk.tracker import Tracker

X = np.random.Generator(np.random.Philox(1)).normal(size=(300, 2))


def flow(run: Run) -> ilk.Model:
    return ilk.fit(X, ilk.Flow(layers=1, width=8, bins=4), run=run)


def script(text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that records without a fit: fast."""
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": str(Path(ilk.__file__).parents[1]), **env})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands leave records in a test."""
    monkeypatch.setenv("ILK_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    return tmp_path / "runs"


def test_a_fit_from_python(tmp_path: Path) -> None:
    """What was fitted on what, curves as they were told, what it took; and not a byte of the model differs."""
    heard: list[Event] = []
    model = flow(Run(seed=3, budget=ilk.Steps(60), listeners=(Recorder(tmp_path / "r"), heard.append)))
    (run,) = runs(tmp_path / "r")
    assert (run.what, run.status, run.family, run.model) == ("fit", "done", "flow", None)
    assert run.facts["data"]["sha256"] == model.card["data_sha256"] and run.facts["data"]["train"] == model.card["items"]
    assert run.facts["family"]["options"]["width"] == 8 and run.facts["run"] == {"seed": 3, "steps": 60, "device": "cpu", "precision": "auto"}
    told = [(e.step, e.loss) for e in heard if isinstance(e, Validated)]
    assert run.curves()["flow/valid"] == told and run.best == min(loss for _, loss in told)
    spent = run.facts["spent"]
    assert spent["seconds"] > 0 and spent["peak"] > 1 << 26 and spent["joules"] >= 0 and spent["how"] and run.facts["machine"]["torch"]
    assert [e["event"] for e in run.events() if e["event"] != "progress"] == [as_facts(e)["event"] for e in heard[:-1] if not isinstance(e, Progress)]
    plain = flow(Run(seed=3, budget=ilk.Steps(60)))
    for one, name in ((model, "a"), (plain, "b")):
        one.save(tmp_path / name)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    facts = [json.loads((tmp_path / name / "ilk.json").read_text()) for name in "ab"]
    assert weights[0] == weights[1] and all({**f, "card": 0} == {**facts[0], "card": 0} for f in facts)
    assert {k: v for k, v in facts[0]["card"].items() if k != "seconds"} == {k: v for k, v in facts[1]["card"].items() if k != "seconds"}


def test_python_leaves_no_record_unasked(home: Path) -> None:
    flow(Run(budget=ilk.Steps(5)))
    assert not home.exists() and ilk.runs() == ()


def test_commands_leave_one_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "x.npy", "--family", "gmm", "--components", "2", "--seed", "4"]) == 0
    assert main(["evaluate", "x.ilk"]) == 0
    assert main(["fit", "x.npy", "--family", "gmm", "--components", "2", "--rounds", "-3"]) == 2   # never began
    one, two = ilk.runs()
    assert one.model == str(Path("x.ilk").absolute()) and one.facts["asked"] == ["ilk", "fit", "x.npy", "--family", "gmm", "--components", "2", "--seed", "4"]
    model = ilk.load("x.ilk")
    assert one.figures == {"nats exact": model.score(ilk.read("x.npy").test).mean}
    assert two.what == "evaluate" and two.family == "gmm" and two.figures["nats"] == model.evaluate(ilk.read("x.npy"))["nats"].value


@pytest.mark.slow
def test_a_race_leaves_one_with_its_winner(home: Path) -> None:
    assert main(["race", "x.npy", "--steps", "2", "--families", "gmm,copula", "--trials", "0", "--seeds", "1", "--finalists", "1"]) == 0
    (run,) = ilk.runs()
    assert (run.what, run.status) == ("race", "done") and run.family in ("gmm", "copula") and "quality" in run.figures and ilk.load(str(run.model))


def test_off_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ILK_RUNS", "ILK_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert folder() == tmp_path / ".local" / "share" / "ilk" / "runs"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert folder() == tmp_path / ".local" / "share" / "ilk" / "runs"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert folder() == Path("/data/ilk/runs")
    monkeypatch.setenv("ILK_HOME", "/home/ilk")
    assert folder() == Path("/home/ilk/runs")
    monkeypatch.setenv("ILK_RUNS", "/runs")
    assert folder() == Path("/runs")
    monkeypatch.setenv("ILK_RUNS", "off")
    assert folder() is None
    with Run(listeners=(Recorder(),)).opened("fit"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "status"), [(ValueError("the loss\x1b became NaN"), "failed"), (Stopped("stopped", 130), "stopped"), (KeyboardInterrupt(), "stopped")])
def test_how_it_ended(tmp_path: Path, error: BaseException, status: str) -> None:
    run = Run(listeners=(Recorder(tmp_path),))
    with pytest.raises(type(error)), run.opened("fit"):
        raise error
    (one,) = runs(tmp_path)
    assert one.status == status and one.facts["message"] == (str(error).replace("\x1b", "") or "KeyboardInterrupt")


def test_parts_of_a_run_are_one_run(tmp_path: Path) -> None:
    """A verb inside a verb adds what it knows; a failure inside that was dealt with is not the whole's."""
    run = Run(listeners=(Recorder(tmp_path),))
    with run.opened("race", {"budget": 3}):
        for k in range(2):
            with run.opened("fit", {"family": {"name": f"f{k}"}}):
                run.emit(Validated(1, 2.0 - k, True))
        with pytest.raises(ValueError), run.opened("fit"):
            raise ValueError
        run.emit(Measured({"nats": -1.0, "none": None, "odd": float("nan")}))
        run.emit(Saved("m.ilk"))
    (one,) = runs(tmp_path)
    assert one.what == "race" and one.status == "done" and one.facts["budget"] == 3 and one.family == "f1" and one.figures == {"nats": -1.0}
    assert one.model == str(Path("m.ilk").absolute()) and one.best == 1.0
    with run.opened("fit"):
        pass
    assert [r.what for r in runs(tmp_path)] == ["race", "fit"]


def test_the_best_is_of_the_last_stage(tmp_path: Path) -> None:
    run = Run(listeners=(Recorder(tmp_path),))
    with run.opened("fit"):
        for stage, losses in (("vae", (3.0, 1.0)), ("prior", (9.0, 7.0, 8.0))):
            run.emit(Began(stage))
            for step, loss in enumerate(losses):
                run.emit(Validated(step, loss, True))
    (one,) = runs(tmp_path)
    assert one.facts["best"] == {"curve": "prior/valid", "step": 1, "loss": 7.0}
    assert one.curves() == {"vae/valid": [(0, 3.0), (1, 1.0)], "prior/valid": [(0, 9.0), (1, 7.0), (2, 8.0)]}


def test_points_get_rarer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that tells a loss every hundredth of a second for three hours keeps some thousands, close at the beginning, and what is no loss whole."""
    clock = [0.0]
    monkeypatch.setattr("ilk.records.time.monotonic", lambda: clock[0])
    run = Run(listeners=(Recorder(tmp_path),))
    with run.opened("fit"):
        for step in range(200_000):
            clock[0] += 0.01 if step < 1000 else 0.054
            run.emit(Progress(step, 0.0, 1.0))
            if step % 10_000 == 0:
                run.emit(Noted("still here"))
    (one,) = runs(tmp_path)
    kept = [e["step"] for e in one.events() if e["event"] == "progress"]
    assert kept[:500] == list(range(500)) and 2000 < len(kept) < 10 * FINE and kept[-1] > 199_000 and len([e for e in one.events() if e["event"] == "noted"]) == 20


RECORD = """
import os, signal, sys
from ilk.records import Recorder
from ilk.run import Noted, Run, Progress
for k in range(int(sys.argv[1]) if len(sys.argv) > 1 else {many}):
    run = Run(listeners=(Recorder(),))
    with run.opened("fit"):
        run.emit(Progress(k, 0.5, 1.0))
        {then}
"""


def test_processes_at_once_do_not_clash(tmp_path: Path) -> None:
    text = RECORD.format(many=25, then="pass")
    env = {**os.environ, "PYTHONPATH": str(Path(ilk.__file__).parents[1]), "ILK_RUNS": str(tmp_path)}
    started = [subprocess.Popen([sys.executable, "-c", text], env=env) for _ in range(4)]
    assert [p.wait(60) for p in started] == [0] * 4
    every = runs(tmp_path)
    assert len(every) == 100 and {r.status for r in every} == {"done"} and all(len(r.curves()["/train"]) == 1 for r in every)
    assert [r.name for r in every] == sorted(r.name for r in every) and [r.began for r in every] == sorted(r.began for r in every)


def test_killed_is_told_from_running(tmp_path: Path) -> None:
    assert script(RECORD.format(many=1, then="os.kill(os.getpid(), signal.SIGKILL)"), ILK_RUNS=str(tmp_path)).returncode == -signal.SIGKILL
    (one,) = runs(tmp_path)
    assert one.status == "killed" and one.curves() == {"/train": [(0, 1.0)]}
    with Run(listeners=(Recorder(tmp_path),)).opened("fit"):
        two = found("last", tmp_path)
        assert two.status == "running" and two.seconds is None
        with pytest.raises(DataError, match="still running"):
            remove(two)
    remove(one)
    assert [r.name for r in runs(tmp_path)] == [two.name] and len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files")
@pytest.mark.parametrize(("runs_at", "limit"), [("a file/runs", None), ("runs", 0), ("runs", 700)])
def test_no_room_breaks_no_fit(home: Path, runs_at: str, limit: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """A place where no folder can be, a disk that is full at once or in the middle: one line, and the fit goes on."""
    Path("a file").touch()
    full = "" if limit is None else f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))"
    ran = script(f"{full}\n" + RECORD.format(many=1, then="[run.emit(Noted('the disk fills')) for k in range(99)]") + "\nprint('the work goes on')", ILK_RUNS=runs_at)
    assert ran.returncode == 0 and ran.stdout == "the work goes on\n", ran.stderr
    assert ran.stderr.count("Recorder keeps nothing more of this run") == 1 and "Traceback" not in ran.stderr
    os.environ["ILK_RUNS"] = "a file/runs"
    capsys.readouterr()
    assert main(["fit", "x.npy", "--family", "gmm", "--components", "1"]) == 0
    assert capsys.readouterr().err.count("keeps nothing more") == 1 and ilk.load("x.ilk")


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    with Run(listeners=(Recorder(tmp_path),)).opened("fit"):
        pass
    (one,) = runs(tmp_path)
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.json", '{"what": "fit"}'), ("d.json", '{"what":"fit","began":"","status":"done","figures":{},"family":7}')):
        (tmp_path / name).write_text(text)
    (tmp_path / "e.json").write_bytes(b"\xff\xfe")
    (tmp_path / "f.json").mkdir()
    with open(one.at.with_name(one.name + ".jsonl"), "a", encoding="utf-8") as file:
        file.write('{"event": "progr')
    assert [r.name for r in runs(tmp_path)] == [one.name] and one.events() == runs(tmp_path)[0].events() and len(one.events()) >= 1


def test_the_commit_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    def said() -> str:
        with Run(listeners=(Recorder(tmp_path / ".git" / "runs"),)).opened("fit"):
            pass
        return str(runs(tmp_path / ".git" / "runs")[-1].facts["version"]["commit"])

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    assert said() == git("rev-parse", "HEAD")
    (tmp_path / "a").write_text("2")
    assert said() == git("rev-parse", "HEAD") + "-dirty"


def test_log_and_record_say_the_same(home: Path) -> None:
    assert main(["fit", "x.npy", "--family", "gmm", "--components", "2", "--log", "log.jsonl"]) == 0
    logged = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    kept = ilk.runs()[0].events()
    assert [{**e, "at": 0} for e in logged[:-1]] == [{**e, "at": 0} for e in kept] and logged[-1]["event"] == "closed"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_commands_about_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "runs", "list") == (0, {"runs": []})
    for k in ("1", "2"):
        assert main(["fit", "x.npy", "--family", "gmm", "--components", k, "--out", f"{k}.ilk"]) == 0
    one, two = ilk.runs()
    told = answer(capsys, "runs", "list")[1]["runs"]
    assert [r["name"] for r in told] == [one.name, two.name] and told[0]["figures"] == one.figures and told[0]["data"] == "x.npy"
    assert [r["name"] for r in answer(capsys, "runs", "list", "-n", "1")[1]["runs"]] == [two.name] and answer(capsys, "runs", "list", "--what", "race")[1] == {"runs": []}
    both = answer(capsys, "runs", "compare", one.name, two.name[-6:])[1]
    assert both["differ"] == {"family.options.components": [1, 2]} == differing((one, two))
    assert both["figures"] == {"nats exact": [one.figures["nats exact"], two.figures["nats exact"]]}
    assert both["cost"]["joules"] == [r.facts["spent"]["joules"] for r in (one, two)]
    shown = answer(capsys, "runs", "show")[1]
    assert shown["name"] == two.name and shown["facts"] == two.facts and {k: [tuple(p) for p in v] for k, v in shown["curves"].items()} == two.curves()
    for words in (("list",), ("show", one.name), ("compare", one.name, two.name)):
        assert main(["runs", *words]) == 0 and one.name[-6:] in capsys.readouterr().out
    for wrong in (("show", "nothing"), ("compare", one.name, one.name), ("remove", one.name, "nothing"), ("show", one.name[:2])):
        assert answer(capsys, "runs", *wrong)[0] == 2
    assert answer(capsys, "runs", "remove", one.name, two.name)[1] == {"removed": [one.name, two.name]} and list(home.iterdir()) == [] and Path("1.ilk").exists()


def test_unlike_data_are_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("y.npy", X + 1)
    for name in "xy":
        main(["fit", f"{name}.npy", "--family", "gmm", "--components", "1"])
    a, b = (r.name for r in ilk.runs())
    capsys.readouterr()
    assert main(["runs", "compare", a, b]) == 0 and "can't be compared" in capsys.readouterr().out


class Broken(Tracker):
    """Fails when a figure comes."""

    def begin(self, what: str) -> None: ...
    def know(self, facts: Mapping[str, Any]) -> None: ...
    def point(self, curve: str, step: int, loss: float) -> None: ...
    def end(self, how: str, message: str) -> None: ...

    def measure(self, figures: Mapping[str, float]) -> None:
        raise RuntimeError("no figures today")


def test_a_tracker_that_breaks_is_silent_after_one_word() -> None:
    run = Run(listeners=(Broken(),))
    with pytest.warns(RuntimeWarning, match="Broken keeps nothing more of this run: no figures today") as said, run.opened("fit"):
        run.emit(Measured({"a": 1.0}))
        run.emit(Measured({"a": 2.0}))
    assert len(said) == 1


def drive(tracker: Tracker, error: Callable[[], None] = lambda: None) -> None:
    """A run of two stages with figures, told to a tracker."""
    run = Run(listeners=(tracker,))
    with run.opened("fit", {"family": {"name": "gmm", "options": {"components": 2}}, "run": {"seed": 7}}):
        for stage in ("vae", "prior"):
            run.emit(Began(stage))
            for step in (1, 2, 3):
                run.emit(Progress(step, step / 3, 1.0 / step))
                run.emit(Validated(step, 2.0 / step, True))
            run.emit(Progress(4, 1.0, float("inf")))
        run.emit(Measured({"nats (exact)": -1.5}))
        error()


def test_tensorboard_reads_what_was_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event as Written

    drive(ilk.TensorBoard(tmp_path))
    (file,) = tmp_path.glob("*-fit/events.*")
    data, at, points, texts = file.read_bytes(), 0, {}, []
    while at < len(data):
        size = int.from_bytes(data[at:at + 8], "little")
        event = Written.FromString(data[at + 12:at + 12 + size])
        at += 16 + size
        for value in event.summary.value:
            if value.HasField("simple_value"):
                points.setdefault(value.tag, []).append((event.step, value.simple_value))
            else:
                texts.append(value.tensor.string_val[0].decode())
    curve = {1: 1.0, 2: 0.5, 3: pytest.approx(1 / 3)}
    assert {k: dict(v) for k, v in points.items() if k.endswith("train")} == {"vae/train": curve, "prior/train": curve}
    assert dict(points["prior/valid"])[2] == 1.0
    assert [v for k, v in points.items() if k.startswith('figures/nats')] == [[(0, -1.5)]] and "| family.options.components | 2 |" in texts[0]


class Fake:
    """Keeps every call of a library: its dotted name and arguments."""

    def __init__(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]], name: str = "", **known: Any) -> None:
        self.__dict__.update(known, calls=calls, name=name, known=known)

    def __getattr__(self, name: str) -> Fake:
        return Fake(self.calls, f"{self.name}.{name}".lstrip("."), **self.known)

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.calls.append((self.name, args, named))
        return None if self.name.endswith("get_experiment_by_name") else Fake(self.calls, self.name, **self.known)


def test_wandb_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setitem(sys.modules, "wandb", Fake(calls))
    drive(ilk.WandB())
    assert calls[1][0] == "init" and calls[1][2]["mode"] == "offline" and calls[1][2]["project"] == "ilk"
    assert ("init.config.update", ({"family": {"name": "gmm", "options": {"components": 2}}, "run": {"seed": 7}},), {"allow_val_change": True}) in calls
    assert [c[1][0] for c in calls if c[0] == "init.log"][:2] == [{"vae/train": 1.0, "vae/train_step": 1}, {"vae/valid": 2.0, "vae/valid_step": 1}]
    assert ("init.summary.update", ({"nats (exact)": -1.5},), {}) in calls and calls[-1] == ("init.finish", (), {"exit_code": 0})

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError):
        drive(ilk.WandB(), fail)
    assert calls[-1] == ("init.finish", (), {"exit_code": 1})


def test_mlflow_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[Any] = []
    monkeypatch.setitem(sys.modules, "mlflow", Fake(calls, run_id="7"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    drive(ilk.MLflow())
    assert calls[0] == ("MlflowClient", ((tmp_path / "mlruns").as_uri(),), {})
    by = {name: [args[1:] for n, args, _ in calls if n.endswith(name)] for name in ("log_param", "log_metric", "set_terminated")}
    assert dict(by["log_param"]) == {"family.name": "gmm", "family.options.components": "2", "run.seed": "7"}
    assert [m for m in by["log_metric"] if m[0] == "prior/valid"] == [("prior/valid", 2.0 / k) for k in (1, 2, 3)] and by["log_metric"][-1] == ("nats -exact-", -1.5)
    assert by["set_terminated"] == [("FINISHED",)]


@pytest.mark.parametrize(("name", "package", "extra"), [("TensorBoard", "tensorboardX", "track"), ("WandB", "wandb", "wandb"), ("MLflow", "mlflow", "mlflow")])
def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"ilk\[{extra}\]"):
        getattr(ilk, name)()


def test_track_by_name(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[Any] = []
    monkeypatch.setitem(sys.modules, "wandb", Fake(calls))
    assert main(["fit", "x.npy", "--family", "gmm", "--components", "1", "--track", "wandb"]) == 0
    assert any(c[0] == "init.summary.update" and "nats exact" in c[1][0] for c in calls) and SimpleNamespace(**ilk.runs()[0].figures)
    code, told = answer(capsys, "fit", "x.npy", "--family", "gmm", "--track", "wanda")
    assert code == 2 and "wandb" in told["error"]["message"] and len(ilk.runs()) == 1
