"""What faults of texts share."""
from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache, lru_cache

_JOINED = {"HIRAGANA": "HAN", "KATAKANA": "HAN", "CJK": "HAN", "IDEOGRAPHIC": "HAN", "BOPOMOFO": "HAN", "HANGUL": "HAN"}
LONG = 400  # characters of a text that are looked at


@cache
def script(character: str) -> str:
    """The script of a letter, as the first word of its name has it; those written together count as one; empty for what is no letter."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").split(" ")[0].split("-")[0]
    return _JOINED.get(first, first)


@lru_cache(65_536)
def scripts(text: str) -> Counter[str]:
    """How many letters of each script the beginning of a text has."""
    found = Counter(map(script, text[:LONG]))
    found.pop("", None)
    return found


def main_script(text: str) -> str:
    """The script of most letters, empty without letters."""
    found = scripts(text)
    return max(found, key=lambda s: (found[s], s)) if found else ""


def quoted(text: str, at: int = 0, around: int = 15) -> str:
    """What stands about a place, on one line."""
    return repr(re.sub(r"\s+", " ", text[max(0, at - around):at + around]))
