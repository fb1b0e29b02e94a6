"""Frames: what goes in comes out, from bytes, files and streams; what is no frame is refused, and nothing is waited for."""
from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.errors import DataError, IlkError, UsageError
from ilk.serve.engine.faults import raised, told
from ilk.serve.engine.frames import BadFrame, Frame, packed, read, received, unpacked

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
HEADS = st.dictionaries(st.text(max_size=8), st.recursive(ATOMS, lambda x: st.lists(x, max_size=3), max_leaves=5), max_size=4)
FRAMES = st.builds(Frame, HEADS, st.lists(st.binary(max_size=50), max_size=4).map(tuple))


async def _streamed(data: bytes) -> list[Any]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (frame := await received(reader)) is not None:
        found.append(frame)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAMES, max_size=3))
def test_frames_survive(frames: list[Frame]) -> None:
    data = b"".join(map(packed, frames))
    file = BytesIO(data)
    assert [read(file) for _ in frames] == frames and read(file) is None
    assert asyncio.run(_streamed(data)) == frames
    assert [unpacked(packed(frame)) for frame in frames] == frames


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.data())
def test_what_broke_off_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    cut = packed(frame)[:data.draw(st.integers(1, len(packed(frame)) - 1))]
    for way in (lambda: read(BytesIO(cut)), lambda: unpacked(cut), lambda: asyncio.run(_streamed(cut))):
        with pytest.raises(BadFrame):
            way()


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=12, max_size=80).filter(lambda b: not b.startswith(b"ilk\x01")) | st.binary(max_size=40).map(lambda b: b"ilk\x01" + b))
def test_any_bytes_are_a_frame_or_none(data: bytes) -> None:
    try:
        assert packed(unpacked(data))
    except BadFrame:
        with pytest.raises(BadFrame):
            assert read(BytesIO(data)) is not None
            raise BadFrame("a frame, and something after it") from None


def test_errors_go_over_as_what_they_were() -> None:
    for why in (UsageError("no", code="X", remedy="yes", param="p"), DataError("bad")):
        found = raised(told(why))
        assert type(found) is type(why) and str(found) == str(why) and (found.code, found.param) == (why.code, why.param)


def test_of_a_fault_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = raised(told(ValueError("secret at 0xdeadbeef")))
    assert type(found) is IlkError and found.code == "INTERNAL" and "secret" not in str(found) and "secret" in capsys.readouterr().err
    assert raised(told(MemoryError())).code == "MEMORY"
