"""Something is learned from all items before they are split."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._splits import LEARNS, RESAMPLES, made_by
from ._trees import Program

SPLITS = {"train_test_split", "cross_val_score", "cross_validate", "random_split", "cross_val_predict"}


class FitBeforeSplit(ScriptFault):
    """StandardScaler().fit_transform(X), then train_test_split: or SMOTE before it."""

    why = "what the test items are like goes into the training data (scales, chosen columns, made neighbours), so the test figure is too good"
    remedy = "split first, then fit on the training part; or put the step into a Pipeline"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            if code.tail(call) in SPLITS:
                at = 1 if code.tail(call).startswith("cross") else 0
                for data in call.args[at: at + 1]:
                    yield from self._learned(code, data)

    def _learned(self, code: Program, data: ast.expr) -> Iterator[Place]:
        for node in code.flow(data):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("fit_transform", "fit_resample", "transform"):
                maker = made_by(code, node.func.value)
                if maker in LEARNS | RESAMPLES and not _train_only(code, node):
                    yield node, maker
            elif _standardised(node):
                yield node, "a mean and standard deviation over all items"


def _train_only(code: Program, call: ast.Call) -> bool:
    """Whether the object was fitted elsewhere, on a training part."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "transform":
        return False
    own = ast.unparse(call.func.value)
    fitted = [c for c in code.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "fit" and ast.unparse(c.func.value) == own]
    return not fitted or any(ast.unparse(c.args[0]) != ast.unparse(call.args[0]) for c in fitted if c.args and call.args)


def _standardised(node: ast.AST) -> bool:
    """(X - X.mean(0)) / X.std(0)."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Sub)):
        return False
    of, middle, spread = node.left.left, node.left.right, node.right
    return (isinstance(middle, ast.Call) and isinstance(spread, ast.Call) and isinstance(middle.func, ast.Attribute) and isinstance(spread.func, ast.Attribute)
            and middle.func.attr == "mean" and spread.func.attr == "std" and ast.unparse(middle.func.value) == ast.unparse(of) == ast.unparse(spread.func.value))
