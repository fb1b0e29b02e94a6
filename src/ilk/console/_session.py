"""A conversation in the terminal: lines in, answers out as they come, and a few commands that begin with a slash."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from ilk.chat import Chat, Turn, Want
from ilk.commands._shared import put
from ilk.errors import IlkError, UsageError, printable
from ilk.recipe import made
from ilk.verbs.chat import Policy, Reply, stream
from ilk.verbs.conversation import Conversation

HELP = """/system [TEXT]  say who the model shall be, or show it
/save [FILE]    keep the conversation in a file
/load FILE      go on with a kept conversation
/undo           take back the last question and its answer
/retry          ask the last question again, with the next seed
/seed [N]       set the seed, or show it
/exit           end (so does Ctrl-D)
A line that ends with \\ goes on; ``` starts text of several lines that ends with ```. Ctrl-C stops an answer."""


def told(answer: Reply) -> Iterator[str]:
    """What is to be known of an answer beside its text."""
    if answer.dropped:
        yield f"the model was not shown the oldest {answer.dropped} turns: they do not fit"
    if answer.end.why == "length":
        yield f"the answer was cut off after {answer.end.made} tokens: --most allows more"


class Session:
    """What is said and what was asked for so far. Nothing that goes wrong ends it."""

    def __init__(self, model: Chat, talk: Conversation, want: Want, policy: Policy, file: Path | None) -> None:
        self.model, self.talk, self.want, self.policy, self.file = model, talk, want, policy, file

    def run(self) -> None:
        """Until /exit or the end of input."""
        with suppress(ImportError):
            import_module("readline")   # by it input() has editing and history
        put(f"{printable(self.model.name)}: /help says what can be done here\n")
        while True:
            try:
                said = _said()
                if said.strip() == "/exit":
                    return
                self._take(said)
            except EOFError:
                put("\n")
                return
            except KeyboardInterrupt:
                put("\n(/exit or Ctrl-D ends the conversation)\n")
            except IlkError as why:
                sys.stderr.write(f"ilk: error[{why.code}]: {why}\n")

    def _take(self, said: str) -> None:
        word, _, rest = said.rstrip().partition(" ")
        if word in COMMANDS:
            COMMANDS[word](self, rest.strip())
        elif word.startswith("/") and "/" not in word[1:]:
            raise UsageError(f"there is no command {word[:40]}", code="COMMAND", remedy="/help lists them; a question that begins with / may begin with a space")
        elif said.strip():
            self._ask(self.talk.say(said))

    def _ask(self, asked: Conversation) -> None:
        """The answer as it comes. One that is stopped is kept as far as it came, but not as what the model would say again."""
        pieces = stream(self.model, asked.turns, self.want, self.policy)
        try:
            for piece in pieces:
                put(printable(piece.text))
            put("\n")
            answer = pieces.reply()
            self.talk = asked.heard(answer)
            for line in told(answer):
                put(f"({line})\n")
        except KeyboardInterrupt:
            pieces.close()
            put("\n(stopped)\n")
            self.talk = asked.say(Turn.of("assistant", pieces.text))
        if self.file is not None:
            self.talk.save(self.file)

    def _help(self, rest: str) -> None:
        put(HELP + "\n")

    def _system(self, rest: str) -> None:
        if rest:
            self.talk = self.talk.under(rest)
        put(printable("\n".join(t.text for t in self.talk.turns if t.role == "system") or "(none)") + "\n")

    def _save(self, rest: str) -> None:
        to = Path(rest) if rest else self.file
        if to is None:
            raise UsageError("which file?", code="FILE", remedy="/save talk.json")
        if to != self.file and to.exists():
            raise UsageError(f"{to} is there already", code="EXISTS", remedy="another name, or /load it")
        self.file = self.talk.save(to)
        put(printable(f"{len(self.talk.lines)} turns in {to}, which goes on being kept\n"))

    def _load(self, rest: str) -> None:
        if not rest:
            raise UsageError("which file?", code="FILE", remedy="/load talk.json")
        self.talk, self.file = Conversation.load(rest), Path(rest)
        put("".join(f"{line.turn.role}: {printable(line.turn.text)}\n" for line in self.talk.lines))

    def _undo(self, rest: str) -> None:
        self.talk = self.talk.undo()
        put(f"({len(self.talk.lines)} turns are left)\n")

    def _retry(self, rest: str) -> None:
        before = self.talk.undo()
        self.want = replace(self.want, seed=self.want.seed + 1)
        put(f"(seed {self.want.seed}{'; at temperature 0 it changes nothing' if self.want.temperature == 0 else ''})\n")
        self._ask(before.say(self.talk.turns[len(before.lines)]))

    def _seed(self, rest: str) -> None:
        if rest:
            self.want = replace(self.want, seed=made(Want, {"seed": rest}).seed)
        put(f"seed {self.want.seed}\n")


COMMANDS = {"/help": Session._help, "/system": Session._system, "/save": Session._save, "/load": Session._load, "/undo": Session._undo, "/retry": Session._retry,
            "/seed": Session._seed}


def _said() -> str:
    """A line, or several: as long as they end with a backslash, or up to the end of a block."""
    lines = [input("> ")]
    if lines[0].lstrip().startswith("```"):
        while lines[-1].strip() != "```" or len(lines) == 1:
            lines.append(input(". "))
        return "\n".join(lines)
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(input(". "))
    return "\n".join(lines)
