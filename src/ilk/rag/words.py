"""What counts as a word when passages are looked up by their words: English ones without a plural s, Chinese, Japanese and Korean by characters and pairs of them."""
from __future__ import annotations

import re
import unicodedata

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"(?P<wide>[{_WIDE}]+)|(?P<word>[^\W_{_WIDE}]+)")


def words(text: str) -> list[str]:
    """The words of a text in their order, in lower case.

    >>> words("The Ponies' sea-horses; 床前明月")
    ['the', 'pony', 'sea', 'horse', '床', '前', '明', '月', '床前', '前明', '明月']
    """
    found: list[str] = []
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        if run.lastgroup == "word":
            found.append(_stem(run[0]))
        else:
            found += [*run[0], *map("".join, zip(run[0], run[0][1:], strict=False))]
    return found


def _stem(word: str) -> str:
    """A word without its plural: the s-stemmer of Harman, "How effective is suffixing?" (1991)."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("us", "ss")):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    return word[:-1]
