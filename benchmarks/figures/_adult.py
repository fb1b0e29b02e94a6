"""Adult (UCI census income): train 32,561 rows, judged on the 16,281 test rows."""
from __future__ import annotations

import time
from typing import Any

import ilk
from ilk.dataset import split_dataset
from ilk.errors import UsageError
from ilk.metric import Case, Reading, measured
from ilk.metrics.auc_gap import AucGap
from ilk.metrics.c2st import C2ST
from ilk.metrics.column_shapes import ColumnShapes
from ilk.metrics.dcr_share import DcrShare
from ilk.metrics.pair_trends import PairTrends
from ilk.verbs.evaluate import evaluate


def judged(family: Any, seed: int, budget: float | None = None) -> dict[str, Any]:
    """Fit (None: the default family), make as many rows as there are test rows, judge."""
    data = split_dataset(ilk.read("adult"), ilk.Rng(seed).child("data"))
    start = time.monotonic()
    model = ilk.fit(data, family, seed=seed, budget=budget)
    fit_seconds = time.monotonic() - start
    start = time.monotonic()
    many = model.sample(32_561, seed=seed)
    rows_per_second = len(many) / (time.monotonic() - start)
    train = data.modality.join([data.train, data.valid])
    test = data.test
    made = model.sample(len(test), seed=seed + 1000)
    rng = ilk.Rng(seed).child("figure")

    def value(metric: Any, case: Case) -> float:
        found = measured(metric, case, rng)
        assert isinstance(found, Reading), found
        return found.value

    auc = measured(AucGap(), Case(model=model, made=many, train=train, test=test), rng)
    assert isinstance(auc, Reading), auc
    half = Case(model=model, made=made, train=train[:len(test)], test=test, holdout=test)
    floor = evaluate(model, data, only=["column_shapes"], seed=seed)["column_shapes"].floor
    return {"value": value(ColumnShapes(), Case(model=model, made=many, test=test)), "unit": "column shapes", "floor": floor,
            "ceiling": value(ColumnShapes(), Case(model=model, made=train, test=test)), "published": {"TabSyn": 0.9942, "TabDDPM": 0.9825, "protocol": "1 - shape error, other split"},
            "n": len(test), "column_shapes": value(ColumnShapes(), Case(model=model, made=many, test=test)),
            "pair_trends": value(PairTrends(), Case(model=model, made=many, test=test)), "pair_trends_ceiling": value(PairTrends(), Case(model=model, made=train, test=test)),
            "auc_gap": auc.value, "auc_real": auc.parts["auc_real"], "auc_made": auc.parts["auc_made"],
            "c2st_auc": value(C2ST(), Case(model=model, made=made, test=test)), "dcr_share": value(DcrShare(), half), "rows_per_second": rows_per_second,
            "fit_seconds": fit_seconds, **_nats(model, data), "protocol": "train 32,561 (a tenth, at most 5,000 rows, chooses), test 16,281"}


def _nats(model: Any, data: Any) -> dict[str, Any]:
    try:
        found = model.score(data)
    except UsageError:
        return {"sort": "none"}
    return {"nats": found.mean, "sort": found.sort}
