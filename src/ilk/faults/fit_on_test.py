"""Something is fitted on test items."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._splits import LEARNS, about, fits, is_model
from ._trees import Program


class FitOnTest(ScriptFault):
    """`scaler.fit_transform(X_test)`."""

    why = "test items are then judged on a scale of their own, or were learned from: the figure says nothing of new items"
    remedy = "transform(X_test) with what was fitted on the training part"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call, maker in fits(code, "fit", "fit_transform", "partial_fit", "fit_resample"):
            words = about(call.args[0]) if call.args else set()
            if (maker in LEARNS or is_model(maker)) and "test" in words and "train" not in words:
                yield call, f"{maker} on {ast.unparse(call.args[0])[:30]}"
