"""Case 10: malformed weights, their SHA256SUMS rebuilt so that the checks of the file itself are what is tried."""
from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilk.errors import ModelError
from ilk.rng import Rng
from ilk.store import tensors_from_bytes, tensors_to_bytes


def made(header: bytes | dict[str, Any], body: bytes = b"\0" * 32, size: int | None = None) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if size is None else size) + head + body


def one(dtype: Any = "F64", shape: Any = (4,), at: Any = (0, 32)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": at}


BAD = {"empty": b"", "two bytes": b"ab", "seven bytes": b"\0" * 7, "no header": struct.pack("<Q", 0), "header of 2^63 - 1": made({}, size=2**63 - 1),
       "header of 2^64 - 1": made({}, size=2**64 - 1), "longer than the file": made({"a": one()}, size=10**6), "not JSON": made(b"{what}"),
       "bad UTF-8": made(b'{"\xff\xfe": 1}'), "a list": made(b"[]"), "a number": made(b"12"), "null": made(b"null"), "deep": made(b"[" * 100_000),
       "deep objects": made(b'{"a":' * 100_000), "overlap": made({"a": one(), "b": one()}), "hole": made({"a": one(shape=(2,), at=(0, 16)), "b": one(shape=(1,
               ), at=(24, 32))}),
       "beyond the end": made({"a": one(shape=(8,), at=(0, 64))}), "trailing bytes": made({"a": one()}, b"\0" * 40), "shape overflow": made({"a": one(shape=(2**40, 2**40))}),
       "shape of 2^64": made({"a": one(shape=(2**64,))}), "negative shape": made({"a": one(shape=(-4,))}), "negative place": made({"a": one(at=(-32, 0))}),
       "upside down": made({"a": one(at=(32, 0))}), "shape too small": made({"a": one(shape=(3,))}), "shape is a text": made({"a": one(shape="4")}),
       "float shape": made({"a": one(shape=(4.0,))}), "unknown type": made({"a": one(dtype="O")}), "type is a list": made({"a": one(dtype=["F64"])}),
       "no type": made({"a": {"shape": (4,), "data_offsets": (0, 32)}}), "tensor is a text": made({"a": "x"}),
       "bad metadata": made({"__metadata__": {"a": 1}, "a": one()}), "metadata list": made({"__metadata__": [], "a": one()}),
       "double key": made(b'{"a":' + json.dumps(one()).encode() + b',"a":' + json.dumps(one()).encode() + b"}"),
       "double key inside": made(b'{"a":{"dtype":"F64","dtype":"F64","shape":[4],"data_offsets":[0,32]}}'),
       "NaN in the header": made(b'{"a":{"dtype":"F64","shape":[NaN],"data_offsets":[0,32]}}'), "zeros": b"\0" * 4096, "a zip": b"PK\3\4" + b"\0" * 100,
       "other tensors": tensors_to_bytes({}), "many dimensions": made({"a": one(shape=(1,) * 5000 + (4,))}), "name of 10 MB": made({"a" * 10_000_000: "x"})}


def _put(model: Path, data: bytes) -> None:
    (model / "model.safetensors").write_bytes(data)
    (model / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((model / n).read_bytes()).hexdigest()}  {n}\n" for n in ("ilk.json", "model.safetensors")))


@pytest.mark.parametrize("name", BAD)
def test_malformed(ilk: Any, model: Path, name: str) -> None:
    _put(model, BAD[name])
    if name == "overlap":  # the library names one of the two, now this, now that
        ilk("show", model).refused(4, "MODEL_DAMAGED")
    else:
        ilk.refuses(4, "MODEL_DAMAGED|TOO_LARGE|WEIGHTS_SHAPE", "show", model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_finite(ilk: Any, model: Path, value: float) -> None:
    tensors = tensors_from_bytes((model / "model.safetensors").read_bytes())
    tensors["mean"][0, 0] = value
    _put(model, tensors_to_bytes(tensors))
    assert "'mean'" in ilk.refuses(4, "MODEL_NOT_FINITE", "show", model).err


WRONG = {"missing": lambda t: t.pop("mean"), "more": lambda t: t.update(evil=t["mean"].clone()), "shape": lambda t: t.update(mean=t["mean"][:, :0].contiguous()),
         "type": lambda t: t.update(mean=t["mean"].float()), "whole numbers": lambda t: t.update(mean=t["mean"].long()),
                 "one more component": lambda t: t.update(log_weight=t["log_weight"].repeat(2))}


@pytest.mark.parametrize("name", WRONG)
def test_weights_of_another_model(ilk: Any, model: Path, name: str) -> None:
    tensors = tensors_from_bytes((model / "model.safetensors").read_bytes())
    WRONG[name](tensors)
    _put(model, tensors_to_bytes(tensors))
    ilk.refuses(4, "WEIGHTS_SHAPE", "show", model)


def test_weights_of_another_family(ilk: Any, model: Path) -> None:
    _put(model, (model.parent / "made.ilk/model.safetensors").read_bytes())
    ilk.refuses(4, "WEIGHTS_SHAPE", "show", model)


@pytest.mark.parametrize("name", ["model.safetensors", "ilk.json", "SHA256SUMS"])
def test_flipped_bits(ilk: Any, model: Path, name: str) -> None:
    """The library loads 200 of 200 flipped payload bits silently; the sums catch every one."""
    whole = (model / name).read_bytes()
    if name == "SHA256SUMS":   # the line of the card comes first; the card is not read
        (model / name).write_bytes(whole := whole[whole.index(b"\n") + 1:])
    for bit in (Rng(10).child(name).uniform(12) * 8 * len(whole)).long().tolist():
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        (model / name).write_bytes(bytes(broken))
        ilk("show", model).refused(4, "MODEL_DAMAGED")


@pytest.mark.parametrize("rebuilt", [False, True])
def test_truncated(ilk: Any, model: Path, rebuilt: bool) -> None:
    whole = (model / "model.safetensors").read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 25)):
        (model / "model.safetensors").write_bytes(whole[:size])
        if rebuilt:
            _put(model, whole[:size])
        ilk("show", model).refused(4, "MODEL_DAMAGED")


