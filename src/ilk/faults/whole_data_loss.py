"""The loss compares with the whole data set."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._losses import OF
from ._script import Place, ScriptFault
from ._syntax import Function, parameters, tokens
from ._trees import Program

LOADS = {"load_data", "from_numpy", "tensor", "array", "load", "astype", "reshape", "read_csv", "to_numpy", "fit_transform", "transform", "train_test_split",
         "make_moons", "make_blobs"}


class WholeDataLoss(ScriptFault):
    """`train_step(x)` computes `loss(x_train, model(x))`."""

    why = "the model saw one batch and is compared with all items at once: shapes don't fit, or each output is drawn to the mean of the data"
    remedy = "compare with the batch that the model was given"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for call in code.calls:
            last = code.tail(call)
            if not (last in OF or {"loss", "criterion", "elbo"} & tokens(last)) or len(call.args) < 2 or last[:1].isupper():
                continue
            scope = code.scope(call)
            whole = [a for a in call.args if isinstance(a, ast.Name) and _whole(code, a)]
            others = [a for a in call.args if a not in whole]
            if not whole or not others:
                continue
            given = set(parameters(scope)) - {"self", "model", "net", "optimizer"} if isinstance(scope, Function) else set()
            if any(_of_batch(code, o, given, whole[0].id) for o in others):
                yield call, f"{whole[0].id} is all the data"


def _whole(code: Program, name: ast.Name) -> bool:
    """Whether a name stands for data of the module, as loaded, and for no batch."""
    if name.id in parameters(code.scope(name)) or not ({"train", "data", "all", "full", "x", "y", "images"} & tokens(name.id) or name.id.isupper()):
        return False
    bounds = code.bounds(name)
    return bool(bounds) and all(code.scope(b.where) is code.tree and not b.each and code.near(b.where, ast.For, ast.While) is None and _loaded(code, b.value) for b in bounds)


def _loaded(code: Program, value: ast.expr | None) -> bool:
    return value is not None and any(isinstance(n, ast.Call) and code.tail(n) in LOADS for n in code.flow(value))


def _of_batch(code: Program, output: ast.expr, given: set[str], whole: str) -> bool:
    """Whether it comes from calling something with a parameter, or with a slice of some data."""
    for node in code.flow(output):
        if isinstance(node, ast.Call) and not code.path(node.func).startswith(("torch.", "numpy.", "tensorflow.")):
            for arg in node.args:
                if isinstance(arg, ast.Name) and (arg.id in given or _slice(code, arg)):
                    return True
                if isinstance(arg, ast.Subscript) and isinstance(arg.slice, ast.Slice) and code.near(arg, ast.For, ast.While) is not None:
                    return True
    return False


def _slice(code: Program, name: ast.Name) -> bool:
    return any(isinstance(b.value, ast.Subscript) and isinstance(b.value.slice, ast.Slice | ast.Name) and code.near(b.where, ast.For, ast.While) is not None
               for b in code.bounds(name))
