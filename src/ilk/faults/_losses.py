"""Losses by their names: which they are, what they are given, and what comes out."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._syntax import Env, argument, constant, keyword
from ._trees import Program

OF = {"BCELoss": "bce", "binary_cross_entropy": "bce", "BCEWithLogitsLoss": "bce_logits", "binary_cross_entropy_with_logits": "bce_logits",
      "sigmoid_cross_entropy_with_logits": "bce_logits",
      "CrossEntropyLoss": "ce", "cross_entropy": "ce", "softmax_cross_entropy_with_logits": "ce", "sparse_softmax_cross_entropy_with_logits": "ce", "NLLLoss": "nll",
      "nll_loss": "nll",
      "MSELoss": "mse", "mse_loss": "mse", "mean_squared_error": "mse", "MeanSquaredError": "mse", "binary_crossentropy": "bce", "BinaryCrossentropy": "bce",
      "SparseCategoricalCrossentropy": "ce_probabilities", "CategoricalCrossentropy": "ce_probabilities", "categorical_crossentropy": "ce_probabilities",
      "sparse_categorical_crossentropy": "ce_probabilities", "L1Loss": "l1", "l1_loss": "l1"}


def kind(code: Program, call: ast.Call, env: Env | None = None) -> str:
    """Which loss a call computes: by its function, or by what the object that is called was made by."""
    if isinstance(call.func, ast.Call):
        return _of(code, call.func)
    if isinstance(call.func, ast.Name):
        made = {_of(code, v) for v, _ in code.sources(call.func, env) if isinstance(v, ast.Call)}
        if made:
            return made.pop() if len(made) == 1 else ""
    if isinstance(call.func, ast.Attribute) and (values := code.attribute(call.func)):
        return _of(code, values[0]) if isinstance(values[0], ast.Call) else ""
    last = code.tail(call)
    return _of(code, call) if last in OF and last[:1].islower() and last not in code.functions else ""


def _of(code: Program, call: ast.Call) -> str:
    found = OF.get(code.tail(call), "")
    logits = constant(keyword(call, "from_logits")) is True
    return {"bce": "bce_logits", "ce_probabilities": "ce"}.get(found, found) if logits else found


def computed(code: Program) -> Iterator[tuple[ast.Call, str]]:
    """Every loss that is computed from two arguments or more, with its kind."""
    for call in code.calls:
        if (found := kind(code, call)) and len(call.args) + len(call.keywords) > 1 and not code.tail(call)[:1].isupper():
            yield call, found


def output(code: Program, call: ast.Call) -> ast.expr | None:
    """The one that a model gave: the first in PyTorch, the second or `logits` in Keras."""
    keras = code.tail(call) in ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error") or any(
        isinstance(v, ast.Call) and code.path(v.func).startswith(("tensorflow", "keras")) for v, _ in (code.sources(call.func) if isinstance(call.func, ast.Name) else []))
    return argument(call, 1, "y_pred", "logits") if keras else argument(call, 0, "input", "logits")
