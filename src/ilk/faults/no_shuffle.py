"""Training items come in the order of the file."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards
from ._script import Place, ScriptFault
from ._syntax import argument, constant, keyword, tokens
from ._trees import Program

SORTED = {"MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN", "ImageFolder", "STL10", "ImageNet", "Caltech101", "EMNIST"}


class NoShuffle(ScriptFault):
    """A DataLoader of training pictures without shuffle=True."""

    why = "batches are the same every epoch, and of one class where the files are sorted"
    remedy = "DataLoader(..., shuffle=True), or a sampler"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not backwards(code):
            return
        for call in code.calls:
            data = argument(call, 0, "dataset") if code.tail(call) == "DataLoader" else None
            if data is None or argument(call, 3, "sampler") is not None or keyword(call, "batch_sampler") is not None or any(k.arg is None for k in call.keywords):
                continue
            shuffle = argument(call, 2, "shuffle")
            if (shuffle is None or constant(shuffle) is False) and _training(code, data) and not _other(code, call):
                yield call, ""


def _training(code: Program, data: ast.expr) -> bool:
    """Whether it is the training part of pictures that stand sorted, or may."""
    made = [n for n in code.flow(data) if isinstance(n, ast.Call) and code.tail(n) in SORTED]
    words = tokens(data.id) if isinstance(data, ast.Name) else set()
    return bool(made) and not words & {"test", "val", "valid"} and all(
        constant(argument(m, 1, "train")) is True or (code.tail(m) == "ImageFolder" and "train" in words) or constant(keyword(m, "split")) == "train" for m in made)


def _other(code: Program, call: ast.Call) -> bool:
    """Whether the loader is for looking only: by its name, or another loader shuffles the same data."""
    statement = code.statement(call)
    names = {t for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) for t in tokens(n.id)}
    data = ast.unparse(argument(call, 0, "dataset") or call)
    twin = any(c is not call and code.tail(c) == "DataLoader" and ast.unparse(argument(c, 0, "dataset") or c) == data for c in code.calls)
    return twin or bool(names & {"eval", "val", "valid", "test", "vis", "stats", "features"})
