"""Where the sentences of a text begin and end."""
from __future__ import annotations

import re

_ENDS = re.compile(r"""[.!?]+["'”’)\]]*(?=\s|$)|[。！？；…]+["”’」』）》]*|\n\s*\n|\n""")
_SHORT = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Fig|Eq|vs|etc|pp?|cf|al|e\.g|i\.e|approx)|\b[A-Z])\.$")
_WRAPPED = 60   # a line at least this long may go on in the next one


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, without the space around it. Together they hold all that is not space.

    >>> text = "Dr. Li came. He sat down! 床前明月光。疑是地上霜。"
    >>> [text[a:b] for a, b in sentences(text)]
    ['Dr. Li came.', 'He sat down!', '床前明月光。', '疑是地上霜。']
    """
    found, start = [], 0
    for end in _ENDS.finditer(text):
        if _goes_on(text, start, end):
            continue
        found.append((start, end.end()))
        start = end.end()
    return [span for span in (_trimmed(text, a, b) for a, b in (*found, (start, len(text)))) if span[0] < span[1]]


def _goes_on(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether a stop or the end of a line is inside a sentence: after an abbreviation, before a small letter, or in a wrapped line."""
    mark, after = end[0], text[end.end():end.end() + 40].lstrip()
    if mark == "\n":
        return end.start() - text.rfind("\n", 0, end.start()) > _WRAPPED and not re.match(r"[-*•#\d]", after)
    return mark[0] == "." and (bool(_SHORT.search(text[start:end.start() + 1])) or after[:1].islower())


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
