"""Spaces and batches: what they hold, their JSON, items by index; lifts there and back."""
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.batch import Batch, Memory, ragged, stack
from ilk.distribution import describe
from ilk.given import Fix, Presence, Weigh
from ilk.lift import LIFTS, Same, ToReals, ToRecord, lift_named
from ilk.rng import Rng
from ilk.space import Discrete, Many, Maybe, Reals, Row, Space, from_json, to_json
from ilk.testing._same import differ, same
from ilk.testing._spaces import planted

torch.set_num_threads(1)
ATOMS: Any = st.builds(Reals, st.lists(st.integers(1, 3), max_size=2).map(tuple)) | st.integers(1, 5).map(Discrete) | \
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(lambda s: Discrete(tuple(s), (len(s),)))
TREES: Any = st.recursive(ATOMS, lambda inside: st.dictionaries(st.sampled_from(["a", "城市", "z", "b c"]), inside, min_size=1, max_size=3).map(Row)
                          | st.builds(Many, inside, st.integers(0, 4), st.booleans()), max_leaves=5)
SPACES: Any = TREES | ATOMS.map(Maybe) | st.dictionaries(st.sampled_from("abc"), ATOMS | ATOMS.map(Maybe), min_size=1, max_size=3).map(Row)
ROWS: Any = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4).map(Discrete) | st.integers(1,
    4).map(Discrete).map(Maybe) | st.just(Reals()) | st.just(Maybe(Reals((2,)))),
                            min_size=1, max_size=4).map(Row)


def made(space: Space, n: int = 7) -> Batch:
    return planted(space, n, Rng(1))


@settings(max_examples=100, deadline=None)
@given(SPACES)
def test_json_round_trip_keeps_the_order_of_parts(space: Space) -> None:
    again = from_json(json.loads(json.dumps(to_json(space))))
    assert again == space and to_json(again) == to_json(space) and describe(space)
    if isinstance(space, Row) and isinstance(again, Row):
        assert list(again.parts) == list(space.parts)


@settings(max_examples=100, deadline=None)
@given(SPACES, st.lists(st.integers(0, 6), max_size=9))
def test_a_space_holds_its_items_however_they_are_taken(space: Space, index: list[int]) -> None:
    batch = made(space)
    rows = torch.tensor(index, dtype=torch.long)
    assert space.holds(batch) and len(batch) == 7
    taken = batch.take(rows)
    assert space.holds(taken) and len(taken) == len(index)
    assert same(batch.take(rows), stack([batch.cut(i, i + 1) for i in index])) if index else True
    mask = torch.tensor([i in index for i in range(7)])
    assert same(batch.take(mask), batch.take(torch.tensor(sorted(set(index)), dtype=torch.long)))
    assert same(batch.to("cpu"), batch) and batch.bytes() >= 0
    assert not bool(differ(batch, batch).any())


def _wrong() -> list[tuple[Space, Batch]]:
    numbers = Batch(torch.tensor([1.0, 2.0]))
    return [
        (Reals(), Batch(torch.tensor([1, 2]))), (Reals(), Batch(torch.tensor([float("nan"), 1.0]))), (Reals(), Batch(torch.tensor([float("inf")]))), (Reals((2,)), numbers),
        (Discrete(2), numbers), (Discrete(2), Batch(torch.tensor([0, 2]))), (Discrete(2), Batch(torch.tensor([-1, 0]))), (Discrete(2), Batch(torch.tensor([0, 1],
        dtype=torch.int32))),
        (Discrete((2, 3), (2,)), Batch(torch.tensor([[2, 0]]))), (Discrete((2, 3), (2,)), Batch(torch.tensor([0, 1]))),
        (Row({"a": Reals()}), numbers), (Row({"a": Reals()}), Batch({"b": numbers})), (Row({"a": Reals(), "b": Reals()}), Batch({"a": numbers})),
        (Row({"a": Reals(), "b": Reals()}), Batch({"a": numbers, "b": Batch(torch.zeros(3))})),
        (Maybe(Reals()), numbers), (Maybe(Reals()), Batch(torch.tensor([1.0]), torch.tensor([1]))), (Maybe(Discrete(2)), Batch(torch.tensor([5]), torch.tensor([True]))),
        (Many(Reals(), 3), numbers), (Many(Reals(), 1), Batch(numbers, length=torch.tensor([2]))), (Many(Discrete(2), 3), Batch(numbers, length=torch.tensor([2])))]


@pytest.mark.parametrize(("space", "batch"), _wrong())
def test_what_a_space_does_not_hold(space: Space, batch: Batch) -> None:
    assert not space.holds(batch)


def test_what_is_missing_means_nothing() -> None:
    hole = Batch(torch.tensor([1.0, float("nan")]), torch.tensor([True, False]))
    assert Maybe(Reals()).holds(hole) and Maybe(Discrete(2)).holds(Batch(torch.tensor([1, 99]), torch.tensor([True, False])))


