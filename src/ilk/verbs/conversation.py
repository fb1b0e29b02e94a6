"""Conversation: what was said by whom, and how each answer was asked for. Plain data that is kept, gone back in, branched and replayed."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..chat import Call, Turn, Want
from ..errors import ModelError, UsageError
from ..files import atomic, parse_json
from ._turns import turn_from_json, turn_to_json, want_from_json, want_to_json
from .chat import WANT, Policy, Reply, reply

FORMAT = 1


@dataclass(frozen=True)
class Line:
    """A turn; of one that a model said, how it was asked for (`want`), which model, and how many turns it was not shown."""

    turn: Turn
    want: Want | None = None
    model: str = ""
    dropped: int = 0


@dataclass(frozen=True)
class Difference:
    """An answer that came out otherwise when it was asked for again: the number of its line, what it was, what it is now."""

    line: int
    was: Turn
    now: Turn


@dataclass(frozen=True)
class Conversation:
    """Lines in order. Nothing changes in place: each method returns another conversation, so an earlier one is a branch to go on from.

    >>> talk = Conversation.of(system="Be brief.").ask("echo:Good day", "Hello")
    >>> [t.text for t in talk.turns]
    ['Be brief.', 'Hello', 'Good day']
    >>> talk.undo() == Conversation.of(system="Be brief."), talk.replay()
    (True, ())
    """

    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, turns: Sequence[Turn] = (), system: str = "") -> Conversation:
        """Of turns that were said before, and who the model shall be."""
        return cls(tuple(Line(t) for t in ((Turn.of("system", system),) if system else ()) + tuple(turns)))

    def under(self, system: str) -> Conversation:
        """Of the same turns, but another said who the model shall be."""
        return replace(self, lines=(Line(Turn.of("system", system)), *(line for line in self.lines if line.turn.role != "system")))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said, for a model to answer."""
        return tuple(line.turn for line in self.lines)

    def say(self, turn: Turn | str) -> Conversation:
        """One more turn; a bare text is the user's."""
        return replace(self, lines=(*self.lines, Line(Turn.of("user", turn) if isinstance(turn, str) else turn)))

    def heard(self, answer: Reply) -> Conversation:
        """One more answer, with how it was asked for."""
        return replace(self, lines=(*self.lines, Line(answer.turn, answer.want, answer.model, answer.dropped)))

    def ask(self, model: Any, text: Turn | str, want: Want = WANT, policy: Policy | None = None) -> Conversation:
        """A turn and the model's answer to it."""
        said = self.say(text)
        return said.heard(reply(model, said.turns, want, policy))

    def undo(self) -> Conversation:
        """As it was before the user's last turn; UsageError (code NOTHING) if there is none."""
        asked = [i for i, line in enumerate(self.lines) if line.turn.role == "user"]
        if not asked:
            raise UsageError("there is nothing to undo", code="NOTHING")
        return self.until(asked[-1])

    def until(self, line: int) -> Conversation:
        """Only the lines before that one: a branch to go on from."""
        return replace(self, lines=self.lines[:line])

    def replay(self, model: Any = None) -> tuple[Difference, ...]:
        """Asks for every answer again as it was asked for, over the turns as they stand, of the same model unless another is given; says where answers differ."""
        found = []
        for i, line in enumerate(self.lines):
            if line.want is not None:
                now = reply(model or _known(line.model), _after_drop(self.turns[:i], line.dropped), line.want).turn
                found += [Difference(i, line.turn, now)] if _plain(now) != _plain(line.turn) else []
        return tuple(found)

    def save(self, to: str | Path) -> Path:
        """A file of JSON, written whole or not at all."""
        data = json.dumps({"format": FORMAT, "lines": [_line_to_json(line) for line in self.lines]}, ensure_ascii=False, allow_nan=False, indent=1)
        with atomic(Path(to)) as file:
            file.write(data.encode("utf-8", "backslashreplace") + b"\n")
        return Path(to)

    @classmethod
    def load(cls, at: str | Path) -> Conversation:
        """What `save` wrote; ModelError (code CONVERSATION) for anything else."""
        try:
            said = parse_json(Path(at).read_bytes(), Path(at).name)
        except OSError as why:
            raise UsageError(f"{at} can't be read: {why.strerror}", code="UNREADABLE", param="file") from None
        if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("lines"), list):
            raise ModelError(f"{at} is no conversation of this version of ilk", code="CONVERSATION")
        return cls(tuple(_line_from_json(line) for line in said["lines"]))


def _known(model: str) -> str:
    if model == "" or "key_from" in model:   # a file of somebody else's may not choose which key goes where
        raise UsageError("this answer does not say of which model it is, or with a key", code="MODEL", param="model", remedy="name a model to replay with")
    return model


def _after_drop(turns: Sequence[Turn], dropped: int) -> list[Turn]:
    """The turns without the oldest that are not the system's, as many as were not shown."""
    gone = [i for i, t in enumerate(turns) if t.role != "system"][:dropped]
    return [t for i, t in enumerate(turns) if i not in gone]


def _plain(turn: Turn) -> tuple[Any, ...]:
    """A turn without the numbers of its calls, which a server may draw."""
    return turn.role, *(("call", p.name, dict(p.arguments)) if isinstance(p, Call) else p for p in turn.parts)


def _line_to_json(line: Line) -> dict[str, Any]:
    how = {} if line.want is None else {"want": want_to_json(line.want), "model": line.model, "dropped": line.dropped}
    return turn_to_json(line.turn) | how


def _line_from_json(said: Any) -> Line:
    turn = turn_from_json(said)
    if "want" not in said:
        return Line(turn)
    if not isinstance(said.get("model"), str) or type(said.get("dropped")) is not int or said["dropped"] < 0:
        raise ModelError("a line of the conversation does not say of which model it is", code="CONVERSATION")
    return Line(turn, want_from_json(said["want"]), said["model"], said["dropped"])
