"""Branching stories: scenes, choices that need, give and take things, and every state that can be reached."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..checked import Finding
from ..errors import DataError

MOST = 50_000   # states
State = tuple[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one can do in a scene: where it leads, the things it needs, those that must not be there, those it gives and takes."""

    says: str
    to: str
    needs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()

    def open(self, things: frozenset[str]) -> bool:
        """Whether somebody with these things can choose it."""
        return self.needs <= things and not self.lacks & things

    def after(self, things: frozenset[str]) -> frozenset[str]:
        """The things one has after it."""
        return (things - self.takes) | self.gives


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens, in a sentence, and what can be done then: nothing, in an ending."""

    outline: str
    choices: tuple[Choice, ...] = ()
    ending: bool = False


@dataclass(frozen=True)
class Story:
    """Scenes by name, and the one that it begins with, with nothing in hand."""

    start: str
    scenes: Mapping[str, Scene]

    @property
    def things(self) -> tuple[str, ...]:
        """All things that any choice knows."""
        return tuple(sorted({t for s in self.scenes.values() for c in s.choices for some in (c.needs, c.lacks, c.gives, c.takes) for t in some}))


@dataclass(frozen=True)
class Explored:
    """Every state that can be reached, with a shortest way there (what was chosen), and the states that each leads to."""

    ways: Mapping[State, tuple[str, ...]]
    leads: Mapping[State, tuple[State, ...]]


def story_of(found: Any) -> Story:
    """A story from JSON: {"start": ..., "scenes": {name: {"outline": ..., "ending": ..., "choices": [{"says", "to", "needs", "lacks", "gives", "takes"}]}}}; DataError."""
    try:
        scenes = {str(name): Scene(_text(s["outline"]), tuple(map(_choice, s.get("choices", []))), s.get("ending", False) is True) for name, s in found["scenes"].items()}
        story = Story(_text(found["start"]), scenes)
        places = [story.start, *(c.to for s in scenes.values() for c in s.choices)]
    except (KeyError, TypeError, AttributeError, ValueError) as why:
        raise DataError(f"this is no story: {type(why).__name__} {why}", code="STORY", remedy='{"start": "a", "scenes": {"a": {"outline": "..."}}}') from None
    if lost := [p for p in places if p not in scenes]:
        raise DataError(f"there is no scene {lost[0]!r}", code="STORY", remedy=f"there are: {', '.join(scenes)[:300]}")
    return story


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found.strip():
        raise ValueError(f"{found!r} is no text")
    return found


def _choice(found: Any) -> Choice:
    sets = {k: frozenset(map(_text, found.get(k, []))) for k in ("needs", "lacks", "gives", "takes")}
    if extra := set(found) - {"says", "to", *sets}:
        raise ValueError(f"a choice has no {sorted(extra)[0]!r}")
    return Choice(_text(found["says"]), _text(found["to"]), **sets)


def explored(story: Story) -> Explored:
    """Breadth first from the start; DataError for a story of too many states."""
    first: State = (story.start, frozenset())
    ways: dict[State, tuple[str, ...]] = {first: ()}
    leads: dict[State, tuple[State, ...]] = {}
    rest = deque([first])
    while rest:
        state = rest.popleft()
        found = []
        for choice in (c for c in story.scenes[state[0]].choices if c.open(state[1])):
            after = (choice.to, choice.after(state[1]))
            found.append(after)
            if after not in ways:
                ways[after] = (*ways[state], choice.says)
                rest.append(after)
        leads[state] = tuple(found)
        if len(ways) > MOST:
            raise DataError(f"the story has more than {MOST} states", code="TOO_LARGE", remedy="fewer things or scenes")
    return Explored(ways, leads)


def faults(story: Story, found: Explored) -> Iterator[Finding]:
    """Dead ends, endings that are none, scenes and choices that nobody gets to, and states from which no ending can be reached."""
    for (name, things), after in found.leads.items():
        if not after and not story.scenes[name].ending:
            yield Finding("DEAD_END", f"{name!r} is no ending, and with {told(things)} nothing can be done there; {way(found, (name, things))}")
    there = {name for name, _ in found.ways}
    for name, scene in story.scenes.items():
        if scene.ending and scene.choices:
            yield Finding("ENDING", f"{name!r} is an ending and has choices")
        if name not in there:
            yield Finding("UNREACHED", f"nothing leads to {name!r}")
        for choice in scene.choices if name in there else ():
            if not any(choice.open(things) for at, things in found.ways if at == name):
                yield Finding("NEVER", f"{choice.says!r} in {name!r} can never be chosen: it needs {told(choice.needs)} and no {told(choice.lacks)}")
    stuck = [s for s in found.ways if s not in _ends(story, found) and found.leads[s]]
    if stuck:
        yield Finding("NO_END", f"from {stuck[0][0]!r} with {told(stuck[0][1])} no ending can be reached; {way(found, stuck[0])}")


def _ends(story: Story, found: Explored) -> set[State]:
    """The states from which an ending can be reached: back from the endings."""
    before: dict[State, list[State]] = {}
    for state, after in found.leads.items():
        for other in after:
            before.setdefault(other, []).append(state)
    good = {s for s in found.ways if story.scenes[s[0]].ending}
    rest = list(good)
    while rest:
        for state in before.get(rest.pop(), []):
            if state not in good:
                good.add(state)
                rest.append(state)
    return good


def told(things: frozenset[str]) -> str:
    """Things in words."""
    return ", ".join(sorted(things)) or "nothing"


def way(found: Explored, state: State) -> str:
    """How one gets to a state."""
    return f"the way there: {' > '.join(found.ways[state]) or 'the start'}"
