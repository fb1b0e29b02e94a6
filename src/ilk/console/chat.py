"""Behind the commands: talking with a model, by one question or in a conversation."""
from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilk.backend import DEFAULT
from ilk.chat import Pattern, Schema, Shape, Want
from ilk.commands._shared import SHELL, put, say
from ilk.console._session import Session, told
from ilk.errors import ModelError, UsageError, printable
from ilk.files import parse_json
from ilk.recipe import made
from ilk.verbs.chat import DropOldest, Policy, Refuse, Reply, Stream, chat_of, stream
from ilk.verbs.conversation import Conversation

MOST_INPUT = 4 << 20   # letters of a question


@dataclass(frozen=True)
class Asking:
    """Whom a command line asks, and how."""

    model: str | None
    system: str
    wishes: Mapping[str, Any]
    schema: Path | None
    pattern: str | None
    drop: bool

    @property
    def want(self) -> Want:
        """How answers are to be made; UsageError for what can't be."""
        return made(Want, {**self.wishes, "shape": self._shape()})

    @property
    def policy(self) -> Policy:
        """What is done with what is too long."""
        return DropOldest() if self.drop else Refuse()

    def _shape(self) -> Shape | None:
        if self.schema is not None and self.pattern is not None:
            raise UsageError("an answer obeys a schema or a pattern, not both", code="SHAPE", param="pattern")
        return Schema(_schema(self.schema)) if self.schema is not None else Pattern(self.pattern) if self.pattern is not None else None


def chat_command(question: str | None, asking: Asking, save: Path | None, replay: Path | None) -> None:
    """One answer, as it comes; or a conversation, or a replay."""
    if replay is not None:
        say(*_replayed(Conversation.load(replay), asking.model))
        return
    talk = Conversation.load(save) if save is not None and save.exists() else Conversation()
    talk = talk.under(asking.system) if asking.system else talk
    want, model = asking.want, chat_of(asking.model or DEFAULT)
    if question is None and sys.stdin is not None and sys.stdin.isatty() and not SHELL.as_json:
        Session(model, talk, want, asking.policy, save).run()
        return
    asked = talk.say(_asked(question))
    pieces = stream(model, asked.turns, want, asking.policy)
    answer = _shown(pieces)
    if save is not None:
        asked.heard(answer).save(save)
    if SHELL.as_json:
        say({"model": answer.model, "question": asked.turns[-1].text, "answer": answer.text, "why": answer.end.why, "read": answer.end.read, "made": answer.end.made,
             "dropped": answer.dropped, "seed": want.seed}, "")


def _shown(pieces: Stream) -> Reply:
    """The whole answer, printed as it comes unless JSON was asked for."""
    if not SHELL.as_json:
        bare = not sys.stdout.isatty()
        for piece in pieces:
            put(piece.text if bare else printable(piece.text))
        put("\n")
    answer = pieces.reply()
    sys.stderr.write("".join(f"ilk: {line}\n" for line in told(answer)))
    return answer


def _asked(question: str | None) -> str:
    text = question if question is not None else sys.stdin.read(MOST_INPUT + 1) if sys.stdin else ""
    if not text.strip():
        raise UsageError("there is no question", code="QUESTION", param="question", remedy='ilk chat "What is the capital of France?"')
    if len(text) > MOST_INPUT:
        raise UsageError(f"the question has more than {MOST_INPUT} letters", code="TOO_LARGE", param="question")
    return text if question is not None else text.removesuffix("\n")


def _schema(at: Path) -> Mapping[str, Any]:
    try:
        found = parse_json(at.read_bytes(), at.name)
    except OSError as why:
        raise UsageError(f"{at} can't be read: {why.strerror}", code="UNREADABLE", param="schema") from None
    except ModelError as why:
        raise UsageError(why.message, code="SHAPE", param="schema") from None
    if not isinstance(found, dict):
        raise UsageError(f"{at} is no JSON Schema", code="SHAPE", param="schema", remedy='such as {"type": "object", "properties": {"town": {"type": "string"}}}')
    return found


def _replayed(talk: Conversation, model: str | None) -> tuple[dict[str, Any], str]:
    found, many = talk.replay(model), sum(line.want is not None for line in talk.lines)
    lines = [f"turn {d.line} (counted from 0)\n  was: {d.was.text!r}\n  now: {d.now.text!r}" for d in found]
    differences = [{"line": d.line, "was": d.was.text, "now": d.now.text} for d in found]
    return {"answers": many, "differences": differences}, "\n".join([*lines, f"{len(found)} of {many} answers differ"])
