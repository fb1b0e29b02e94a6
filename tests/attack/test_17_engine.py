"""Case 17, the engine's part: a process that works is killed in the middle of a stream, while it loads, or because it takes too much; nobody else is harmed."""
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.serve._models import fitted, pieces, running

from ilk.errors import IlkError, ResourceError
from ilk.serve.engine.pool import Pool
from ilk.serve.work import Ask, Gone

LONG = {"text": "the cat", "want": {"most": 800, "seed": 1}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield fitted(tmp_path_factory.mktemp("served"))


def test_killed_in_the_middle_of_a_stream(place: Path) -> None:
    async def work(engine: Pool) -> None:
        await engine.load("points")
        async with aclosing(engine.ask("words", Ask("continue_", LONG))) as stream:  # type: ignore[type-var]
            first = await anext(stream)
            assert "end" not in first.body
            engine._kept["words"].process.popen.kill()  # type: ignore[union-attr]
            with pytest.raises(Gone) as why:
                async for piece in stream:
                    assert "end" not in piece.body, "no end that is none"
        died = monotonic()
        assert (why.value.http, why.value.code) == (500, "WORKER_DIED")
        assert {s.name: s.state for s in engine.served()} == {"points": "ready", "words": "down"}
        assert len(await pieces(engine, "points", "sample", {"n": 1})) == 1
        while {s.name: s.state for s in engine.served()}["words"] != "ready":
            await asyncio.sleep(0.1)
        assert monotonic() - died < 5
        assert (await pieces(engine, "words", "continue_", {"text": "the c", "want": {"most": 2}}))[-1]["end"]["made"] == 2

    running(place, work)


@pytest.mark.slow
def test_killed_while_it_loads(place: Path) -> None:
    async def work(engine: Pool) -> Any:
        asked = asyncio.create_task(pieces(engine, "words", "continue_", {"text": "the c", "want": {"most": 2}}))
        await asyncio.sleep(0.3)
        kept = engine._kept["words"]
        assert kept.state == "loading"
        import psutil

        for child in psutil.Process().children():
            child.kill()
        return (await asked)[-1]["end"]["made"]

    assert running(place, work) == 2


@pytest.mark.slow
def test_what_takes_more_memory_than_it_may_dies_alone(place: Path) -> None:
    async def work(engine: Pool) -> None:
        await engine.load("points")
        engine._memory = 1 << 20
        with pytest.raises(Gone):
            while True:
                async with aclosing(engine.ask("points", Ask("sample", {"n": 50_000}))) as stream:  # type: ignore[type-var]
                    assert [piece async for piece in stream]
        engine._memory = None
        assert len(await pieces(engine, "words", "sample", {"n": 1})) == 1
        assert len(await pieces(engine, "points", "sample", {"n": 1})) == 1

    running(place, work)


def test_a_model_that_is_damaged_is_refused_by_its_name_alone(place: Path, tmp_path: Path) -> None:
    at = tmp_path / "models" / "broken.ilk"
    at.mkdir(parents=True)
    (at / "ilk.json").write_text('{"ilk": 1}')

    async def work(engine: Pool) -> None:
        for _ in range(2):
            with pytest.raises(IlkError) as why:
                await pieces(engine, "broken", "sample", {"n": 1})
            assert why.value.http == 400 and str(tmp_path) not in str(why.value)
        assert [s.state for s in engine.served()] == ["cold"]

    running(tmp_path, work)


@pytest.mark.slow
def test_a_request_for_more_memory_than_there_is_is_refused(place: Path) -> None:
    async def work(engine: Pool) -> None:
        with pytest.raises((ResourceError, IlkError)) as why:
            await pieces(engine, "points", "sample", {"n": 10**12})
        assert why.value.code in ("MEMORY", "OPTION")
        assert len(await pieces(engine, "points", "sample", {"n": 1})) == 1

    running(place, work, memory=1 << 30)


@pytest.mark.slow
def test_a_storm_of_requests_that_leave(place: Path) -> None:
    """L2 at a tenth: 60 long answers whose clients leave, then a short one; nothing is left at work."""
    async def work(engine: Pool) -> None:
        async def leaves() -> None:
            await asyncio.wait_for(pieces(engine, "words", "continue_", {"text": "the cat", "want": {"most": 850}}), 0.2)

        await engine.load("words")
        left = await asyncio.gather(*(leaves() for _ in range(60)), return_exceptions=True)
        assert sum(isinstance(why, TimeoutError) for why in left) > 30
        began = monotonic()
        assert (await pieces(engine, "words", "continue_", {"text": "the", "want": {"most": 10}}))[-1]["end"]["made"] == 10
        assert monotonic() - began < 5
        assert not engine._kept["words"].process._waiting and not engine._kept["words"].uses  # type: ignore[union-attr]

    running(place, work)
