"""Memory: how much is left, and a guard around building what a file merely describes."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .errors import ModelError, ResourceError

_APART: ContextVar[bool] = ContextVar("apart", default=False)
_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.arange, torch.full)


def spare() -> int | None:
    """Bytes that this process may still take, by the machine and its own limit; None where that can't be told."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, ImportError, AttributeError):
        return None
    return free if limit == resource.RLIM_INFINITY else max(0, min(free, limit - used))


def limited() -> bool:
    """Whether this process has a limit of memory of its own."""
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def enough(need: int, what: str) -> None:
    """ResourceError if so many bytes are not to be had."""
    free = spare()
    if free is not None and need > free:
        raise ResourceError(f"{what} need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} are free", code="MEMORY", remedy="fewer items (-n)")


def held(items: Any) -> int:
    """About how many bytes raw items take."""
    if hasattr(items, "estimated_size"):
        return int(items.estimated_size())
    return int(items.nbytes) if hasattr(items, "nbytes") else sum(64 + 2 * len(i) for i in items if isinstance(i, str))


class Bounded(TorchFunctionMode):
    """While it is on, tensors of more bytes in all than the limit are refused, before the one that would be too much is made.

    >>> with Bounded(1000):
    ...     torch.zeros(10, 10)[0, 0]
    tensor(0.)
    >>> with Bounded(1000):
    ...     torch.eye(1000)
    Traceback (most recent call last):
    ilk.errors.ModelError: ...
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = self.left = limit

    def __torch_function__(self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """The call itself, its result counted; what only makes room is counted first."""
        if _APART.get():
            return func(*args, **(kwargs or {}))
        if 4 * _numbers(func, args) > self.left:
            raise self._too_much()
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made._base is None and not any(made is a for a in args):
            self.left -= made.untyped_storage().nbytes()
            if self.left < 0:
                raise self._too_much()
        return made

    def _too_much(self) -> ModelError:
        return ModelError(f"ilk.json describes a model of more than {self.limit >> 20} MiB, far more than its weights take", code="TOO_LARGE",
                          remedy="fetch or save the model again")


@contextmanager
def apart() -> Iterator[None]:
    """What is opened meanwhile is no part of what a file describes: its tensors are not counted."""
    before = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(before)


def _numbers(func: Callable[..., Any], args: tuple[Any, ...]) -> int:
    """How many numbers a call is going to make, where its arguments say so."""
    if func is not Tensor.repeat and func not in _MAKERS:
        return 0
    sizes = [n for a in (args[:1] if func is torch.full else args) for n in (a if isinstance(a, tuple | list) else (a,)) if isinstance(n, int)]
    if func is torch.arange:
        return max(sizes, default=0)
    return prod(sizes) * (args[0].numel() if func is Tensor.repeat else 1) * (sizes[0] if func is torch.eye and len(sizes) == 1 else 1)
