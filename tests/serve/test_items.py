"""Raw items as JSON and back: of every kind of data what was made is taken as it was, and what can't be one is refused by name."""
from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image as pil
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ilk
from ilk.errors import IlkError, UsageError
from ilk.modalities.array import Array
from ilk.modalities.image import Image
from ilk.modalities.text import Text
from ilk.modality import Limits
from ilk.serve.ops._items import packed, taken, told, unpacked

FRAME = pl.DataFrame({"age": [20, 35, None, 50] * 5, "city": ["Lyon", "Rome", "Lyon", None] * 5, "wage": [1.25, 2.5, 3.75, 8.125] * 5, "new": [True, False, None, True] * 5,
                      "day": ["2024-01-01", "2024-02-03", "2024-03-05", "2024-04-08"] * 5, "at": [datetime(2024, 1, 1, h) for h in (1, 2, 3, 4)] * 5})
PICTURES = np.arange(3 * 8 * 9 * 3, dtype=np.uint8).reshape(3, 8, 9, 3)
EVERY = {"table": FRAME, "text": ["a", "é\u2028", ""], "image": PICTURES, "grey": PICTURES[..., :1], "array": np.linspace(-1, 1, 12).reshape(2, 2, 3), "counts": np.arange(6).reshape(3, 2)}


def _read(items: Any) -> Any:
    return ilk.read(items)


@pytest.mark.parametrize("name", EVERY)
def test_what_is_told_is_taken_as_it_was(name: str) -> None:
    data = _read(EVERY[name])
    said, blobs = told(data.modality, data.items)
    whole, again = unpacked(json.loads(json.dumps(packed(said, blobs), allow_nan=False)))
    back = taken(data.modality, whole, again)
    if isinstance(back, pl.DataFrame):
        assert back.select(pl.all().exclude("at")).equals(data.items.select(pl.all().exclude("at"))) and back["at"].to_list() == data.items["at"].to_list()
    else:
        assert type(back) is type(data.items) and np.array_equal(back, data.items)


def test_pictures_of_other_sizes_are_fitted_as_files_are() -> None:
    file = BytesIO()
    pil.new("RGB", (40, 20), "white").save(file, "JPEG")
    grey = Image().read(PICTURES[..., :1], Limits()).modality
    assert taken(grey, [{"blob": 0}], [file.getvalue()]).shape == (1, 8, 9, 1)
    with pytest.raises(UsageError) as why:
        taken(grey, [{"blob": 0}], [file.getvalue()], pixels=799)
    assert why.value.code == "decompression_bomb"


@pytest.mark.parametrize(("name", "items"), [
    ("table", [{"age": 1}]), ("table", [{**dict.fromkeys(FRAME.columns), "more": 1}]), ("table", [{**dict.fromkeys(FRAME.columns), "age": "x"}]),
    ("table", [{**dict.fromkeys(FRAME.columns), "age": True}]), ("table", [{**dict.fromkeys(FRAME.columns), "age": 2**70}]),
    ("table", [{**dict.fromkeys(FRAME.columns), "at": "noon"}]), ("table", ["row"]), ("table", []), ("table", {"age": 1}), ("table", None),
    ("text", [1]), ("text", ["\ud800"]), ("text", [None]), ("text", "text"), ("text", ["a"] * 5),
    ("image", [{"blob": 1}]), ("image", [{"blob": 0}]), ("image", [{"blob": True}]), ("image", ["x"]), ("image", [{"blob": -1}]),
    ("array", [{"shape": [2, 3], "values": [1.0] * 5}]), ("array", [{"shape": [3, 2], "values": [1.0] * 6}]), ("array", [{"shape": [2, 3], "values": [float("nan")] * 6}]),
    ("array", [[1.0] * 6]), ("counts", [{"shape": [2], "values": [0.5, 1]}]), ("counts", [{"shape": [2], "values": [1e30, 1]}]), ("array", [{"shape": [2, 3], "values": [10**400] * 6}])])
def test_what_is_no_item_is_refused(name: str, items: Any) -> None:
    with pytest.raises(UsageError) as why:
        taken(_read(EVERY[name]).modality, items, [b"no picture"], most=4)
    assert why.value.param


@pytest.mark.parametrize("items", [None, [{"b64": 3}], [{"b64": "*"}], [{"blob": 0}], [{"b64": "data:image/png;base64,é"}]])
def test_what_is_no_base64_is_refused(items: Any) -> None:
    with pytest.raises(UsageError):
        unpacked(items)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
                    max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_anything_is_taken_or_refused(items: Any) -> None:
    for name, modality in {"table": _read(FRAME).modality, "text": Text(), "image": Image(shape=(8, 8, 1)), "array": Array(shape=(2,))}.items():
        for asked in (items, [items]):
            try:
                found = taken(modality, asked)
            except IlkError:
                continue
            assert name in ("table", "text", "image", "array") and len(found) == len(asked)
