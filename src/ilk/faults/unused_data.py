"""Data are loaded and never used."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards
from ._script import Place, ScriptFault
from ._syntax import Bound, tokens
from ._trees import Program

LOADED = {"MNIST", "FashionMNIST", "KMNIST", "EMNIST", "CIFAR10", "CIFAR100", "SVHN", "CelebA", "ImageFolder", "STL10", "DataLoader", "load_data", "read_csv",
          "load_dataset", "fetch_openml",
          "load_digits", "ImageNet", "LSUN", "TensorDataset"}


class UnusedData(ScriptFault):
    """A data set that nothing reads, in a program that trains."""

    why = "the program trains without ever reading the data that it loads"
    remedy = "loop over a DataLoader of it, and give the batches to the model"

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not backwards(code) and not code.mentions("apply_gradients"):
            return
        bounds = [b for names in code.bindings.values() for bs in names.values() for b in bs]
        loads = [b for b in bounds if isinstance(b.value, ast.Call) and code.tail(b.value) in LOADED and not b.each]
        wrapped = {id(n) for b in loads if b.value is not None and not b.name.startswith("_") for n in ast.walk(b.value)}   # a data set that only goes into a loader
        read = {n.id for n in code.all if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in wrapped}
        loads = [b for b in loads if not b.name.startswith("_") and not tokens(b.name) & {"test", "val", "valid", "y", "labels"}]
        if loads and not any(o.name in read or _parts(code, o) & read for o in loads):
            yield loads[-1].where, loads[-1].name


def _parts(code: Program, load: Bound) -> set[str]:
    """Names that the same call binds."""
    return {b.name for names in code.bindings.values() for bs in names.values() for b in bs if b.value is load.value}
