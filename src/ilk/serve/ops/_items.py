"""Raw items as JSON with bytes beside them, and back.

A row of a table is an object, a text a string, a picture {"mime": "image/png", "blob": k}, an array {"shape": [...], "values": [flat numbers]}.
Over the wire a picture has its bytes in it, as "b64": `packed` and `unpacked` go from one form to the other.
"""
from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from math import isfinite, prod
from typing import Any, NoReturn

import numpy as np

from ilk import registry
from ilk.errors import UsageError
from ilk.modality import Modality

PNG, NUMBERS = "image/png", 1 << 24   # numbers of all items of a request together
_LEAST, _MOST = -(2**63), 2**63 - 1


def kind(modality: Modality[Any]) -> str:
    """table, text, image or array."""
    return registry.name_of("modalities", modality)


def told(modality: Modality[Any], items: Any) -> tuple[list[Any], list[bytes]]:
    """Raw items as JSON, and the blobs that it names."""
    return _TOLD[kind(modality)](items)


def taken(modality: Modality[Any], items: Any, blobs: Sequence[bytes] = (), most: int = 1024, pixels: int = 64_000_000) -> Any:
    """Raw items of what JSON says, as the modality holds them; UsageError (code ITEMS or TOO_LARGE) that names the item and what is wrong with it.

    Pictures come in any size and colour, as files do, and are fitted to the model's; at most `pixels` in all.
    """
    if not isinstance(items, list) or not items:
        _refuse("items", "one item at least, in a list")
    if len(items) > most:
        raise UsageError(f"{len(items)} items are more than {most}", code="TOO_LARGE", param="items", remedy="ask in several requests")
    return _taken_image(modality, items, blobs, pixels) if kind(modality) == "image" else _TAKEN[kind(modality)](modality, items)


def packed(items: Sequence[Any], blobs: Sequence[bytes]) -> list[Any]:
    """The items with their bytes in them.

    >>> packed([{"mime": "image/png", "blob": 0}], [b"abc"])
    [{'mime': 'image/png', 'b64': 'YWJj'}]
    """
    return [{**{k: v for k, v in item.items() if k != "blob"}, "b64": b64encode(blobs[item["blob"]]).decode()} if _has(item, "blob") else item for item in items]


def unpacked(items: Any) -> tuple[Any, list[bytes]]:
    """The items without their bytes, and those as blobs; UsageError for what is no base64.

    >>> unpacked(["text", {"b64": "YWJj"}])
    (['text', {'blob': 0}], [b'abc'])
    """
    found: list[Any] = []
    blobs: list[bytes] = []
    for i, item in enumerate(items if isinstance(items, list) else _refuse("items", "a list")):
        if _has(item, "b64"):
            blobs.append(bytes_of(item["b64"], f"items[{i}].b64"))
            item = {**{k: v for k, v in item.items() if k != "b64"}, "blob": len(blobs) - 1}
        elif _has(item, "blob"):
            _refuse(f"items[{i}]", 'a picture with its bytes: {"b64": "..."}')
        found.append(item)
    return found, blobs


def bytes_of(text: Any, where: str) -> bytes:
    """What base64 stands for; `data:` before it is passed over, any other address refused."""
    if not isinstance(text, str):
        _refuse(where, "base64 in a text")
    if text[:5].lower() == "data:":
        text = text.partition(",")[2]
    try:
        return b64decode(text, validate=True)
    except (NoBase64, ValueError):
        _refuse(where, "base64")


def picture(data: bytes, shape: tuple[int, int, int], where: str, pixels: int = 64_000_000) -> tuple[Any, int]:
    """A picture (h, w, c) of a file's bytes, and how many pixels the file had; UsageError with what is wrong with it."""
    from ilk.modalities._image_decode import Broken, header
    from ilk.modalities._image_decode import pixels as decoded

    try:
        head = header(BytesIO(data))
        if (many := head.height * head.width) > pixels:
            raise UsageError(f"{where}: {head.width} x {head.height} pixels are too many", code="decompression_bomb", param=where, remedy=f"at most {pixels} in a request")
        return decoded(BytesIO(data), shape, "crop"), many
    except Broken as why:
        raise UsageError(f"{where}: {why}", code=why.code if why.code == "decompression_bomb" else "ITEMS", param=where) from None


def _has(item: Any, key: str) -> bool:
    return isinstance(item, Mapping) and key in item


def _refuse(where: str, wanted: str) -> NoReturn:
    raise UsageError(f"{where} is not as it should be", code="ITEMS", param=where, remedy=f"it is {wanted}")


def _told_table(items: Any) -> tuple[list[Any], list[bytes]]:
    return [{name: _cell(value) for name, value in row.items()} for row in items.to_dicts()], []


