"""Data are loaded and never used."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._loops import backwards
from ._script import Place, ScriptFault
from ._trees import Program, tokens

LOADED = {"MNIST", "FashionMNIST", "KMNIST", "EMNIST", "CIFAR10", "CIFAR100", "SVHN", "CelebA", "ImageFolder", "STL10", "DataLoader", "load_data", "read_csv", "load_dataset", "fetch_openml",
          "load_digits", "ImageNet", "LSUN", "TensorDataset"}


class UnusedData(ScriptFault):
    """A data set that nothing reads, in a program that trains."""

    why = "the program trains without ever reading the data that it loads"
    remedy = "loop over a DataLoader of it, and give the batches to the model"

    def places(self, code: Program) -> Iterator[Place]:
        if not backwards(code) and not code.mentions("apply_gradients", "fit"):
            return
        read = {n.id for n in code.all if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        bounds = [b for names in code.bindings.values() for bs in names.values() for b in bs]
        loads = [b for b in bounds if isinstance(b.value, ast.Call) and code.tail(b.value) in LOADED and not b.each]
        parts = {id(b.value): [o for o in loads if o.value is b.value] for b in loads}
        idle = [b for b in loads if not any(o.name in read for o in parts[id(b.value)]) and not b.name.startswith("_")]
        if idle and (len(idle) == len(loads) or all(o.name not in read for o in loads if not tokens(o.name) & {"test", "val", "valid"})):
            yield idle[0].where, idle[0].name
