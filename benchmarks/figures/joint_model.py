"""One joint model of adult rows answers all: it classifies, fills cells, finds planted outliers, learns from few labels and makes rows; beside
discriminative twins of scikit-learn, each fitted for one question."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.metrics import log_loss, roc_auc_score

import ilk
from benchmarks.figures._twins import features, twins
from benchmarks.figures.detect_outliers import SWAPPED
from ilk.dataset import Dataset, split_dataset
from ilk.metric import Case, Reading, measured
from ilk.metrics.auc_gap import AucGap

HELD = 500   # digits to be told
JOINT = {"circuit": ilk.Circuit(hidden=32), "gmm": ilk.GMM(components=12), "mixture of trees": ilk.Mixture(components=8, each=ilk.ChowLiu(backoff=10))}
ROWS, TEST, FILLED, LABELS, CLASS = 6000, 3000, ("marital-status", "occupation", "relationship", "education"), 10, "income"


def figure(seed: int) -> dict[str, Any]:
    """The value is the accuracy of the circuit's classes; the floor is the commonest class, the ceiling the best twin."""
    data = split_dataset(ilk.read("adult"), ilk.Rng(seed).child("data"))
    rng = ilk.Rng(seed).child("joint")
    learn, test = (data.modality.take(data.items, data.some(split, n, rng.child(split))) for split, n in (("train", ROWS), ("test", TEST)))
    test = test.drop_nulls(CLASS)
    rows = {name: _joint(family, data, learn, test, seed) for name, family in JOINT.items()}
    others = _twins(data.modality, learn, test, seed)
    truth = test[CLASS]
    common = float((truth == learn[CLASS].mode()[0]).mean())
    return {"value": rows["circuit"]["accuracy"], "unit": "accuracy", "floor": common, "ceiling": max(r["accuracy"] for r in others.values()), "n": len(test),
            "joint": rows, "twins": others, "filled_by_twins": _filled_by_twins(data.modality, learn, test, seed), "filled_by_commonest": _commonest(learn, test),
            "few_labels": _few(data, learn, test, seed), "few_labels_pictures": _few_pictures(seed),
            "protocol": f"adult, {ROWS} training and {TEST} test rows; filled: one column at a time, twins fitted anew for each; outliers: {SWAPPED} cells of "
                        f"another row; few labels: {LABELS} of each class and all other items without, AUC on adult; accuracy on digits by a mixture over 64 pixels and the label; rows made: AUC lost by trees trained on them"}


def _data(data: Dataset[Any], frame: pl.DataFrame) -> Dataset[Any]:
    return Dataset(data.modality, frame)