def test_every_truncation_of_the_header_and_every_byte_of_it() -> None:
    """No exception but ModelError comes out of the reader, whatever byte is cut or changed."""
    import torch

    whole = tensors_to_bytes({"a": torch.arange(4.0), "b": torch.arange(3)})
    for size in range(len(whole)):
        with pytest.raises(ModelError):
            tensors_from_bytes(whole[:size])
    for at in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            try:
                tensors_from_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1:])
            except ModelError:
                continue


@pytest.mark.slow
def test_fuzz() -> None:
    import torch

    whole = np.frombuffer(tensors_to_bytes({"a": torch.arange(4.0), "b": torch.arange(3)}), np.uint8)
    for trial in range(20_000):
        rng = Rng(10).child("fuzz", trial)
        broken = whole[: int(rng.uniform(1) * len(whole)) + 1].copy() if trial % 3 == 0 else whole.copy()
        broken[(rng.child("at").uniform(4) * len(broken)).long().numpy()] = (rng.child("to").uniform(4) * 256).long().numpy()
        try:
            tensors_from_bytes(broken.tobytes())
        except ModelError:
            continue


@pytest.mark.parametrize("name", ["model.safetensors", "ilk.json", "SHA256SUMS"])
def test_missing(ilk: Any, model: Path, name: str) -> None:
    (model / name).unlink()
    ilk.refuses(4, "MODEL_DAMAGED", "show", model)


def test_not_a_file(ilk: Any, model: Path) -> None:
    """A folder, a pipe (which would hang) or a link to something else in the place of the weights."""
    at = model / "model.safetensors"
    at.unlink()
    at.mkdir()
    ilk.refuses(4, "MODEL_DAMAGED", "show", model)
    at.rmdir()
    os.mkfifo(at)
    assert ilk("show", model).refused(4, "MODEL_DAMAGED")
    at.unlink()
    at.symlink_to("/etc/passwd")
    assert "root:" not in ilk("show", model).refused(4, "MODEL_DAMAGED").err
    ilk.refuses(4, "NOT_FOUND", "show", "no.ilk")
    ilk.refuses(4, "NOT_FOUND", "show", "a" * 5000)
