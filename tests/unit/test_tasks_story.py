"""Writing and branching stories: each planted fault is named, and the exploration of a story is what brute force finds."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ilk
from ilk.errors import DataError, UsageError
from ilk.tasks._copied import longest_run, repeated
from ilk.tasks._story import Choice, Scene, Story, explored, faults, story_of
from ilk.tasks.branching import Branching
from ilk.tasks.writing import Writing

from .test_tasks_text import Scripted

BODY = ("the a storm came over the old harbour and every boat turned home while gulls cried above grey water then lamps were lit along the quay so that fishers saw where "
        "stones lay under foam")
WORDS = BODY.split()
GOOD = {
    "article": f"# Storm\n\n## Before\n\n{BODY}.\n\n## After\n\n{' '.join(reversed(WORDS))}.",
    "story": f"{BODY}.\n\n{' '.join(reversed(WORDS))}.", "ad": "Warm coats for cold quays\nOur coats keep the storm out, all winter long.\nAsk in the shop!",
    "script": "ANN: Where is the boat?\nBEN: It went down at noon.\nANN: And the men?\nBEN: All home, wet and laughing.",
    "post": "Storm over the harbour, all boats home. #sea #home",
    "poem": "The storm came in\nthe boats came home\nthe lamps were lit\nabove the foam"}


def codes(job: Writing, text: str) -> list[str]:
    return [f.code for f in job.check("a storm", text).findings]


@pytest.mark.parametrize("style", GOOD)
def test_each_style_passes_and_fails_by_its_form(style: str) -> None:
    job = Writing(style=style, least=3)  # type: ignore[arg-type]
    assert codes(job, GOOD[style]) == []
    other = {"article": "poem", "story": "article", "ad": "post", "script": "story", "post": "ad", "poem": "post"}[style]
    assert "FORM" in codes(job, GOOD[other]), other


@pytest.mark.parametrize(("job", "text", "found"), [
    (Writing(style="poem", most=5), GOOD["poem"], ["LENGTH"]), (Writing(style="poem", lines=5), GOOD["poem"], ["LINES"]),
    (Writing(style="poem", language="zh"), GOOD["poem"], ["LANGUAGE"]),
    (Writing(style="article", least=9, sections=("Before", "After")), GOOD["article"], []),
    (Writing(style="article", least=9, sections=("After", "Before")), GOOD["article"], ["SECTIONS"]),
    (Writing(style="poem", required=("foam", "gulls")), GOOD["poem"], ["REQUIRED"]), (Writing(style="poem", forbidden=("Storm",)), GOOD["poem"], ["FORBIDDEN"]),
    (Writing(style="poem", forbidden=("tor", "am")), GOOD["poem"], []), (Writing(style="poem"), "la la la la la\n" * 6, ["REPEATED", "REPEATED"]),
    (Writing(style="story", least=9, known=("x " + " ".join(WORDS[3:20]) + " y",)), GOOD["story"], ["COPIED"]),
    (Writing(style="story", least=9, known=("x " + " ".join(WORDS[3:15]) + " y",)), GOOD["story"], []),
    (Writing(style="poem", least=28, most=28, lines=4, language="zh"), "风雨满江天，\n渔舟尽泊边。\n灯明人未睡，\n听浪说当年。", ["LENGTH"]),
    (Writing(style="poem", least=20, most=20, lines=4, language="zh"), "风雨满江天，\n渔舟尽泊边。\n灯明人未睡，\n听浪说当年。", [])])
def test_what_is_asked_for_is_measured(job: Writing, text: str, found: list[str]) -> None:
    assert codes(job, text) == found and all(str(x) in job.turns("a storm")[0].text for x in (*job.required, *job.forbidden, *job.sections, *job.bounds))


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_longest_run_is_that_of_brute_force(own: list[str], other: list[str]) -> None:
    runs = [own[i:j] for i in range(len(own)) for j in range(i + 1, len(own) + 1)]
    shared = [r for r in runs if any(other[k:k + len(r)] == r for k in range(len(other)))]
    found = longest_run(" ".join(own), [" ".join(other)])
    assert len(found) == max(map(len, shared), default=0) and (list(found) in shared or not found)
    fours = [tuple(own[i:i + 4]) for i in range(len(own) - 3)]
    assert repeated(" ".join(own)) == (sum(f in fours[:i] for i, f in enumerate(fours)) / len(fours) if fours else 0)


CAVE = {"start": "gate", "scenes": {
    "gate": {"outline": "A gate in the rock; a lamp hangs beside it.", "choices": [
        {"says": "take the lamp", "to": "hall", "gives": ["lamp"]}, {"says": "go in", "to": "hall"}]},
    "hall": {"outline": "A hall with two doors.", "choices": [
        {"says": "left", "to": "vault", "needs": ["lamp"]}, {"says": "right", "to": "pit", "lacks": ["lamp"]}, {"says": "back", "to": "gate"}]},
    "vault": {"outline": "Gold shines under your lamp.", "ending": True}, "pit": {"outline": "You fall.", "ending": True}}}
TEXTS = {"gate": "A lamp hangs here.", "hall": "You stand in a hall.", "vault": "Your lamp shows gold.", "pit": "You fall in the dark."}


def test_a_story_is_written_and_played() -> None:
    done = ilk.task("branching", story_of(CAVE), Scripted([json.dumps(TEXTS | {"hall": "Your lamp lights the hall."}), json.dumps(TEXTS)]))
    assert done.passed and [f.told for f in done.attempts[0].findings] == ["hall: the text names 'lamp', which one may not have; the way there: go in"]
    assert done.value.play() == ("A lamp hangs here.", frozenset(), ("take the lamp", "go in"))
    assert done.value.play("take the lamp") == ("You stand in a hall.", {"lamp"}, ("left", "back")) and done.value.play("go in", "right")[2] == ()
    with pytest.raises(UsageError, match="can't be chosen"):
        done.value.play("go in", "left")
    assert ilk.task("branching", story_of(CAVE), None).passed


@pytest.mark.parametrize(("texts", "code"), [({k: v for k, v in TEXTS.items() if k != "pit"}, "SCENE"), (TEXTS | {"sky": "Blue."}, "SCENE"), (TEXTS | {"pit": " "}, "SCENE"),
                                             (TEXTS | {"pit": "The LAMPS go out."}, "THING"), (TEXTS | {"hall": "word " * 121}, "LENGTH")])
def test_a_fault_of_texts_is_named(texts: dict[str, str], code: str) -> None:
    assert [f.code for f in Branching().check(story_of(CAVE), json.dumps(texts)).findings] == [code]


def changed(scene: str, **what: object) -> Story:
    return story_of({**CAVE, "scenes": {**CAVE["scenes"], scene: {**CAVE["scenes"][scene], **what}}})  # type: ignore[dict-item,index]


@pytest.mark.parametrize(("story", "code"), [
    (changed("pit", ending=False), "DEAD_END"), (changed("vault", choices=[{"says": "x", "to": "gate"}]), "ENDING"),
    (changed("hall", choices=[{"says": "right", "to": "pit"}]), "UNREACHED"),
    (changed("hall", choices=[*CAVE["scenes"]["hall"]["choices"], {"says": "x", "to": "pit", "needs": ["rope"]}]), "NEVER"),  # type: ignore[index]
    (changed("pit", ending=False, choices=[{"says": "climb", "to": "pit"}]), "NO_END")])
def test_a_story_that_does_not_hold_together_is_refused_before_anything_is_asked(story: Story, code: str) -> None:
    assert code in [f.code for f in faults(story, explored(story))]
    model = Scripted([json.dumps(TEXTS)])
    with pytest.raises(DataError, match="does not hold together"):
        ilk.task("branching", story, model)
    assert model.asked == []


@pytest.mark.parametrize("found", [[], {}, {"start": "a", "scenes": {}}, {"start": "a", "scenes": {"a": {}}}, {"start": "a", "scenes": {"a": {"outline": "x",
    "choices": [{"says": "x"}]}}},
                                   {"start": "a", "scenes": {"a": {"outline": "x", "choices": [{"says": "x", "to": "b"}]}}},
                                   {"start": "a", "scenes": {"a": {"outline": "x", "choices": [{"says": "x", "to": "a", "neds": ["k"]}]}}}])
def test_what_is_no_story_is_refused(found: object, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(found))
    with pytest.raises(DataError):
        Branching().read(str(tmp_path / "s.json"))


THINGS, NAMES = st.frozensets(st.sampled_from(["k", "l"])), st.sampled_from("abcd")
CHOICES = st.builds(Choice, st.text("xyz", min_size=1, max_size=3), NAMES, THINGS, THINGS, THINGS, THINGS)
STORIES = st.fixed_dictionaries({n: st.builds(Scene, st.just("o"), st.lists(CHOICES, max_size=3).map(tuple), st.booleans()) for n in "abcd"}).map(lambda s: Story("a", s))


@settings(deadline=None, max_examples=150)
@given(STORIES)
def test_exploring_a_story_equals_brute_force(story: Story) -> None:
    """States grow until nothing is added; then every fault is looked up by its definition."""
    states = {("a", frozenset[str]())}
    for _ in range(4 * 4):
        states |= {(c.to, (t - c.takes) | c.gives) for n, t in states for c in story.scenes[n].choices if c.needs <= t and not (c.lacks & t)}
    found = explored(story)
    assert set(found.ways) == states
    ends = {s for s in states if story.scenes[s[0]].ending}
    for _ in range(4 * 4):
        ends |= {s for s in states if any(o in ends for o in found.leads[s])}
    wanted = {"DEAD_END": any(not found.leads[s] and not story.scenes[s[0]].ending for s in states), "UNREACHED": any(n not in {s[0] for s in states} for n in "abcd"),
              "NEVER": any(n == s and not any(m == n and c.open(t) for m, t in states) for s, _ in states for n in "abcd" for c in story.scenes[n].choices),
              "NO_END": any(s not in ends and found.leads[s] for s in states), "ENDING": any(s.ending and s.choices for s in story.scenes.values())}
    assert {f.code for f in faults(story, found)} == {code for code, there in wanted.items() if there}
    for (name, things), chosen in found.ways.items():
        walked = {("a", frozenset[str]())}
        for says in chosen:
            walked = {(c.to, c.after(t)) for n, t in walked for c in story.scenes[n].choices if c.says == says and c.open(t)}
        assert (name, things) in walked
