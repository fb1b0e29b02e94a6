"""echo: no model at all. It says what it is told to say, by a script or as the last turn has it: for trying things out, and for tests."""
from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from ..backend import Backend
from ..chat import Call, Chat, Delta, End, Token, Tool, Turn, Want
from ..errors import ModelError, UsageError
from ..files import parse_json
from ..shapes import checked
from ._stop import Stops

_WORD = re.compile(r"\S+\s*|\s+")
_SURE = 0.9   # the chance of the word that it would say


@dataclass(frozen=True, kw_only=True)
class Echo(Backend):
    """`echo:` repeats the last turn, `echo:Hello there` says that; a word is a token, the window is `window` of them.

    A `script` is a file with a JSON list of answers, each a text, a call `{"tool": name, "arguments": {}}` or a list of calls. Its answer number i is given where
    i answers (by the assistant's turns) were given before; the seed is added, so other seeds give other answers.

    >>> from ilk.chat import Answer
    >>> Answer.of(Echo().open("Hello there").chat([Turn.of("user", "Hi")], Want(most=1))).text
    'Hello '
    """

    window: Annotated[int, Interval(ge=1)] = 4096
    script: str = ""
    pause: Annotated[float, Interval(ge=0, le=60)] = 0.0

    def names(self) -> Sequence[str]:
        """Anything is a name."""
        return ()

    def open(self, name: str) -> Chat:
        """What says `name`, or repeats, or follows the script; UsageError for a script that can't be read."""
        return _Echoes(self.address(name), self.window, name, _script(Path(self.script)) if self.script else (), self.pause)


@dataclass(frozen=True)
class _Echoes:
    name: str
    window: int
    says: str
    script: tuple[str | tuple[Call, ...], ...] = ()
    pause: float = 0.0

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """Word by word; a call at once."""
        said = self._answer(turns, want)
        read = self._read(self.written(turns, want.tools), want)
        if isinstance(said, str):
            return self._told(checked(said, want.shape), read, want)
        return iter([*(Delta(call=call) for call in said), Delta(end=End("calls", read, len(said)))])

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """Says what it says, or the text again."""
        return self._told(checked(self.says or text, want.shape), self._read(text, want), want)

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        """It gives 0.9 to the word (or the end) that would come at that place, and the rest evenly to all texts' bytes."""
        before = after if isinstance(after, str) else after[-1].text if after else ""
        would = _WORD.findall(self.says or before)
        said = [*_WORD.findall(text), *([""] if ended else [])]
        return tuple(Token(w, _nats(w, w == (would[i] if i < len(would) else ""))) for i, w in enumerate(said))

    def written(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> str:
        """Roles and texts by line, tools before them."""
        return "".join(f"tool: {json.dumps([t.name, t.summary, t.schema])}\n" for t in tools) + "".join(f"{t.role}: {_written(t)}\n" for t in turns)

    def count(self, text: str) -> int:
        """Words."""
        return len(_WORD.findall(text))

    def _answer(self, turns: Sequence[Turn], want: Want) -> str | tuple[Call, ...]:
        if not self.script:
            return self.says or (turns[-1].text if turns else "")
        at = sum(t.role == "assistant" for t in turns) + want.seed
        if at >= len(self.script):
            raise UsageError(f"the script has {len(self.script)} answers, and number {at + 1} was asked for", code="SCRIPT", param="script")
        return self.script[at]

    def _read(self, text: str, want: Want) -> int:
        read, most = self.count(text), want.most or 1
        if read + most > self.window:
            raise UsageError(f"{read} tokens to read and {most} to make do not fit in a window of {self.window}", code="CONTEXT", param="turns",
                             remedy="fewer or shorter turns, or a policy that drops old ones")
        return read

    def _told(self, said: str, read: int, want: Want) -> Iterator[Delta]:
        words, stops = (m[0] for m in _WORD.finditer(said)), Stops(want.stop)   # one at a time: nobody may want them all
        most, made = min(want.most or self.window, self.window - read), 0
        for word in islice(words, most):
            if self.pause:
                time.sleep(self.pause)
            made += 1
            yield from stops.add(Delta(word, () if want.alternatives is None else (Token(word, _nats(word, True)),)))
            if stops.met:
                break
        yield from stops.rest()
        yield Delta(end=End("stop" if stops.met or next(words, None) is None else "length", read, made))


def _nats(word: str, sure: bool) -> float:
    odd = log(1 - _SURE) - (len(word.encode("utf-8", "replace")) + 1) * log(257)
    return log(_SURE) if sure else odd


def _written(turn: Turn) -> str:
    calls = [f"{p.name} {json.dumps(dict(p.arguments), sort_keys=True)}" for p in turn.parts if isinstance(p, Call)]
    return " ".join([turn.text, *calls]) if calls else turn.text


def _script(at: Path) -> tuple[str | tuple[Call, ...], ...]:
    try:
        found = parse_json(at.read_bytes(), at.name)
    except (OSError, ModelError, ValueError) as why:
        raise UsageError(f"the script {at} can't be read: {getattr(why, 'strerror', None) or why}", code="SCRIPT", param="script") from None
    if not isinstance(found, list):
        raise UsageError(f"the script {at} is no list", code="SCRIPT", param="script", remedy='such as ["Hello", {"tool": "clock", "arguments": {}}]')
    return tuple(entry if isinstance(entry, str) else tuple(_call(c, i, k) for k, c in enumerate(entry if isinstance(entry, list) else [entry]))
                 for i, entry in enumerate(found))


def _call(said: Any, i: int, k: int) -> Call:
    if isinstance(said, dict) and isinstance(said.get("tool"), str) and isinstance(said.get("arguments", {}), dict) and set(said) <= {"tool", "arguments"}:
        return Call(said["tool"], said.get("arguments", {}), f"{i}.{k}")
    raise UsageError(f"entry {i} of the script is neither a text nor a call", code="SCRIPT", param="script", remedy='a call is {"tool": "clock", "arguments": {}}')
