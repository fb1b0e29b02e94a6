"""Values as facts that can be filtered by."""
from __future__ import annotations

import re

from ..reader import Fact

_WHOLE, _NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})"), re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d{1,2})?")
LONGEST = 1000   # characters of a fact


def fact(text: str) -> Fact:
    """A text as a whole number, a number, a truth or itself; numbers that begin with zeros are names.

    >>> fact("701"), fact("1.5"), fact("true"), fact("007"), fact("Li Bai")
    (701, 1.5, True, '007', 'Li Bai')
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and not re.match(r"[-+]?0\d", text) and len(text) < 40 and ("." in text or "e" in text.lower()):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text[:LONGEST])
