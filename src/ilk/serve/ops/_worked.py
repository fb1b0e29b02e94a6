"""What operations over items that are sent share: the items themselves, and the answer."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ilk.errors import UsageError
from ilk.model import Model
from ilk.serve.ops._items import taken, told
from ilk.serve.work import Ask, Reply


def items_of(model: Model, ask: Ask) -> Any:
    """The items that were sent, as the model holds them."""
    return taken(model.modality, ask.body.get("items"), ask.blobs)


def made(model: Model, items: Any, met: Sequence[Mapping[str, Any]] = (), **more: Any) -> Reply:
    """Items that were made, and how what was asked was met."""
    said, blobs = told(model.modality, items)
    return Reply({"items": said, "met": list(met), **more}, blobs)


def kept(sort: str, ess: float | None = None) -> list[dict[str, Any]]:
    """How what is kept of items was met."""
    return [{"given": "what is kept", "met": sort, "share": 1.0, "ess": ess}]


def share(body: Mapping[str, Any], name: str, default: float) -> float:
    """A number from 0 to 1; UsageError for anything else."""
    value = default if body.get(name) is None else body[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UsageError(f"{name} is {str(value)[:40]!r}", code="OPTION", param=name, remedy="a number from 0 to 1")
    return float(value)
