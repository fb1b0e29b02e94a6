"""The engine: a process for every model that is loaded, which does the work, and what starts, watches and ends them."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ilk.serve.limits import Limits
    from ilk.serve.place import Workspace
    from ilk.serve.work import Engine


def engine(places: Mapping[str, str], workspace: Workspace, limits: Limits, memory: int | None = None) -> Engine:
    """The engine of the models at some places and of those in the workspace. `memory`: bytes that all of them together may take."""
    from ilk.serve.engine.pool import Pool

    return Pool(places, workspace, limits, memory)
