"""Hard constraints: 10,000 bills with every kind of constraint at once, none broken in the written file, and a field that keeps its mass."""
from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch

import ilk
from ilk.metric import Case, measured
from ilk.metrics.c2st import C2ST

RULES = ("net + tax == gross", "start <= end", "end - start <= 90", "simplex(rent, wages, goods) == 100", "zip -> city", "unique bill, zip", "net >= 0 and tax >= 0", "0 <= discount <= net")
MADE, ROWS, FIELDS, WIDE = 10_000, 8000, 4000, 64


def figure(seed: int) -> dict[str, Any]:
    """The value is how many of 10,000 made rows break any constraint, counted in the decimals of their CSV by another program; the ceiling is all of them, unmended."""
    bills = _bills(seed)
    data = ilk.read(bills)
    model = ilk.fit(data, ilk.GMM(), seed=seed)
    obeying = ilk.obeying(model, RULES, data)
    start = time.perf_counter()
    made = obeying.sample(MADE, seed)
    seconds = time.perf_counter() - start
    drawn = model.sample(MADE, seed)
    known = dict(data.train.select("zip", "city").rows())
    fidelity = {f.name: {"before": f.before, "after": f.after} for f in made.fidelity}
    fidelity["c2st"] = {name: _told_apart(model, items, data.test, seed) for name, items in (("before", drawn), ("after", made.items))}
    field = _field(seed)
    return {"value": _broken(made.items, known), "violations": _broken(made.items, known), "unit": "rows of 10,000", "se": 0.0, "sort": "count", "floor": _broken(drawn, known),
            "ceiling": 0, "n": MADE, "obeyed_unmended": dict(made.share), "repaired": made.repaired, "moved": made.moved, "redrawn": made.redrawn, "fidelity": fidelity,
            "rows_per_second": MADE / seconds, "discovered": [str(c) for c in ilk.discover(data).constraints], "field": field,
            "protocol": f"{ROWS} invented bills, gmm, {len(obeying.constraints)} constraints; counted anew from the CSV with decimals; fidelity against held-out rows"}


def _bills(seed: int) -> pl.DataFrame:
    """Gamma nets, two rates of tax, discounts, dates, percentages that are a Dirichlet's rounded down (the last takes the rest), and zip codes of cities."""
    rng = ilk.Rng(seed).child("bills")
    many = -rng.child("exponential").uniform(ROWS, 12).log().numpy()
    u = rng.child("uniform").uniform(ROWS, 5).numpy()
    net = np.round(60 * many[:, :2].sum(1), 2)
    tax = np.round(net * np.where(u[:, 0] < 0.5, 0.05, 0.2), 2)
    start = np.datetime64("2023-01-01") + (700 * u[:, 1]).astype("timedelta64[D]")
    days = np.ceil(np.log(u[:, 2]) / np.log(0.95)).clip(0, 90)
    shares = np.add.reduceat(many[:, 2:], [0, 3, 8], axis=1)
    rent, wages, _ = (100 * shares / shares.sum(1, keepdims=True)).astype(int).T
    zips = (40 * u[:, 3]).astype(int)
    return pl.DataFrame({"net": net, "tax": tax, "gross": np.round(net + tax, 2), "discount": np.round(net * (1 - u[:, 4] ** 0.125), 2), "start": start,
                         "end": start + days.astype("timedelta64[D]"), "rent": rent, "wages": wages, "goods": 100 - rent - wages,
                         "zip": [f"z{z:02}" for z in zips], "city": [f"city {z // 4}" for z in zips], "bill": rng.child("bill").shuffle(100 * ROWS)[:ROWS].numpy()})


def _broken(items: pl.DataFrame, known: dict[str, str]) -> int:
    """How many rows of the CSV break something; read as text, added as decimals."""
    with TemporaryDirectory() as folder:
        items.write_csv(Path(folder) / "made.csv")
        rows = pl.read_csv(Path(folder) / "made.csv", infer_schema=False).rows(named=True)
    seen: set[tuple[str, str]] = set()
    broken = 0
    for row in rows:
        net, tax, gross, discount = (Decimal(row[n]) for n in ("net", "tax", "gross", "discount"))
        parts = [int(row[n]) for n in ("rent", "wages", "goods")]
        days = (np.datetime64(row["end"]) - np.datetime64(row["start"])).astype(int)
        key = (row["bill"], row["zip"])
        good = net + tax == gross and net >= 0 and tax >= 0 and 0 <= discount <= net and 0 <= days <= 90 and sum(parts) == 100 and min(parts) >= 0
        broken += not (good and known.get(row["zip"], row["city"]) == row["city"] and key not in seen)
        seen.add(key)
    return broken


def _told_apart(model: Any, items: Any, test: Any, seed: int) -> float:
    found = measured(C2ST(), Case(model=model, made=model.modality.take(items, torch.arange(len(test))), test=test, errors=False), ilk.Rng(seed))
    return float(getattr(found, "value", float("nan")))


def _field(seed: int) -> dict[str, Any]:
    """A blob that drifts and spreads on a ring of 64 cells, total mass 1: made states are not negative and have that mass exactly."""
    u = ilk.Rng(seed).child("field").uniform(FIELDS, 2).numpy()
    place, wide = u[:, :1], np.sqrt(0.002 + 0.01 * u[:, 1:])
    off = (np.arange(WIDE) / WIDE - place + 0.5) % 1 - 0.5
    states = np.exp(-(off**2) / (2 * wide**2))
    data = ilk.read((states / states.sum(1, keepdims=True)).astype(np.float32))
    model = ilk.fit(data, ilk.GMM(components=16), seed=seed)
    made = ilk.obeying(model, ["sum() == 1", "each() >= 0"], data).sample(2000, seed)
    drawn = model.sample(2000, seed)
    return {"violations": int(((made.items.sum(1, dtype=np.float32) != 1) | (made.items < 0).any(1)).sum()), "unmended": int(((drawn.sum(1) != 1) | (drawn < 0).any(1)).sum()),
            "mass_error_unmended": float(np.abs(drawn.astype(np.float64).sum(1) - 1).mean()), "moved": made.moved, "n": 2000,
            "fidelity": {f.name: {"before": f.before, "after": f.after} for f in made.fidelity}}
