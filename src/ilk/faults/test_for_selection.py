"""The best model is chosen by the test items."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import Function, constant, keyword, tokens
from ._trees import Program

OTHER = {"val", "valid", "validation", "dev", "holdout", "cv", "fold", "folds", "heldout"}
BEST = {"best", "lowest", "highest", "min", "max", "top"}


class TestForSelection(ScriptFault):
    """`if test_loss < best: save(model)` or early stopping on the test part."""

    __test__ = False   # no test, for pytest
    why = "the test figure of the model that did best on the test items is too good: they helped to choose it"
    remedy = "split validation items off the training part and choose by these; look at the test items once"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if OTHER & _words(code.tree) or code.mentions("GridSearchCV", "KFold", "validation_split", "cross_val_score"):
            return
        for node in code.of(ast.If):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and _of_test(code, node.test) and any(isinstance(n, ast.Assign | ast.Call)
                    for s in node.body for n in ast.walk(s)):
                yield node, ast.unparse(node.test)[:50]
        stops = any(code.tail(c) in ("EarlyStopping", "ModelCheckpoint", "early_stopping") for c in code.calls)
        rounds = any(k.arg == "early_stopping_rounds" for k in code.of(ast.keyword) if isinstance(k, ast.keyword))
        for call in code.calls:
            given = keyword(call, "validation_data", "eval_set")
            if given is not None and (stops or rounds) and _words(given) & {"test"} and constant(given) is None:
                yield call, "early stopping"


def _words(node: ast.AST) -> set[str]:
    return {t for n in ast.walk(node) if isinstance(n, ast.Name) for t in tokens(n.id)}


def _of_test(code: Program, test: ast.Compare) -> bool:
    """Whether a figure of the test items is compared with the best so far."""
    sides = [test.left, *test.comparators]
    best = [s for s in sides if _words(s) & BEST]
    rest = [s for s in sides if s not in best]
    return bool(best) and any(_tested(code, s) for s in rest)


def _tested(code: Program, node: ast.expr) -> bool:
    if "test" in _words(node):
        return True
    values = [v for v, _ in code.sources(node)] if isinstance(node, ast.Name) else []
    return any(isinstance(v, ast.Call) and "test" in _words(ast.Tuple([*v.args, *(k.value for k in v.keywords)])) and not (
        isinstance(v.func, ast.Name) and isinstance(code.functions.get(v.func.id), Function) and "train" in tokens(v.func.id)) for v in values)
