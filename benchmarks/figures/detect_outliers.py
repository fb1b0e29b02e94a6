"""Planted outliers: AUROC by density, how many normal rows give an alarm, isolation forests and one-class machines beside."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import ilk
from benchmarks.figures._twins import features
from ilk.dataset import split_dataset

RATE, SWAPPED, ROWS = 0.05, 3, 6000


def figure(seed: int) -> dict[str, Any]:
    """The value is the mean AUROC over three sets; the floor that of isolation forests."""
    sets = {"breast_cancer": _tumours(seed), "digits": _digits(seed), "adult": _adult(seed)}
    rows = {name: _judged(*parts, seed) for name, parts in sets.items()}
    mean = {key: float(np.mean([r[key] for r in rows.values()])) for key in ("auroc", "forest", "one_class", "false_alarms")}
    return {"value": mean["auroc"], "unit": "AUROC", "floor": mean["forest"], "ceiling": 1.0, "n": sum(r["n"] for r in rows.values()), "one_class_svm": mean["one_class"],
            "false_alarms": mean["false_alarms"], "rate": RATE, "sets": rows,
            "protocol": f"alarms at {RATE}; breast_cancer: learned from benign tumours, malignant ones planted; digits: learned from 1 to 9, zeros planted; adult: {ROWS} rows, "
                        f"outliers have {SWAPPED} cells of another row; normal rows: 60 % learn, 20 % hold the rate, 20 % test"}


def _tumours(seed: int) -> tuple[Any, pl.DataFrame, pl.DataFrame]:
    frame = ilk.read("breast_cancer").items
    name = next(c for c in frame.columns if frame[c].dtype == pl.String)
    normal = "benign" if "benign" in frame[name].unique().to_list() else frame[name].value_counts(sort=True)[name][0]
    return ilk.GMM(), frame.filter(pl.col(name) == normal).drop(name), frame.filter(pl.col(name) != normal).drop(name)


def _digits(seed: int) -> tuple[Any, pl.DataFrame, pl.DataFrame]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    made = pl.DataFrame({f"p{j}": x[:, j] + ilk.Rng(seed).child("jitter", j).uniform(len(x)).numpy() for j in range(64)})
    zero = pl.Series(y == 0)
    return ilk.GMM(components=30, ridge=0.1), made.filter(~zero), made.filter(zero)


def _adult(seed: int) -> tuple[Any, pl.DataFrame, pl.DataFrame]:
    """A tenth of the rows get some cells of other rows."""
    data = split_dataset(ilk.read("adult"))
    rows = data.modality.take(data.items, data.some("train", ROWS, ilk.Rng(seed).child("rows")))
    odd, rng = rows[: ROWS // 10], ilk.Rng(seed).child("plant")
    others = rows[rng.shuffle(ROWS)[: len(odd)].numpy()]
    where = rng.child("where").uniform(len(odd), len(rows.columns)).argsort(1) < SWAPPED
    planted = [pl.Series(c, [b if s else a for a, b, s in zip(odd[c], others[c], where[:, j].tolist(), strict=True)], dtype=odd[c].dtype) for j, c in enumerate(rows.columns)]
    return ilk.Circuit(hidden=16), rows[ROWS // 10:], pl.DataFrame(planted)


def _judged(family: Any, normal: pl.DataFrame, odd: pl.DataFrame, seed: int) -> dict[str, Any]:
    order = ilk.Rng(seed).child("division").shuffle(len(normal)).numpy()
    first, second = round(0.6 * len(normal)), round(0.8 * len(normal))
    learn, hold, test = (normal[part] for part in (order[:first], order[first:second], order[second:]))
    kind = ilk.read(pl.concat([normal, odd])).modality
    found = ilk.detect(ilk.fit(ilk.read(learn, kind), family, seed=seed), pl.concat([test, odd]), hold, RATE, seed=seed)
    truth = np.arange(len(test) + len(odd)) >= len(test)
    x = [features(kind, f, f, None) for f in (learn, pl.concat([test, odd]))]
    scale = StandardScaler().fit(x[0])
    twins = [IsolationForest(random_state=seed).fit(x[0]), OneClassSVM().fit(scale.transform(x[0]))]
    strange = [-twins[0].score_samples(x[1]), -twins[1].score_samples(scale.transform(x[1]))]
    alarm = found.alarm.numpy()
    return {"auroc": float(roc_auc_score(truth, found.strangeness.numpy())), "forest": float(roc_auc_score(truth, strange[0])), "one_class": float(roc_auc_score(truth, strange[1])),
            "false_alarms": float(alarm[~truth].mean()), "found": float(alarm[truth].mean()), "n": len(truth), "planted": len(odd)}