@pytest.mark.parametrize("make", [lambda: Discrete((2, 3), (3,)), lambda: Discrete(0), lambda: Discrete((1, 0), (2,)), lambda: Row({}), lambda: Maybe(Maybe(Reals()))])
def test_spaces_that_cannot_be(make: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()


@pytest.mark.parametrize("facts", [{}, {"space": "Eval"}, {"space": "Reals", "shape": [1], "more": 1}, {"space": "Row", "parts": [["a"]]}, {"space": "Maybe"},
    {"space": "Row", "parts": []}])
def test_json_that_is_no_space(facts: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(facts)


def test_ragged_and_padded_are_each_other() -> None:
    padded, length = torch.tensor([[1, 2, 0], [0, 0, 0], [2, 2, 2]]), torch.tensor([2, 0, 3])
    batch = ragged(padded, length)
    assert batch.padded(0).tolist() == padded.tolist() and batch.take(torch.tensor([2, 1])).padded(-1).tolist() == [[2, 2, 2], [-1, -1, -1]]
    assert Batch(Batch(torch.zeros(0)), length=torch.zeros(0, dtype=torch.long)).padded(0).shape == (0, 0)
    with pytest.raises(ValueError, match="do not fit"):
        replace(batch, length=torch.tensor([1, 0, 1]))
    for ask in ("tensor", "parts"):
        with pytest.raises(TypeError, match="is not of"):
            getattr(batch, ask)


def test_context_and_weight_go_with_their_items() -> None:
    batch = Batch(torch.arange(4.0), context={"label": Batch(torch.tensor([3, 1, 0, 2]))}, weight=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    taken = batch.take(torch.tensor([2, 0]))
    assert taken.context["label"].tensor.tolist() == [0, 3] and taken.weight is not None and taken.weight.tolist() == [3, 1]
    both = stack([taken, batch])
    assert len(both) == 6 and both.context["label"].tensor.tolist() == [0, 3, 3, 1, 0, 2]
    source = Memory(batch)
    assert [len(c) for c in source.chunks(3)] == [3, 1] and len(source.take(torch.tensor([1]))) == 1 and source.resident() is batch


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(LIFTS))
def test_lifts_bring_rows_back(space: Row, kind: Any) -> None:
    if not kind.takes(space):
        return
    lift, batch = kind(space), replace(made(space, 20), weight=torch.arange(20.0), context={"label": Batch(torch.arange(20))})
    inner = lift.encode(batch, Rng(2))
    assert lift.space.holds(replace(inner, context={}, weight=None)) and torch.equal(inner.context["label"].tensor, torch.arange(20)) and inner.weight is not None
    back = lift.decode(inner)
    assert space.holds(back) and not bool(differ(batch, back).any())
    assert lift.log_volume(inner).shape == (20,) and lift.keeps == ("bijection" if kind is not ToReals or all(isinstance(s,
        Reals) for s in space.parts.values()) else "refines")
    some = torch.tensor([4, 5, 6])
    assert not bool(differ(lift.encode(batch.take(some), Rng(2).at(4)), inner.take(some)).any())
    assert type(lift_named(type(lift).__name__, space)) is kind


def test_a_record_says_what_is_known_of_its_parts() -> None:
    lift = ToRecord(Row({"a": Maybe(Discrete(2)), "b": Discrete(3)}))
    two, three = torch.tensor([0.0, -1.0]).double(), torch.tensor([0.0, -torch.inf, 0.5]).double()
    found = lift.evidence({"a": Presence(0.1, -2.0, Weigh({0: two})), "b": Weigh({0: three})})
    assert isinstance(found, Weigh) and found.tables[0].tolist() == pytest.approx([0.1, -0.9, -2.0]) and found.tables[1].tolist() == three.tolist()
    assert lift.evidence({"a": Presence(0.0, -1.0, Fix({0: 1.0}))}) is None


def test_reals_say_what_is_known_of_plain_numbers_only() -> None:
    lift = ToReals(Row({"c": Discrete(3), "x": Reals((2,)), "m": Maybe(Reals())}))
    found = lift.evidence({"x": Fix({1: 2.5})})
    assert isinstance(found, Fix) and found.values == {4: 2.5}
    assert lift.evidence({"m": Fix({0: 1.0})}) is None and lift.evidence({"c": Weigh({0: torch.zeros(3)})}) is None


def test_strangers_to_a_lift() -> None:
    assert not ToRecord.takes(Reals()) and not ToReals.takes(Many(Reals(), 3)) and Same.takes(Many(Reals(), 3)) and not ToReals.takes(Row({"a": Many(Reals(), 2)}))
    for kind in (ToRecord, ToReals):
        with pytest.raises(TypeError):
            kind(Reals())
    with pytest.raises(KeyError):
        lift_named("eval", Reals())
