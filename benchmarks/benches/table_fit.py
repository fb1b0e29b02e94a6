"""Adult: every peer is given the seconds that ours took; the ratio is of what is left to perfection in shapes and trends."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import ilk
from benchmarks.benches._peers import python, run
from ilk.dataset import split_dataset
from ilk.metric import Case, Reading, measured
from ilk.metrics.column_shapes import ColumnShapes
from ilk.metrics.pair_trends import PairTrends


def bench() -> dict[str, Any]:
    """Ours by default, then each peer for at least as long; rows as many as train, judged on the test rows."""
    python()
    data = split_dataset(ilk.read("adult"), ilk.Rng(0).child("data"))
    train = data.modality.join([data.train, data.valid])
    start = time.monotonic()
    model = ilk.fit(data, seed=0)
    seconds = time.monotonic() - start

    def judged(made: pl.DataFrame) -> dict[str, float]:
        case, found = Case(model=model, made=made, test=data.test), {}
        for name, metric in (("shapes", ColumnShapes()), ("trends", PairTrends())):
            reading = measured(metric, case, ilk.Rng(0))
            assert isinstance(reading, Reading), reading
            found[name] = reading.value
        return found

    ours = judged(model.sample(len(train), seed=1))
    peers: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.csv"
        train.write_csv(file)
        for row in run("table.py", str(file), str(seconds), folder, "0"):
            made = pl.read_csv(Path(folder) / f"{row['peer']}.csv", infer_schema_length=None)
            typed = pl.DataFrame([made[c].cast(data.test[c].dtype, strict=False) for c in data.test.columns])
            peers[row["peer"]] = {**judged(typed), "seconds": row["seconds"]}
    ratios = {f"{p} {k}": (1 - found[k]) / (1 - ours[k]) for p, found in peers.items() for k in ("shapes", "trends")}
    least = min(ratios, key=lambda k: ratios[k])
    return {"ours": 1 - ours[least.split()[1]], "peer": 1 - peers[least.split()[0]][least.split()[1]], "peer_name": least, "unit": "1 - score", "ratio": ratios[least],
            "seconds": seconds, "scores": {"ilk made": ours, **peers}, "ratios": ratios}
