"""Labels of a language model that are its whole input."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._syntax import constant
from ._trees import Program

COLLATORS = {"DataCollatorForLanguageModeling", "DataCollatorForCompletionOnlyLM", "DataCollatorForSeq2Seq", "SFTTrainer", "SFTConfig", "masked_fill", "ignore_index",
             "IGNORE_INDEX", "where",
             "prompt_lens", "loss_mask"}


def copied(code: Program) -> Iterator[ast.AST]:
    """Where labels are the input's tokens as they are, in a program in which nothing leaves any of them out."""
    if COLLATORS & code.words or any(constant(n) == -100 for n in code.all):
        return
    for node in code.all:
        if isinstance(node, ast.keyword) and node.arg == "labels" and _ids(node.value):
            yield node.value
        elif isinstance(node, ast.Assign) and any(_labels(t) for t in node.targets) and _ids(node.value):
            yield node
        elif isinstance(node, ast.Dict):
            yield from (v for k, v in zip(node.keys, node.values, strict=True) if constant(k) == "labels" and _ids(v))


def _labels(target: ast.expr) -> bool:
    return (isinstance(target, ast.Name) and target.id == "labels") or (isinstance(target, ast.Subscript) and constant(target.slice) == "labels")


def _ids(value: ast.expr) -> bool:
    """input_ids, or a copy of them."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("clone", "copy", "to", "detach"):
        value = value.func.value
    if isinstance(value, ast.Subscript):
        return constant(value.slice) == "input_ids"
    return (isinstance(value, ast.Name) and value.id in ("input_ids", "ids")) or (isinstance(value, ast.Attribute) and value.attr == "input_ids")
