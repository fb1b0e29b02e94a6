"""Planted faults are named, and things without are left in peace."""
from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest
from cases import CLEAN, FAULTY

from ilk import registry
from ilk.errors import DataError

NAMED, ALARMS = 0.9, 0.02


@cache
def faults() -> tuple[Any, ...]:
    return tuple(registry.get("faults", name)() for name in registry.names("faults"))


def names(make: Any) -> list[str]:
    """The faults found in a thing; none can be told of data that are not here."""
    try:
        thing = make()
    except DataError as why:
        if why.code == "DATA_MISSING":
            pytest.skip("these data are not here")
        raise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [found.fault for fault in faults() if isinstance(thing, fault.looks_at) for found in fault.find(thing)]
