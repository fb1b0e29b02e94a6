"""The model is trained on one item at a time, in the order of the file."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import related
from ._script import Place, ScriptFault
from ._syntax import Function
from ._trees import Program

SHUFFLED = {"shuffle", "permutation", "randperm", "sample", "choice", "randint", "choices"}
STEPS = {"backward", "apply_gradients", "train_on_batch", "apply_gradient"}


class SingleExampleBatches(ScriptFault):
    """`for i in range(len(x_train)): train_step(x_train[i])`."""

    why = "gradients of single items are noisy and slow, the same order every epoch biases them, and a layer takes the rows of one picture for a batch"
    remedy = "a DataLoader (or tf.data) with batch_size and shuffle=True; x of shape (batch, ...)"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        for loop in code.of(ast.For):
            if not isinstance(loop, ast.For) or (data := _each(loop)) is None or SHUFFLED & code.words:
                continue
            items = [n for n in ast.walk(loop) if isinstance(n, ast.Subscript) and ast.unparse(n.value) == data[0] and isinstance(n.slice, ast.Name) and n.slice.id == data[1]]
            if items and _trains(code, loop):
                yield items[0], f"{data[0]}[{data[1]}]"


def _each(loop: ast.For) -> tuple[str, str] | None:
    """The data and the counter of `for i in range(len(data))`."""
    if not isinstance(loop.target, ast.Name) or not isinstance(loop.iter, ast.Call) or ast.unparse(loop.iter.func) not in ("range", "tqdm",
            "trange") or len(loop.iter.args) != 1:
        return None
    size = loop.iter.args[0]
    if isinstance(size, ast.Call) and ast.unparse(size.func) == "range" and len(size.args) == 1:
        size = size.args[0]
    if isinstance(size, ast.Call) and ast.unparse(size.func) == "len" and len(size.args) == 1:
        return ast.unparse(size.args[0]), loop.target.id
    if isinstance(size, ast.Subscript) and isinstance(size.value, ast.Attribute) and size.value.attr == "shape":
        return ast.unparse(size.value.value), loop.target.id
    return None


def _trains(code: Program, loop: ast.For) -> bool:
    calls = [n for n in ast.walk(loop) if isinstance(n, ast.Call)]
    inner = [f for c in calls for f in [code.local(c)] if isinstance(f, Function)]
    return any(code.tail(c) in STEPS for c in calls) or any(code.tail(c) in STEPS for f in inner for s in related(code, f.body[0]) if s is f for c in ast.walk(s)
                                                            if isinstance(c, ast.Call))
