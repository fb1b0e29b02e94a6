"""What a race makes of results: ranks, bounds against what is known, cheats, the front, and how a finalist is tuned."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ilk
from ilk import recipe
from ilk.errors import UsageError
from ilk.verbs._entrants import Entrant
from ilk.verbs._heat import Result, Spec
from ilk.verbs._standings import Row, Scale, copying, front, likeliest, ranked, recommended, row, surely
from ilk.verbs._tuning import Tuning
from ilk.verbs.score import Score


def told(name: str, nats: float = 0.0, kind: str = "family", sort: str = "exact", quality: float | None = None, **other: Any) -> Result:
    figures: dict[str, dict[str, tuple[float, float | None]]] = {} if quality is None else {s: {"c2st": (1 - quality / 2, 0.01)} for s in ("valid", "test")}
    return Result(name, name, kind, 0, sort=sort, nats={"valid": nats, "test": nats}, error={"valid": 0.1, "test": 0.1}, figures=figures,
                  **{"recipe": {"name": name}, "seconds": 1.0, **other})


FLOOR, REAL = told("floor", kind="floor", quality=0.0), told("real", kind="real", quality=1.0)
SCALE = Scale.of([FLOOR, REAL])


def stands(result: Result, noise: int = 1) -> Row:
    each = result.nats["test"] + torch.randn(400, generator=torch.Generator().manual_seed(noise), dtype=torch.float64)
    return row([result], result, SCALE, {"valid": each, "test": each})


def test_bounds_never_lose_to_what_is_known_and_win_only_over_it() -> None:
    known, low, high = stands(told("a", -1.0)), stands(told("b", -3.0, sort="bound")), stands(told("c", 2.0, sort="bound"))
    assert not surely(known, low) and surely(high, known) and surely(high, low) and not surely(low, known)
    assert [r.name for _, r in ranked([low, high, known], "likelihood")] == ["a", "c", "b"]
    assert likeliest([low, high, known]) is known


def test_differences_are_taken_item_by_item() -> None:
    one, other = stands(told("a", -1.0), 3), stands(told("b", -1.02), 3)
    assert surely(one, other), "the same noise in both: a small difference is sure"
    assert not surely(one, stands(told("c", -1.02), 4)), "other noise: it is not"


def test_among_those_that_cant_be_told_apart_the_smallest_is_taken() -> None:
    small, large = stands(told("small", -1.0, numbers=10), 3), stands(told("large", -0.95, numbers=1000), 4)
    assert recommended([small, large], "likelihood")[0] is small


def test_quality_stands_between_the_floor_and_real_items() -> None:
    assert stands(told("a", quality=0.5)).quality == pytest.approx(0.5)
    assert stands(told("b", quality=3.0)).quality == 1.0, "beyond real items nothing counts"
    best, why, others = recommended([stands(told("a", -1, quality=0.9)), stands(told("b", -9, quality=0.895)), stands(told("c", 5, quality=0.2))], "quality")
    assert best is not None and best.name == "a" and why == "tied" and others == ["b"]


def test_a_figure_that_does_not_tell_the_floor_from_real_items_is_left_out() -> None:
    sides = [replace(r, figures={"test": {**r.figures["test"], "dull": (0.9 + shift, 0.05)}}) for r, shift in ((FLOOR, 0.0), (REAL, 0.01))]
    assert set(Scale.of(sides).places(sides[0], "test")) == {"c2st"}


def test_the_same_seed_twice_is_one_seed() -> None:
    first = told("a", -1.0)
    assert row([first, replace(first, key="a-trial1"), replace(first, key="a-seed1", seed=1)], first, SCALE, {}).seeds == 2


def test_copies_are_out() -> None:
    share = {"equal_to_train": (0.5, 0.02), "real_equal_to_train": (0.01, 0.01)}
    cheat = told("x", quality=0.9)
    cheat = replace(cheat, figures={**cheat.figures, "test": {**cheat.figures["test"], **share}})
    assert copying(cheat) and not stands(cheat).runs and recommended([stands(cheat)], "quality")[0] is None
    near = replace(cheat, figures={"test": {"dcr_share": (0.9, 0.02)}})
    assert "dcr_share" in copying(near)[0] and not copying(replace(near, figures={"test": {"dcr_share": (0.55, 0.03)}}))


def test_nobody_on_the_front_is_beaten_in_both() -> None:
    rows = [stands(told(n, nats, seconds=s)) for n, nats, s in (("quick", -3.0, 1.0), ("slow", -1.0, 9.0), ("worse", -4.0, 2.0))]
    assert {r.name for r in front(rows, "likelihood")} == {"quick", "slow"}


def test_a_finalist_asks_for_trials_then_for_seeds(tmp_path: Path) -> None:
    entrant = Entrant("ngram", "family", recipe.facts("families", ilk.NGram()))
    first = replace(told("ngram", -5.0), recipe=entrant.recipe)
    spec = Spec(str(tmp_path), "ngram", "ngram", "family", entrant.recipe, 0, 1.0, None, 50)

    def tuning() -> Tuning:
        return Tuning(entrant, first, spec, 3, 2, lambda r: r.nats.get("valid"))

    def play() -> list[tuple[str, Mapping[str, Any] | None, int]]:
        one, found, said = tuning(), list[Result](), list[tuple[str, Mapping[str, Any] | None, int]]()
        while (asked := one.then(found)) is not None:
            said.append((asked.key, asked.recipe, asked.seed))
            order = int((asked.recipe or {})["options"]["order"])
            found.append(replace(told("ngram", -abs(order - 4.0)), key=asked.key, recipe=asked.recipe))
        return said

    said = play()
    assert [key for key, _, _ in said] == ["ngram-trial1", "ngram-trial2", "ngram-trial3", "ngram-seed1"] and said[-1][2] == 1
    assert play() == said, "the same results ask for the same options"
    orders = [abs(int((r or {})["options"]["order"]) - 4) for _, r, _ in said]
    assert orders[-1] == min(orders[:-1]), "the best options run again"


def test_a_trial_that_is_behind_is_ended(tmp_path: Path) -> None:
    entrant = Entrant("made", "family", recipe.facts("families", ilk.MADE()))
    curve = [(0.1 * i, 10.0 - i) for i in range(1, 10)]
    first = replace(told("made", -1.0), recipe=entrant.recipe, curve=curve)
    one = Tuning(entrant, first, Spec(str(tmp_path), "made", "made", "family", entrant.recipe, 0, 1.0, None, 50), 3, 1, lambda r: r.nats.get("valid"))
    found: list[Result] = []
    for i in (1, 2):
        asked = one.then(found)
        assert asked is not None
        if i == 1:
            assert not one.watch(0.5, 99.0), "too few to compare with"
        found.append(replace(told("made", -1.0), key=asked.key, recipe=asked.recipe, curve=curve))
    assert one.then(found) is not None and not one.watch(0.05, 99.0) and one.watch(0.5, 99.0)


def test_likelihoods_of_unlike_sorts_or_measures_are_not_compared() -> None:
    one = Score(torch.tensor([1.0, 2.0]), "exact", "counting measure", per={"dimension": -2.0})
    assert one.minus(Score(torch.tensor([0.0, 1.5]), "estimate", "counting measure")) == (pytest.approx(0.75), pytest.approx(0.25))
    for other in (Score(torch.tensor([1.0]), "exact", "counting measure"), Score(one.nats, "bound", "counting measure"), Score(one.nats, "exact", "Lebesgue measure")):
        with pytest.raises(UsageError, match="against"):
            one.minus(other)
    assert one.bits("dimension") == pytest.approx(2 / 0.6931471805599453) and one.perplexity("dimension") == pytest.approx(7.38905609893065)
    with pytest.raises(UsageError, match="not counted by 'character'"):
        one.bits("character")
