"""Case 11: what an ilk.json may try, its SHA256SUMS rebuilt: code it names, sizes it claims, versions, depth, strange values."""
from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Facts = dict[str, Any]
SCHEMA, LARGE = "MANIFEST_SCHEMA", "TOO_LARGE"


def _put(model: Path, data: bytes) -> None:
    (model / "ilk.json").write_bytes(data)
    (model / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((model / n).read_bytes()).hexdigest()}  {n}\n" for n in ("ilk.json", "model.safetensors")))


def at(path: str, value: Any) -> Callable[[Facts], None]:
    """Puts a value at a place such as family.options.components; a number is a place in a list."""
    *way, last = path.split(".")

    def change(facts: Facts) -> None:
        here: Any = facts
        for name in way:
            here = here[int(name)] if isinstance(here, list) else here[name]
        here[int(last) if isinstance(here, list) else last] = value

    return change


def without(path: str) -> Callable[[Facts], None]:
    *way, last = path.split(".")

    def change(facts: Facts) -> None:
        here = facts
        for name in way:
            here = here[name]
        del here[last]

    return change


NAMES = ["os.system", "os", "../../x", "ilk.families.gmm", "gmm.__init__", "_gaussians", "__main__", "", "gmm\0", "a" * 10_000, 7, None, ["gmm"], {"lc": 1}]
VALUES = [{"lc": 1, "type": "constructor", "id": ["os", "system"]}, {"$ref": "file:///etc/passwd"}, "!!python/object/apply:os.system ['id']", {"custom": "os.system"},
          {"net": "os", "options": {}}, {"__class__": "os.system"}, [], "", -1, 0, 1e300, 10**9, 2**31, 2**63, 10**400, None, True, [[]] * 100]
