"""echo: no model at all. It says what it is told to say, or the last turn again: for trying things out, and for tests."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..backend import Backend
from ..chat import Chat, Delta, End, Token, Turn, Want

_WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, kw_only=True)
class Echo(Backend):
    """`echo:` repeats the last turn, `echo:Hello there` says that; a word is a token, the window is `window` of them.

    >>> from ilk.chat import Answer
    >>> Answer.of(Echo().open("Hello there").chat([Turn.of("user", "Hi")], Want(most=1))).text
    'Hello '
    """

    window: int = 4096

    def names(self) -> Sequence[str]:
        """Anything is a name."""
        return ()

    def open(self, name: str) -> Chat:
        """What says `name`, or repeats."""
        return _Echoes(f"echo:{name}", self.window, name)


@dataclass(frozen=True)
class _Echoes:
    name: str
    window: int | None
    says: str

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """Word by word, without a window's limit on what is read."""
        words = _WORD.findall(self.says or (turns[-1].text if turns else ""))
        text, end = "", False
        most = len(words) if want.most is None else want.most
        for word in words[:most]:
            text += word
            if end := any(s and s in text for s in want.stop):
                break
            yield Delta(word, () if want.alternatives is None else (Token(word, 0.0),))
        yield Delta(end=End("stop" if end or most >= len(words) else "length", sum(len(_WORD.findall(t.text)) for t in turns), min(most, len(words))))
