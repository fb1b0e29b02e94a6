"""Answers that are kept: a model behind a folder of JSON, asked only what it was not asked before."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ilk.catalogue.fetching import cache
from ilk.chat import Answer, Call, Chat, Delta, End, Token, Turn, Want
from ilk.errors import ModelError
from ilk.files import atomic, parse_json
from ilk.verbs.chat import chat_of

FORMAT, MOST = 1, 32 << 20   # of the files; bytes of one


def folder() -> Path:
    """Where answers are kept by default: `answers` in the folder of fetched files."""
    return cache() / "answers"


class Kept:
    """A Chat that keeps every whole answer in a folder, by model, turns and all that was wanted (the seed too), and gives it again without asking.

    The model is opened only when it is needed. What was kept is trusted only if it says that it answers this very question.

    >>> import tempfile
    >>> chat = Kept("echo:Hello", tempfile.mkdtemp())
    >>> [Answer.of(chat.chat([Turn.of("user", "Hi")], Want())).text for _ in range(3)], chat.known, chat.new
    (['Hello', 'Hello', 'Hello'], 2, 1)
    """

    def __init__(self, model: Any, at: str | Path | None = None) -> None:
        self._model, self._chat = model, None if isinstance(model, str) else chat_of(model)
        self.name: str = model if self._chat is None else self._chat.name
        self.at = folder() if at is None else Path(at)
        self.known = self.new = 0

    @property
    def window(self) -> int | None:
        """How many tokens the model can look at; not known before it is opened."""
        return None if self._chat is None else self._chat.window

    def _opened(self) -> Chat:
        self._chat = self._chat or chat_of(self._model)
        return self._chat

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The answer that was kept, or the model's, which is kept when it is whole."""
        question = {"format": FORMAT, "model": self.name, "turns": _plain(tuple(turns)), "want": _plain(want)}
        key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        at = self.at / key[:2] / f"{key[2:]}.json"
        found = _read(at, question)
        if found is not None:
            self.known += 1
            yield from _pieces(found)
            return
        pieces = []
        for piece in self._opened().chat(turns, want):
            pieces.append(piece)
            yield piece
        self.new += 1
        with atomic(at) as file:
            file.write(json.dumps({"question": question, "answer": _plain(Answer.of(pieces))}).encode())


def _plain(value: Any) -> Any:
    """A value as JSON has it; bytes by their hash."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"is": type(value).__name__, **{f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value


def _read(at: Path, question: Mapping[str, Any]) -> Answer | None:
    """What was kept for a question; None if nothing was, or it is damaged."""
    try:
        if at.stat().st_size > MOST:
            return None
        said = parse_json(at.read_bytes(), at.name)
        if said["question"] != json.loads(json.dumps(question)):
            return None
        found = said["answer"]
        tokens = tuple(Token(t["text"], t["nats"], tuple((str(w), float(x)) for w, x in t["others"])) for t in found["tokens"])
        calls = tuple(Call(c["name"], c["arguments"], c["id"]) for c in found["calls"])
        return Answer(str(found["text"]), tokens, calls, End(found["end"]["why"], int(found["end"]["read"]), int(found["end"]["made"])))
    except (OSError, ModelError, KeyError, TypeError, ValueError):
        return None


def _pieces(answer: Answer) -> Iterator[Delta]:
    yield Delta(answer.text, answer.tokens)
    yield from (Delta(call=call) for call in answer.calls)
    yield Delta(end=answer.end)
