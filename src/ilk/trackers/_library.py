"""Libraries that are imported where they are used."""
from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import UsageError


def library(name: str, extra: str) -> Any:
    """The module; UsageError if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed", code="MISSING", remedy=f"pip install 'ilk[{extra}]'", param="track") from None
