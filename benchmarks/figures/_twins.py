"""Discriminative twins: classifiers of scikit-learn on the same rows."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def features(kind: Any, rows: pl.DataFrame, train: pl.DataFrame, by: str | None) -> NDArray[np.float64]:
    """Numbers (missing: the median of training rows) and categories as 0 and 1, (n, width); the class left out."""
    found = []
    for c in kind.columns:
        if c.name == by or c.kind in ("identifier", "text"):
            continue
        if c.kind in ("category", "boolean"):
            codes = np.where(rows[c.name].is_null().to_numpy(), len(c.raw), c.codes(rows[c.name]).numpy())
            found.append(np.eye(len(c.raw) + 1)[codes])
        else:
            column = rows[c.name].cast(pl.Float64)
            found.append(column.fill_null(train[c.name].cast(pl.Float64).median()).to_numpy()[:, None])
    return np.concatenate(found, 1)


def twins(seed: int) -> dict[str, Any]:
    """Logistic regression, a support vector machine with chances, gradient-boosted trees, at scikit-learn's defaults but for scaling."""
    return {"logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
            "SVM": make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(random_state=seed), cv=2, ensemble=False)),
            "boosted trees": HistGradientBoostingClassifier(random_state=seed)}