def _joint(family: Any, data: Dataset[Any], learn: pl.DataFrame, test: pl.DataFrame, seed: int) -> dict[str, Any]:
    model = ilk.fit(_data(data, learn), family, seed=seed)
    told = ilk.classify(model, test, by=CLASS)
    made = model.sample(len(learn), seed=seed)
    gap = measured(AucGap(), Case(model=model, made=made, train=learn, test=test), ilk.Rng(seed))
    rest, odd, truth = _planted(test, seed)
    strange = ilk.detect(model, pl.concat([rest, odd]), test[: len(test) // 2], 0.05, seed=seed)
    found = {"accuracy": told.accuracy, "auc": float(roc_auc_score(test[CLASS] == told.classes[1], told.chances[:, 1].numpy())), "log_loss": told.log_loss,
             "calibration_error": told.calibration_error, "outliers_auroc": float(roc_auc_score(truth, strange.strangeness.numpy())),
             "false_alarms": float(strange.alarm[: len(rest)].double().mean()), "filled": _filled(model, test, seed)}
    return found | ({"auc_lost_by_made_rows": gap.value} if isinstance(gap, Reading) else {})


def _planted(test: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, Any]:
    """The later half of the test rows, some of them with cells of others."""
    half = test[len(test) // 2:]
    few, rng = len(half) // 5, ilk.Rng(seed).child("plant")
    odd, others = half[:few], half[few:2 * few]
    where = rng.child("where").uniform(few, len(test.columns)).argsort(1) < SWAPPED
    cells = [pl.Series(c, [b if s else a for a, b, s in zip(odd[c], others[c], where[:, j].tolist(), strict=True)], dtype=odd[c].dtype) for j, c in enumerate(test.columns)]
    rest = half[few:]
    return rest, pl.DataFrame(cells), np.arange(len(rest) + few) >= len(rest)


def _filled(model: Any, test: pl.DataFrame, seed: int) -> dict[str, float]:
    """How often a cell that is gone is told right by the others."""
    return {c: ilk.classify(model, test, by=c, seed=seed).accuracy for c in FILLED}


def _filled_by_twins(kind: Any, learn: pl.DataFrame, test: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """The same by twins fitted anew for each column. Trees at their defaults are unsure of columns with many rare values."""
    found = {}
    for c in FILLED:
        column = next(k for k in kind.columns if k.name == c)
        rows, few = learn.drop_nulls(c), test.drop_nulls(c)
        x, y, held, truth = features(kind, rows, learn, c), column.codes(rows[c]).numpy(), features(kind, few, learn, c), column.codes(few[c]).numpy()
        found[c] = {name: float((twins(seed)[name].fit(x, y).predict(held) == truth).mean()) for name in ("logistic regression", "boosted trees")}
    return found


def _commonest(learn: pl.DataFrame, test: pl.DataFrame) -> dict[str, float]:
    return {c: float((test[c].drop_nulls() == learn[c].drop_nulls().mode()[0]).mean()) for c in FILLED}


def _twins(kind: Any, learn: pl.DataFrame, test: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    rows = learn.drop_nulls(CLASS)
    x, held = features(kind, rows, learn, CLASS), features(kind, test, learn, CLASS)
    y, truth = rows[CLASS].to_numpy(), test[CLASS].to_numpy()
    return {name: _scored(twin.fit(x, y), held, truth) for name, twin in twins(seed).items()}


def _scored(twin: Any, x: Any, truth: Any) -> dict[str, float]:
    chances = twin.predict_proba(x)
    return {"accuracy": float((twin.classes_[chances.argmax(1)] == truth).mean()), "auc": float(roc_auc_score(truth == twin.classes_[1], chances[:, 1])),
            "log_loss": float(log_loss(truth, chances, labels=twin.classes_))}


def _few(data: Dataset[Any], learn: pl.DataFrame, test: pl.DataFrame, seed: int) -> dict[str, float]:
    """AUC with few labels: a mixture that knows the other rows too, the same without them, and the twins, which can't use them."""
    rng = ilk.Rng(seed).child("labels")
    named = [torch.from_numpy((learn[CLASS] == v).fill_null(False).to_numpy().copy()).nonzero()[:, 0] for v in learn[CLASS].drop_nulls().unique().sort()]
    few = torch.cat([own[rng.child(i).shuffle(len(own))[:LABELS]] for i, own in enumerate(named)])
    half = learn.with_columns(pl.Series(CLASS, [v if s else None for v, s in zip(learn[CLASS], torch.isin(torch.arange(len(learn)), few).tolist(), strict=True)]))
    kind: Any = replace(data.modality, columns=tuple(replace(c, maybe=True) if c.name == CLASS else c for c in data.modality.columns))   # type: ignore[attr-defined, type-var]
    family, none = ilk.GMM(components=8), torch.tensor([], dtype=torch.long)
    found = {}
    for name, index in (("with_unlabelled", torch.arange(len(half))), ("labels_alone", few)):
        model = ilk.fit(Dataset(kind, half, {"train": index, "valid": none}), family, seed=seed)
        told = ilk.classify(model, test, by=CLASS)
        found[name] = float(roc_auc_score(test[CLASS] == told.classes[1], told.chances[:, 1].numpy()))
    return found | {name: row["auc"] for name, row in _twins(data.modality, learn[few.numpy()], test, seed).items()}


def _few_pictures(seed: int) -> dict[str, float]:
    """Accuracy on digits of 8 x 8 pixels with few labels: mixtures over pixels and labels, most of which are missing, beside logistic regression."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    x, y = load_digits(return_X_y=True)
    rng = ilk.Rng(seed).child("digits")
    order = rng.shuffle(len(x)).numpy()
    x, y = x[order] / 16 + 0.05 * rng.child("jitter").normal(*x.shape).numpy(), y[order]
    few = np.concatenate([HELD + np.flatnonzero(y[HELD:] == k)[:LABELS] for k in range(10)])
    told = np.where(np.isin(np.arange(len(y)), few), np.char.add("d", y.astype(str)), None)
    frame = pl.DataFrame({**{f"p{j}": x[:, j] for j in range(64)}, "digit": pl.Series(told.tolist(), dtype=pl.String)})
    kind, none = ilk.read(frame).modality, torch.tensor([], dtype=torch.long)
    test = frame[:HELD].with_columns(digit=pl.Series([f"d{v}" for v in y[:HELD]]))
    found = {}
    for name, components, index in (("with_unlabelled", 60, np.arange(HELD, len(y))), ("labels_alone", 10, few)):
        family = ilk.GMM(components=components, covariance="diag", ridge=0.3)
        model = ilk.fit(Dataset(kind, frame, {"train": torch.from_numpy(index), "valid": none}), family, seed=seed)
        found[name] = ilk.classify(model, test, by="digit").accuracy
    return found | {"logistic regression": float(LogisticRegression(max_iter=2000).fit(x[few], y[few]).score(x[:HELD], y[:HELD]))}
