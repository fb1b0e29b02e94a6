"""Conditional sampling of SDV's Gaussian copula on a csv.

    PEERS_PYTHON benchmarks/peers/conditional.py TRAIN.csv KNOWN.csv VALUES.json N

Needs the packages of peers.txt. `values` are the columns that all N rows have in common (sample_from_conditions), KNOWN.csv
has rows of known columns that differ (sample_remaining_columns). A JSON line each, and one of rows without a condition; the
fastest of three.
"""
from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
from sdv.sampling import Condition
from sdv.single_table import GaussianCopulaSynthesizer
from table import TABLE, described


def fastest(make: Callable[[], Any]) -> tuple[float, pd.DataFrame]:
    """Rows a second, and the rows."""
    best, made = 0.0, pd.DataFrame()
    for _ in range(3):
        start = time.monotonic()
        made = make()[TABLE]
        best = max(best, len(made) / (time.monotonic() - start))
    return best, made


def main(arguments: list[str]) -> None:
    """Fit, then three ways to sample."""
    path, known, values, n = arguments
    train = pd.read_csv(path)
    model = GaussianCopulaSynthesizer(described(train))
    start = time.monotonic()
    model.fit({TABLE: train})
    print(json.dumps({"way": "fit", "seconds": time.monotonic() - start}))
    asked = json.loads(values)
    rate, made = fastest(lambda: model.sample_from_conditions([Condition(asked, num_rows=int(n), table_name=TABLE)]))
    print(json.dumps({"way": "same", "rows_per_second": rate, "rows": len(made), "obey": float((made[list(asked)] == pd.Series(asked)).all(axis=1).mean())}))
    rate, made = fastest(lambda: model.sample_remaining_columns(pd.read_csv(known)))
    print(json.dumps({"way": "each", "rows_per_second": rate, "rows": len(made)}))
    print(json.dumps({"way": "plain", "rows_per_second": fastest(lambda: model.sample(num_rows=int(n)))[0]}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: conditional.py TRAIN.csv KNOWN.csv VALUES.json N")
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
