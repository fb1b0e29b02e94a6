"""A race on adult against four table synthesisers, which have the race's seconds between them, on the same rows, judged by the same figures."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

import ilk
from benchmarks.benches._peers import HOME, run
from ilk.dataset import split_dataset
from ilk.metric import Case, Reading, measured
from ilk.metrics.auc_gap import AucGap
from ilk.metrics.c2st import C2ST
from ilk.metrics.column_shapes import ColumnShapes
from ilk.metrics.pair_trends import PairTrends

SECONDS, PEERS, PATIENCE = 600.0, 4, 150.0   # a peer that has not ended after so many seconds more is told as such
JUDGES = {"column_shapes": ColumnShapes(), "pair_trends": PairTrends(), "c2st": C2ST(), "auc_gap": AucGap()}
JUDGED = 3000
HIGH = ("column_shapes", "pair_trends")


def figure(seed: int) -> dict[str, Any]:
    data, jobs = split_dataset(ilk.read("adult")), os.cpu_count() or 1
    learned = data.modality.join([data.train, data.valid])
    found = ilk.race(data, ilk.Seconds(SECONDS), rules=ilk.RaceRules(seed=seed), crew=ilk.Processes(jobs), out=HOME / "races" / f"adult-{seed}")   # goes on where it was stopped
    seconds = sum(row.seconds * row.seeds for row in found.rows) / jobs
    model = found.best()
    ours = {**_judged(data, model.sample(len(learned), seed=seed)), "seconds": found.winner.seconds}
    peers = _peers(data, learned, seed)
    beaten = {p: all((ours[k] > row[k]) if k in HIGH else (ours[k] < row[k]) for k in JUDGES) for p, row in peers.items() if "failed" not in row}
    return {"value": sum(beaten.values()), "of": len(beaten), "unit": "peers beaten in all four figures", "floor": 0, "ceiling": len(beaten), "n": JUDGED, "winner": found.winner.name,
            "why": found.why, "race_seconds": round(seconds, 1), "ours": ours, "peers": peers, "beaten": beaten,
            "protocol": f"adult, 32,561 rows to learn from (the race divides them 90/10), {JUDGED:,} to judge; the race {SECONDS:.0f} s on all cores, each peer {SECONDS / PEERS:.0f} s at least"}


def _judged(data: Any, made: pl.DataFrame) -> dict[str, float]:
    """The four figures, on so many made and test rows; the train-on-synthetic gap on twice as many made ones."""
    test = data.test[:JUDGED]
    rows: dict[str, float] = {}
    for name, metric in JUDGES.items():
        got = measured(metric, Case(made=made[:2 * JUDGED if name == "auc_gap" else JUDGED], train=data.train[:2 * JUDGED], test=test), ilk.Rng(0))
        assert isinstance(got, Reading), got
        rows[name] = got.value
    return rows


def _peers(data: Any, learned: pl.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.csv"
        learned.write_csv(file)
        asked = (str(file), str(SECONDS / PEERS), folder, str(seed))
        for row in [*run("table.py", *asked), *_forests(*asked)]:
            if "failed" in row:
                found[row["peer"]] = row
                continue
            made = pl.read_csv(Path(folder) / f"{row['peer']}.csv", infer_schema_length=None)
            typed = pl.DataFrame([made[c].cast(pl.Float64, strict=False).round().cast(data.test[c].dtype, strict=False) if data.test[c].dtype.is_integer()
                                  else made[c].cast(data.test[c].dtype, strict=False) for c in data.test.columns])
            found[row["peer"]] = {**_judged(data, typed), "seconds": row["seconds"]}
    return found


def _forests(*words: str) -> list[dict[str, Any]]:
    """The peers that have an environment of their own, since they need other packages."""


    venv, listed = HOME.parent / ".venv-forests", HOME / "forests.txt"
    if not (venv / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "--no-deps", "ForestDiffusion==1.0.6"], check=True, stdout=sys.stderr)
        subprocess.run([*pip, *[line for line in listed.read_text().splitlines() if not line.startswith("Forest")]], check=True, stdout=sys.stderr)
        (venv / ".installed").write_text(listed.read_text())
    found: list[dict[str, Any]] = []
    for peer in ("forest_diffusion", "arf"):
        command = [str(venv / "bin" / "python"), str(HOME / "peers" / "forests.py"), peer, *words]
        try:
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE + SECONDS / PEERS)
        except subprocess.TimeoutExpired as why:
            found.append({"peer": peer, "failed": f"not done after {why.timeout:.0f} s"})
            continue
        found += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return found