TOP = ("ilk", "family", "modality", "codec", "lift", "space", "about", "labels", "givens", "state", "card", "version")
ATTACKS: dict[str, tuple[Callable[[Facts], None], str]] = {
    **{f"family {str(n)[:20]!r}": (at("family.name", n), SCHEMA) for n in NAMES},
    **{f"modality {str(n)[:20]!r}": (at("modality.name", n), SCHEMA) for n in NAMES[:6]},
    **{f"codec {str(n)[:20]!r}": (at("codec.name", n), SCHEMA) for n in [*NAMES[:6], "TableCodec", "Codec"]},
    **{f"lift {str(n)[:20]!r}": (at("lift", n), SCHEMA) for n in [*NAMES[:6], "Lift", "ToRecord"]},
    **{f"components {str(v)[:30]}": (at("family.options.components", v), f"{SCHEMA}|NET") for v in VALUES if v is not None and v is not True},
    **{f"without {k}": (without(k), SCHEMA) for k in (*TOP, "family.name", "family.options", "codec.facts", "codec.name")},
    **{f"{k} is a number": (at(k, 12.5), SCHEMA) for k in TOP if k != "version"},
    **{f"{k} is a list": (at(k, [[1]]), SCHEMA) for k in TOP if k not in ("version",)},
    **{f"more keys in {k or 'all'}": (at(f"{k}.lc".lstrip("."), 1), SCHEMA) for k in ("", "family", "family.options", "modality", "modality.options", "codec",
        "codec.facts", "codec.facts.b",
                                                                                   "space", "modality.options.columns.0")},
    "a million components": (at("family.options.components", 1_000_000), SCHEMA), "another space": (at("space", {"space": "Reals", "shape": [3]}), SCHEMA),
    "space of no kind": (at("space.space", "os.system"), SCHEMA), "a huge context": (at("about", [["label", {"space": "Discrete", "sizes": 2,
            "shape": [10**9]}]]), f"{SCHEMA}|{LARGE}"),
    "a context in a context": (at("about", [["label", {"space": "Maybe", "of": {"space": "Maybe", "of": {}}}]]), SCHEMA),
    "version of the future": (at("ilk", 2), "NEWER_VERSION"), "version 10^9": (at("ilk", 10**9), "NEWER_VERSION"), "version 0": (at("ilk", 0), SCHEMA),
    "version below zero": (at("ilk", -1), SCHEMA), "version true": (at("ilk", True), SCHEMA), "version text": (at("ilk", "1"), SCHEMA),
    "given of no kind": (at("givens", [{"sort": "os.system"}]), SCHEMA), "given with more": (at("givens", [{"sort": "Where", "rule": "a > 1", "lc": 1}]), SCHEMA),
    "given that is no rule": (at("givens", [{"sort": "Where", "rule": "__import__('os')"}]), SCHEMA), "given of no column": (at("givens", [{"sort": "Where",
            "rule": "zz > 1"}]), SCHEMA),
    "given number": (at("givens", [{"sort": "Where", "rule": 7}]), SCHEMA),
    "column of no kind": (at("modality.options.columns.0.kind", "os"), SCHEMA), "columns gone": (at("modality.options.columns", []), SCHEMA),
    "no values": (at("modality.options.columns.1.values", []), f"{SCHEMA}|WEIGHTS_SHAPE"), "other values": (at("modality.options.columns.1.values", ["x",
            "y"]), f"{SCHEMA}|WEIGHTS_SHAPE"),
    "double columns": (at("modality.options.columns.1.name", "a"), f"{SCHEMA}|WEIGHTS_SHAPE"), "values are numbers": (at("modality.options.columns.1.values",
            [1, 2, 3]), SCHEMA),
    "step below zero": (at("modality.options.columns.0.step", -1), SCHEMA), "atoms are texts": (at("modality.options.columns.2.atoms", ["x"]), SCHEMA),
    "edges gone": (at("codec.facts.a", {"edges": []}), SCHEMA), "edges unordered": (at("codec.facts.a.edges", [5, 4, 3, 2, 1, 0, -1, -2]), SCHEMA),
    "state of another": (at("state", {"items": -1}), SCHEMA), "labels are objects": (at("labels", [{"lc": 1}]), SCHEMA), "card is a list": (at("card", []), SCHEMA),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refused(ilk: Any, model: Path, name: str) -> None:
    facts = json.loads((model / "ilk.json").read_text())
    change, code = ATTACKS[name]
    change(facts)
    _put(model, json.dumps(facts).encode())
    before = set(sys.modules)
    ilk.refuses(4, code, "show", model)
    assert {m for m in set(sys.modules) - before if not m.startswith(("ilk.", "numpy", "torch", "polars", "encodings", "json", "pydantic"))} == set()


TEXTS = {"deep": (b"[" * 100_000, "TOO_LARGE"), "deep objects": (b'{"ilk":' * 100_000, "TOO_LARGE"), "50 MB": (b'{"a":"' + b"x" * 50_000_000 + b'"}', "TOO_LARGE"),
         "empty": (b"", "MODEL_DAMAGED"), "not UTF-8": (b'{"ilk":"\xff"}', "MODEL_DAMAGED"), "a list": (b"[]", SCHEMA), "null": (b"null", SCHEMA), "nothing": (b"{}", SCHEMA),
         "NaN": (b'{"ilk":NaN}', "MODEL_DAMAGED"), "1e999": (b'{"ilk":1,"x":1e999}', "MODEL_DAMAGED"), "double keys": (b'{"ilk":1,"ilk":1}', "MODEL_DAMAGED"),
         "a number of 10,000 digits": (b'{"ilk":' + b"9" * 10_000 + b"}", "MODEL_DAMAGED"), "python": (b"{'ilk': 1}", "MODEL_DAMAGED"),
                 "escapes": (b'{"ilk":"\\u001b[31m"}', SCHEMA)}


@pytest.mark.parametrize("name", TEXTS)
def test_not_a_manifest(ilk: Any, model: Path, name: str) -> None:
    data, code = TEXTS[name]
    _put(model, data)
    ilk.refuses(4, code, "show", model)


def _array(facts: Facts, **options: Any) -> None:
    space = {"space": "Reals", "shape": options.get("shape", [2])}
    facts.update(modality={"name": "array", "options": {"shape": [2], "dtype": "float64", "low": 0, "levels": 0, **options}}, codec={"name": "Smooth",
        "facts": {}}, lift="Same", space=space)


BOMBS: dict[str, tuple[str, Callable[[Facts], None]]] = {
    "components": ("gmm", lambda f: (_array(f, shape=[20_000]), f["family"]["options"].update(components=4096))),  # type: ignore[dict-item]
    "one wide Gaussian": ("gmm", lambda f: _array(f, shape=[40_000])),
    "items of 2^62 numbers": ("gmm", lambda f: _array(f, shape=[2**31, 2**31])),
    "items of 10^9 numbers": ("gmm", lambda f: _array(f, shape=[10**9])),
    "shape below zero": ("gmm", lambda f: _array(f, shape=[-5])),
    "objects": ("gmm", lambda f: _array(f, dtype="object")),
    "a type with a size": ("gmm", lambda f: _array(f, dtype="V1000000000")),
    "a wide network": ("made", lambda f: f["family"]["options"].update(width=8192, depth=16)),
    "1e9 layers": ("made", lambda f: f["family"]["options"].update(depth=10**9)),
    "width 2^31": ("made", lambda f: f["family"]["options"].update(width=2**31)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_sizes_that_are_only_claimed(ilk: Any, model: Path, name: str) -> None:
    """No gigabyte is made for a file of some kilobytes: the process has 1.2 GB to spare, and a few seconds."""
    family, change = BOMBS[name]
    at = ilk.at / f"{family}.ilk"
    facts = json.loads((at / "ilk.json").read_text())
    change(facts)
    _put(at, json.dumps(facts).encode())
    scant = """
import os, resource
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + (1200 << 20), resource.RLIM_INFINITY))
"""
    start = time.monotonic()
    said = ilk.start("show", at, before=scant).wait().refused(4, f"{SCHEMA}|{LARGE}")
    assert "alloc" not in said.err and time.monotonic() - start < 8


def test_signed_by_its_sums_only_as_named(ilk: Any, model: Path) -> None:
    """Sums that name other files, several times, or files outside the folder."""
    good = (model / "SHA256SUMS").read_text()
    for bad in ("", "\n" * 100, "x" * 2_000_000, good.replace("ilk.json", "../ilk.json"), good.replace("ilk.json", "ILK.JSON"), "é".join(good)):
        (model / "SHA256SUMS").write_text(bad)
        ilk.refuses(4, "MODEL_DAMAGED", "show", model)


def test_a_card_is_only_text(ilk: Any, model: Path) -> None:
    """A card may say anything: it is shown without control characters, and `evaluate` survives what it says of data and seed."""
    for card in ({"data": "\x1b[31m/etc/passwd", "seed": "x"}, {"data": "/dev/zero", "seed": 0}, {"data": {"lc": 1}, "seed": [1]}, {"data": "a" * 9000},
        {"items": 10**400}, {}):
        facts = json.loads((model / "ilk.json").read_text())
        _put(model, json.dumps({**facts, "card": card}).encode())
        assert "\x1b" not in ilk.ok("show", model).out
        ilk.refuses(3, "DATA_CHANGED", "evaluate", model)
