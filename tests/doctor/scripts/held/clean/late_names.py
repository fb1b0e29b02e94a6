"""Names in all the ways that Python binds them."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

try:
    import wandb
except ImportError:
    wandb = None

if TYPE_CHECKING:
    from torch import Tensor

if os.environ.get("GPU"):
    import cupy as xp
else:
    import numpy as xp


def average(rows: list[Tensor]) -> Tensor:
    return sum(rows) / len(rows)


def report(step, /, *values, sep=" ", **more):
    global LAST
    LAST = step
    if wandb is not None:
        wandb.log(more)
    if (n := len(values)) > LIMIT:
        values = values[:LIMIT]
    print(step, n, *values, *[f"{k}={v}" for k, v in more.items()], sep=sep)


def outer():
    count = 0

    def inner():
        nonlocal count
        count += 1
        return count, __name__
    return inner


class Table:
    width = 3
    names = [chr(65 + i) for i in range(width)]

    def __init__(self, data=None):
        self.data = data if data is not None else xp.zeros((2, Table.width))

    def __class_getitem__(cls, item):
        return cls


LIMIT = 4
with open(__file__) as f:
    first, *rest = f.readlines()
for i, (a, b) in enumerate(zip(rest, rest[1:])):
    match (a.strip(), b.strip()):
        case ("", str(other)):
            report(i, other)
        case [_, *tail]:
            report(i, *tail)
try:
    report(LAST, Table[int]().data.sum())
except (ValueError, NameError) as why:
    print(why)
del first
