"""What faults of installations share."""
from __future__ import annotations

import re

GIB = 1 << 30


def version(text: str | None) -> tuple[int, ...]:
    """The numbers of a version, what follows them left out; () for none.

    >>> version("2.13.0+cpu"), version(None)
    ((2, 13, 0), ())
    """
    found = re.match(r"\d+(?:\.\d+)*", text or "")
    return tuple(map(int, found[0].split("."))) if found else ()


def below(text: str | None, least: str) -> bool:
    """Whether a version is known and lower."""
    one, other = version(text), version(least)
    width = max(len(one), len(other))
    return bool(one) and one + (0,) * (width - len(one)) < other + (0,) * (width - len(other))
