"""One of a few labels for a text; by likelihood where the model weighs texts, else by an answer of that shape."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..chat import Pattern, Shape, Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ..errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Classification(Task[str, str]):
    """One of the `labels`. That it is the right one is not checked: measure it on texts of known classes.

    >>> Classification(labels=("good", "bad")).check("Fine.", "great").findings[0].told
    "'great' is none of the labels: good, bad"
    """

    labels: tuple[str, ...] = ("positive", "negative")

    def __post_init__(self) -> None:
        if len(set(self.labels)) < max(2, len(self.labels)) or not all(label.strip() == label != "" for label in self.labels):
            raise UsageError("labels are two or more different texts", code="LABELS", param="labels")

    def turns(self, given: str) -> tuple[Turn, ...]:
        """The text and the labels."""
        return asked(f"Which of these labels fits the text: {', '.join(self.labels)}? Answer with the label and nothing else.", ("Text", given))

    def read(self, word: str) -> str:
        """A text."""
        return text_of(word)

    def shape(self, given: str) -> Shape:
        """One of the labels."""
        return Pattern("|".join(map(re.escape, self.labels)))

    def choices(self, given: str) -> Sequence[str]:
        """The labels."""
        return self.labels

    def check(self, given: str, answer: str) -> Checked[str]:
        """Whether it is a label."""
        said = answer.strip()
        return Checked(said, () if said in self.labels else (Finding("LABEL", f"{said[:60]!r} is none of the labels: {', '.join(self.labels)}"),))