def _cell(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not isfinite(value) else value


def _told_text(items: Any) -> tuple[list[Any], list[bytes]]:
    return list(items), []


def _told_image(items: Any) -> tuple[list[Any], list[bytes]]:
    from ilk.modalities._image_write import image_of, png

    return [{"mime": PNG, "blob": i} for i in range(len(items))], [png(image_of(x)) for x in items]


def _told_array(items: Any) -> tuple[list[Any], list[bytes]]:
    return [{"shape": list(x.shape), "values": x.reshape(-1).tolist()} for x in np.asarray(items)], []


def _taken_table(modality: Any, items: list[Any]) -> Any:
    import polars as pl

    from ilk.modalities._infer import conform

    names = [c.name for c in modality.columns]
    for i, item in enumerate(items):
        if not isinstance(item, Mapping):
            _refuse(f"items[{i}]", "an object with a value for every column, null where it is unknown")
        if (stray := item.keys() - set(names)) or (stray := set(names) - item.keys()):
            name = sorted(map(str, stray))[0][:80]
            known = name in names
            raise UsageError(f"items[{i}]: {'nothing is said of' if known else 'there is no'} column {name!r}", code="COLUMN", param=f"items[{i}]",
                             remedy="null where it is unknown" if known else f"the columns are {', '.join(names)[:200]}")
    return conform(pl.DataFrame([_series(c, items) for c in modality.columns]), modality.columns)


def _series(column: Any, items: list[Any]) -> Any:
    import polars as pl

    sort = {"identifier": "whole" if column.kind == "identifier" and column.number else "texts", "when": "texts" if column.kind == "when" and column.text else "times"}
    wanted, fits, dtype = _CELLS[sort.get(column.kind, column.kind)]
    cells = [item[column.name] for item in items]
    for i, cell in enumerate(cells):
        if cell is not None and not fits(cell):
            raise UsageError(f"items[{i}]: column {column.name[:80]!r} holds {wanted}, not {str(cell)[:40]!r}", code="DATA_TYPE", param=f"items[{i}]")
    if dtype == "Float64" and all(cell is None or isinstance(cell, int) for cell in cells):
        dtype = "Int64"
    return pl.Series(column.name, cells if dtype != "Datetime" else [c and datetime.fromisoformat(c) for c in cells], dtype=getattr(pl, dtype), strict=False)


def _number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and (isfinite(cell) if isinstance(cell, float) else _LEAST <= cell <= _MOST)


def _whole(cell: Any) -> bool:
    return _number(cell) and isinstance(cell, int)


def _text(cell: Any) -> bool:
    return isinstance(cell, str) and not any("\ud800" <= c <= "\udfff" for c in cell)


def _time(cell: Any) -> bool:
    try:
        return datetime.fromisoformat(cell).tzinfo is None
    except (TypeError, ValueError):
        return False


def _taken_text(modality: Any, items: list[Any]) -> Any:
    for i, item in enumerate(items):
        if not _text(item):
            _refuse(f"items[{i}]", "a text, of characters that there are")
    return list(items)


def _taken_image(modality: Any, items: list[Any], blobs: Sequence[bytes], pixels: int) -> Any:
    made = []
    for i, item in enumerate(items):
        number = item.get("blob") if _has(item, "blob") else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(blobs):
            _refuse(f"items[{i}]", 'a picture: {"mime": "image/png", "b64": "..."}')
        x, many = picture(blobs[number], modality.shape, f"items[{i}]", pixels)
        pixels -= many
        made.append(x)
    return np.stack(made)


def _taken_array(modality: Any, items: list[Any]) -> Any:
    shape, count = list(modality.shape), prod(modality.shape)
    if count * len(items) > NUMBERS:
        raise UsageError(f"{count * len(items)} numbers are more than {NUMBERS}", code="TOO_LARGE", param="items", remedy="ask in several requests")
    made = [_numbers(item, f"items[{i}]", shape, count) for i, item in enumerate(items)]
    dtype, values = np.dtype(modality.dtype), np.array(made, dtype=np.float64)
    if dtype.kind != "f" and not all(isinstance(v, int) or v == int(v) for row in made for v in row):
        _refuse("items", "whole numbers")
    if dtype.kind in "iu" and not (values.min() >= np.iinfo(dtype).min and values.max() <= np.iinfo(dtype).max):
        _refuse("items", f"numbers of {dtype.name}")
    return (values if dtype.kind == "f" else np.array(made)).astype(dtype).reshape(len(items), *shape)


def _numbers(item: Any, where: str, shape: list[int], count: int) -> list[Any]:
    values = item.get("values") if isinstance(item, Mapping) else None
    if not isinstance(values, list) or item.get("shape") != shape or len(values) != count or not all(map(_number, values)):
        _refuse(where, f'{{"shape": {shape}, "values": [{count} finite numbers]}}')
    return values


_CELLS: Mapping[str, tuple[str, Callable[[Any], bool], str]] = {
    "number": ("numbers", _number, "Float64"), "whole": ("whole numbers", _whole, "Int64"), "boolean": ("true and false", lambda cell: isinstance(cell, bool), "Boolean"),
    "category": ("texts", _text, "String"), "text": ("texts", _text, "String"), "texts": ("texts", _text, "String"),
    "times": ("times such as 2024-05-17T09:30:00", _time, "Datetime")}
_TOLD: Mapping[str, Callable[[Any], tuple[list[Any], list[bytes]]]] = {"table": _told_table, "text": _told_text, "image": _told_image, "array": _told_array}
_TAKEN: Mapping[str, Callable[[Any, list[Any]], Any]] = {"table": _taken_table, "text": _taken_text, "array": _taken_array}
