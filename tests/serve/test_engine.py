"""The engine: asked, batched, cancelled to the step, put away and brought back."""
from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.serve._models import fitted, pieces, running

import ilk
from ilk.errors import UsageError
from ilk.serve.engine.pool import Pool
from ilk.serve.limits import Limits
from ilk.serve.work import Ask, Missing

LONG = {"text": "the cat", "want": {"most": 800, "seed": 1}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield fitted(tmp_path_factory.mktemp("served"))


def test_the_same_seeds_give_the_same_items_alone_and_together(place: Path) -> None:
    async def work(engine: Pool) -> Any:
        assert {s.name: s.state for s in engine.served()} == {"points": "cold", "words": "cold", "echo": "cold"}
        await engine.load("points")
        found = await asyncio.gather(*(pieces(engine, "points", "sample", {"n": 2, "seed": i}) for i in range(12)))
        with pytest.raises(Missing):
            await pieces(engine, "none", "sample", {})
        with pytest.raises(UsageError) as why:
            await pieces(engine, "points", "sample", {"n": -1})
        assert why.value.param == "n"
        with pytest.raises(UsageError):
            await pieces(engine, "points", "no such thing", {})
        assert (await pieces(engine, "echo", "chat", {"turns": [{"role": "user", "parts": [{"words": "Hi"}]}]}))[-1]["end"]["why"] == "stop"
        return found

    found = running(place, work, places={"echo": "echo:"})
    model = ilk.load(place / "models" / "points.ilk")
    for i, (piece,) in enumerate(found):
        assert [item["values"] for item in piece["items"]] == model.sample(2, seed=i).tolist()
    assert max(piece["together"] for piece, in found) > 1


def test_what_is_wrong_with_one_request_is_told_it_alone(place: Path) -> None:
    """Whoever asks alike at the same time gets items, and the lane goes on."""
    async def work(engine: Pool) -> Any:
        await engine.load("words")
        asked = [{"n": -1 if i % 3 else 20, "seed": i} for i in range(9)]
        found = await asyncio.gather(*(pieces(engine, "words", "sample", body) for body in asked), return_exceptions=True)
        return [*found, await pieces(engine, "words", "sample", {"n": 1})]

    found = running(place, work)
    assert [isinstance(one, UsageError) for one in found] == [bool(i % 3) for i in range(9)] + [False]


def test_work_ends_at_the_next_step_when_nobody_wants_more(place: Path) -> None:
    async def work(engine: Pool) -> None:
        async with aclosing(engine.ask("words", Ask("continue_", LONG))) as stream:  # type: ignore[type-var]
            async for _ in stream:
                break
        process = engine._kept["words"].process
        began = monotonic()
        (short,) = [p for p in await pieces(engine, "words", "continue_", {"text": "the", "want": {"most": 1}}) if "end" in p]
        assert short["end"]["made"] == 1 and monotonic() - began < 2 and engine._kept["words"].process is process and not process._waiting  # type: ignore[union-attr]

    running(place, work)


@pytest.mark.slow
def test_a_slow_reader_stops_the_maker_not_the_memory(place: Path) -> None:
    async def work(engine: Pool) -> tuple[int, int]:
        async with aclosing(engine.ask("words", Ask("continue_", LONG))) as stream:  # type: ignore[type-var]
            await anext(stream)
            await asyncio.sleep(1)
            (queue,) = engine._kept["words"].process._waiting.values()  # type: ignore[union-attr]
            ahead = queue.qsize()
            rest = [piece async for piece in stream]
        return ahead, len(rest)

    ahead, rest = running(place, work)
    assert ahead <= 32 < rest


@pytest.mark.slow
def test_what_nobody_asks_is_put_away_and_comes_back(place: Path) -> None:
    async def work(engine: Pool) -> None:
        await engine.load("points")
        async with aclosing(engine.ask("words", Ask("continue_", LONG))) as stream:  # type: ignore[type-var]
            await anext(stream)
            await asyncio.sleep(2.5)
            assert {s.name: s.state for s in engine.served()} == {"points": "cold", "words": "ready"}, "one that is in use stays"
        assert len(await pieces(engine, "points", "sample", {"n": 1})) == 1

    running(place, work, limits=Limits(idle_seconds=1))


@pytest.mark.slow
def test_models_of_the_workspace_come_and_go(place: Path, tmp_path: Path) -> None:
    async def work(engine: Pool) -> None:
        assert not engine.served()
        shutil.copytree(place / "models" / "points.ilk", tmp_path / "models" / "new.ilk")
        (piece,) = await pieces(engine, "new", "about", {})
        assert piece["kind"] == "array" and "sample" in piece["can"] and piece["score"] == "exact"
        assert [s.state for s in engine.served()] == ["ready"]
        shutil.rmtree(tmp_path / "models" / "new.ilk")
        assert not engine.served()
        with pytest.raises(Missing):
            await pieces(engine, "new", "sample", {"n": 1})

    running(tmp_path, work)


@pytest.mark.slow
def test_steps_end_in_what_is_sampled(place: Path) -> None:
    async def work(engine: Pool) -> Any:
        return await pieces(engine, "words", "steps", {"n": 2, "seed": 3}), await pieces(engine, "words", "sample", {"n": 2, "seed": 3})

    steps, (sample,) = running(place, work)
    assert steps[-1]["items"] == sample["items"] and 5 < len(steps) <= 24 and [s["step"] for s in steps] == sorted(s["step"] for s in steps)


@pytest.mark.slow
def test_the_one_used_least_recently_makes_room_and_never_one_in_use(place: Path) -> None:
    async def work(engine: Pool) -> None:
        await engine.load("words")
        await engine.load("points")
        taken = sum(k.process.taken for k in engine._kept.values() if k.process)
        engine._memory = int(0.75 * taken)
        async with aclosing(engine.ask("words", Ask("continue_", LONG))) as stream:  # type: ignore[type-var]
            await anext(stream)
            await engine._make_room()
            assert {s.name: s.state for s in engine.served()} == {"points": "cold", "words": "ready"}

    running(place, work)
