"""What is understood of data: their kind, their columns, what is wrong with them, some of them, and which families take them. Run in a process of its own."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ilk import registry
from ilk.errors import DataError, IlkError, UsageError
from ilk.serve.apart import main

SHOWN, VALUES, EXAMPLES, ROOM = 8, 50, 5, 1 << 20   # items of a preview; values of a category; examples of a column; bytes of a preview
TYPES = ("number", "integer", "continuous", "category", "boolean", "date", "text", "identifier")


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """{"path", "name", "types", "modality"} -> what /v1/read says. What is wrong with the data is part of the answer; what is too large is an error."""
    path, name = asked["path"], asked["name"]
    try:
        data = _read(path, asked.get("types") or {}, asked.get("modality"))
        made = {"kind": registry.name_of("modalities", data.modality), "n": len(data), "columns": _columns(data), "shape": _shape(data), "labels": _labels(data),
                "problems": _problems(data), "preview": _preview(data), **_families(data)}
    except (DataError, UsageError) as why:
        if why.code in ("decompression_bomb", "TOO_LARGE"):
            raise _hidden(why, path, name) from None
        problem = {"where": why.param or name, "what": why.message, "remedy": why.remedy}
        made = {"kind": None, "n": 0, "columns": [], "shape": None, "labels": None, "problems": [problem], "preview": [], "families": [], "default_family": None}
    shown: dict[str, Any] = _unnamed(made, path, name)
    return shown


def _read(path: str, types: Mapping[str, str], modality: str | None) -> Any:
    from ilk.verbs.read import read

    if types:
        return read(path, registry.get("modalities", "table")(types=dict(types)))
    return read(path, modality)


def _unnamed(value: Any, path: str, name: str) -> Any:
    """The answer with the sender's name of the file in the place of where it is."""
    if isinstance(value, str):
        return value.replace(path, name)
    if isinstance(value, Mapping):
        return {k: _unnamed(v, path, name) for k, v in value.items()}
    return [_unnamed(v, path, name) for v in value] if isinstance(value, list | tuple) else value


def _hidden(why: IlkError, path: str, name: str) -> IlkError:
    return type(why)(why.message.replace(path, name), code=why.code, param=why.param, remedy=why.remedy)


def _shape(data: Any) -> list[int] | None:
    shape = getattr(data.modality, "shape", None)
    return list(shape) if shape else None


def _labels(data: Any) -> list[Any] | None:
    return None if data.labels is None else [n.item() if hasattr(n, "item") else n for n in data.labels.names][:1000]


def _columns(data: Any) -> list[dict[str, Any]]:
    """Every column of a table: what it was taken for, and what it may be taken for instead."""
    from ilk.serve.ops._items import told

    some = told(data.modality, data.modality.take(data.items, _first(data, EXAMPLES)))[0] if getattr(data.modality, "columns", ()) else []
    return [{"name": c.name, "type": _type(c), "described": c.describe(), "missing": int(data.items[c.name].null_count()), **_range(data.items[c.name], c.kind),
             "values": list(c.values[:VALUES]) if c.kind == "category" else None, "many": len(c.values) if c.kind == "category" else None,
             "examples": [row[c.name] for row in some]} for c in getattr(data.modality, "columns", ())]


def _type(column: Any) -> str:
    """The column's type by the name that `types` takes."""
    if column.kind == "number":
        return "integer" if column.integer else "number" if column.grid else "continuous"
    return {"when": "date"}.get(column.kind, str(column.kind))


def _range(cells: Any, kind: str) -> dict[str, Any]:
    """The least and the largest of what has an order."""
    if kind not in ("number", "when"):
        return {"low": None, "high": None}
    low, high = (v.isoformat() if hasattr(v, "isoformat") else v for v in (cells.min(), cells.max()))
    return {"low": low, "high": high}


def _first(data: Any, n: int) -> Any:
    import torch

    return torch.arange(min(n, len(data)))


def _problems(data: Any) -> list[dict[str, Any]]:
    """What reading noted, and the faults of data that `ilk doctor` knows."""
    from ilk.verbs.doctor import doctor

    noted = [{"where": "", "what": note, "remedy": None} for note in data.origin.notes]
    return noted + [{"where": f.where, "what": f.why, "remedy": f.remedy} for f in doctor(data).findings]


def _preview(data: Any) -> list[Any]:
    """The first items, as many as there is room for."""
    from ilk.serve.ops._items import packed, told

    found: list[Any] = []
    room = ROOM
    for item in packed(*told(data.modality, data.modality.take(data.items, _first(data, SHOWN)))):
        item = item[:2000] if isinstance(item, str) else item
        room -= len(str(item))
        if room < 0:
            break
        found.append(item)
    return found


def _families(data: Any) -> dict[str, Any]:
    """Which families take the data as they are, why others don't, and which one is taken when nobody says."""
    from ilk.rng import Rng
    from ilk.verbs.fit import LIFTS, default_family

    few = data.sample("train", 1000, Rng(0).child("learn"))
    codecs = [kind.learned(data.modality, few) for kind in data.modality.codecs()]
    spaces = [cls(c.space).space for c in codecs for cls in LIFTS if cls.takes(c.space)]
    found = []
    for name in registry.names("families"):
        why = _refusal(name, spaces, data.about)
        found.append({"name": name, "summary": registry.summary("families", name), "takes": why is None, "why": why})
    return {"families": found, "default_family": registry.name_of("families", default_family(data))}


def _refusal(name: str, spaces: list[Any], about: Mapping[str, Any]) -> str | None:
    try:
        family = registry.get("families", name)()
    except (TypeError, ValueError) as why:
        return str(why).splitlines()[0][:200]
    reasons = [family.refuses(space) for space in spaces]
    if None not in reasons:
        return next((r for r in reasons if r), "takes no such data")
    absent = [n for n in family.needs if n not in about]
    return f"needs a {absent[0]} beside every item" if absent else None


if __name__ == "__main__":
    main(answer)
