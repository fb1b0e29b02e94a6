"""The texts of a story that the reader steers; the model writes, and code owns what can happen and what one has."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from ..chat import Schema, Shape, Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ..errors import DataError, ModelError, UsageError
from ..files import parse_json
from ._json import parsed, record
from ._story import Explored, Story, explored, faults, story_of, told, way
from ._texts import length
from .writing import stands


@dataclass(frozen=True)
class Playable:
    """A story with its texts."""

    story: Story
    texts: dict[str, str]

    def __str__(self) -> str:
        return "\n\n".join(f"{name}\n{text}" for name, text in self.texts.items())

    def play(self, *chosen: str) -> tuple[str, frozenset[str], tuple[str, ...]]:
        """The text one reads after these choices, the things one has, and what one can do then; UsageError for a choice that is not open."""
        at, things = self.story.start, frozenset[str]()
        for says in chosen:
            open_now = {c.says: c for c in self.story.scenes[at].choices if c.open(things)}
            if says not in open_now:
                raise UsageError(f"{says[:60]!r} can't be chosen in {at!r} with {told(things)}", code="CHOICE", remedy=f"there are: {'; '.join(open_now) or 'none'}")
            at, things = open_now[says].to, open_now[says].after(things)
        return self.texts[at], things, tuple(c.says for c in self.story.scenes[at].choices if c.open(things))


@dataclass(frozen=True, kw_only=True)
class Branching(Task[Story, Playable]):
    """A text of at most `most` words for each scene of a story that holds together: of the things, a text names none that a reader may get there without.

    What is found in a scene (given by one of its choices) may be named there. DataError, before anything is asked, for a story with a dead end, a scene or choice
    that nobody gets to, or states from which no ending can be reached.
    """

    most: Annotated[int, Interval(ge=1)] = 120

    def turns(self, given: Story) -> tuple[Turn, ...]:
        """The scenes, and what may be named in each."""
        found = explored(given)
        if wrong := list(faults(given, found)):
            raise DataError(f"the story does not hold together: {wrong[0].told}", code=wrong[0].code)
        lines = [f"{name}: {scene.outline} Choices: {'; '.join(c.says for c in scene.choices) or 'none, it ends here'}. May name: {told(may_name(given, found, name))}."
                 for name, scene in given.scenes.items()]
        return asked(f"Write the scenes of a story told to 'you', each in at most {self.most} words. Answer with one JSON object: the name of every scene and its text. "
                     f"Of these things ({told(frozenset(given.things))}) a scene names only those that it may.", ("Scenes", "\n".join(lines)))

    def read(self, word: str) -> Story:
        """A file of JSON."""
        try:
            return story_of(parse_json(text_of(word).encode(), word[:80]))
        except ModelError as why:
            raise DataError(why.message, code="STORY") from None

    def shape(self, given: Story) -> Shape:
        """An object of texts."""
        return Schema(record({name: {"type": "string"} for name in given.scenes}))

    def check(self, given: Story, answer: str) -> Checked[Playable]:
        """Every scene has a text, and no text names what may not be there."""
        texts, wrong = parsed(answer, dict)
        kept = {name: text.strip() for name in given.scenes if isinstance(text := texts.get(name), str) and text.strip()}
        found = explored(given)
        more = [] if wrong else [Finding("SCENE", f"the scene {name!r} has no text") for name in given.scenes if name not in kept]
        more += [Finding("SCENE", f"there is no scene {name!r}") for name in texts if name not in given.scenes]
        for name, text in kept.items():
            if (many := length(text)) > self.most:
                more.append(Finding("LENGTH", f"{name}: {many} words, and {self.most} are allowed"))
            more += _named(given, found, name, text)
        return Checked(Playable(given, kept), (*wrong, *more))

    def floor(self, given: Story) -> str:
        """The outlines."""
        return json.dumps({name: scene.outline for name, scene in given.scenes.items()}, ensure_ascii=False)


def may_name(story: Story, found: Explored, scene: str) -> frozenset[str]:
    """The things that everybody has who gets to a scene, and those that are found there."""
    had = [things for at, things in found.ways if at == scene]
    here = frozenset(t for c in story.scenes[scene].choices for t in c.gives)
    return frozenset.intersection(*had) | here if had else here


def _named(story: Story, found: Explored, scene: str, text: str) -> Iterator[Finding]:
    """Each thing that is named though one may get there without it, with the shortest way to do so."""
    for thing in sorted(set(story.things) - may_name(story, found, scene)):
        if stands(thing, text) or stands(thing + "s", text):
            without = min((s for s in found.ways if s[0] == scene and thing not in s[1]), key=lambda s: len(found.ways[s]))
            yield Finding("THING", f"{scene}: the text names {thing!r}, which one may not have; {way(found, without)}")
