"""The only figure is that of the training items."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._splits import fits, is_model
from ._trees import Program

FIGURES = {"accuracy_score", "f1_score", "roc_auc_score", "mean_squared_error", "r2_score", "mean_absolute_error", "log_loss", "classification_report",
           "confusion_matrix", "balanced_accuracy_score"}
HELD = {"cross_val_score", "cross_validate", "KFold", "StratifiedKFold", "GridSearchCV", "RandomizedSearchCV", "cross_val_predict", "oob_score", "oob_score_",
        "best_score_", "LeaveOneOut",
        "score_samples"}


class ScoredOnTraining(ScriptFault):
    """`model.fit(X, y)`, then `model.score(X, y)`, and nothing else."""

    why = "a model that learned its items by heart is perfect on them; the figure says nothing of new ones"
    remedy = "keep a test part (train_test_split) or use cross_val_score, and report that figure"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if HELD & code.words:
            return
        learned = {ast.unparse(c.args[0]) for c, maker in fits(code, "fit") if c.args and is_model(maker)}
        figures = [(c, _given(code, c)) for c in code.calls]
        known = [(c, g) for c, g in figures if g]
        if learned and known and all(g in learned for _, g in known):
            yield known[0][0], ""


def _given(code: Program, call: ast.Call) -> str:
    """The items that a figure is about: of `model.score(X, y)` or `accuracy_score(y, model.predict(X))`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "score" and len(call.args) == 2:
        return ast.unparse(call.args[0])
    if code.tail(call) in FIGURES and len(call.args) > 1:
        for node in code.flow(call.args[1]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("predict", "predict_proba", "decision_function") and node.args:
                return ast.unparse(node.args[0])
        return "?"
    return ""
