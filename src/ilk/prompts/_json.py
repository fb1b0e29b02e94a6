"""When two values are the same JSON."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0 and not true."""
    return plain(one) == plain(other)


def plain(value: Any) -> str:
    """A value as one text, equal for equal values."""
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{json.dumps(k)}:{plain(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(plain, value)) + "]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else json.dumps(value)
