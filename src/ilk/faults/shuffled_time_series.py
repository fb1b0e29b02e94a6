"""A time series is split at random."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import constant, keyword, tokens
from ._trees import Program

DATED = {"parse_dates", "to_datetime", "DatetimeIndex", "date_range", "resample", "asfreq"}
LAGGED = {"shift", "rolling", "lag", "lags", "forecast", "ewm", "diff"}


class ShuffledTimeSeries(ScriptFault):
    """train_test_split with shuffling, of rows with lags."""

    why = "each test row has its neighbours in time in the training part, so the figure is far better than any forecast will be"
    remedy = "train on the past and test on the future: shuffle=False, or TimeSeriesSplit"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not (DATED & code.words and LAGGED & (code.words | code.tokens)) or code.mentions("TimeSeriesSplit", "groups", "GroupKFold"):
            return
        for call in code.calls:
            last = code.tail(call)
            mixed = (last == "train_test_split" and constant(keyword(call, "shuffle")) is not False) or (
                last in ("KFold", "StratifiedKFold") and constant(keyword(call, "shuffle")) is True) or last == "random_split"
            if mixed and not _of_groups(call):
                yield call, ""


def _of_groups(call: ast.Call) -> bool:
    """Whether whole series are split rather than rows."""
    words = {t for a in call.args for n in ast.walk(a) if isinstance(n, ast.Name) for t in tokens(n.id)}
    return bool(words & {"ids", "series", "users", "patients", "stations", "groups", "stores", "names"})
