"""Folders of JSON and safetensors: malformed files of every sort are refused, and a write is whole or not at all."""
from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.errors import ModelError, ResourceError
from ilk.store import State, load_state, parse_json, read_folder, save_state, tensors_from_bytes, tensors_to_bytes, write_folder

torch.set_num_threads(1)
TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2]), "c": torch.zeros(0, 4), "d": torch.tensor(True), "é": torch.tensor(2.5, dtype=torch.double)}


def packed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def entry(offsets: Any, shape: Any = (2,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": offsets}


def of(header: Any, data: bytes = b"\0" * 8) -> bytes:
    return packed(json.dumps(header).encode(), data)


NAN = struct.pack("<2f", 1.0, float("nan"))
MALFORMED = {
    "empty": b"", "two bytes": b"ab", "seven bytes": b"\2\0\0\0\0\0\0", "no header": struct.pack("<Q", 0), "header of one byte": packed(b"{"),
    "header 2^63-1": struct.pack("<Q", 2**63 - 1) + b"{}", "header 2^64-1": struct.pack("<Q", 2**64 - 1) + b"{}", "header longer than the file": struct.pack("<Q",
    100) + b"{}",
    "header 2^40": struct.pack("<Q", 2**40) + b"{}" * 20, "not JSON": packed(b"nonsense"), "JSON and more": packed(b"{} x"), "bad UTF-8": packed(b'{"\xff\xfe": 1}'),
    "a list": packed(b"[]"), "a number": packed(b"12"), "null": packed(b"null"), "entry is a number": of({"a": 3}), "entry is empty": of({"a": {}}),
    "overlap": of({"a": entry([0, 8]), "b": entry([4, 12])}, b"\0" * 12), "same place twice": of({"a": entry([0, 8]), "b": entry([0, 8])}),
    "hole": of({"a": entry([0, 8]), "b": entry([16, 24])}, b"\0" * 24), "hole in front": of({"a": entry([4, 12])}, b"\0" * 12), "beyond the end": of({"a": entry([0,
    8])}, b"\0" * 4),
    "bytes left over": of({"a": entry([0, 8])}, b"\0" * 9), "negative": of({"a": entry([-8, 0])}), "negative shape": of({"a": entry([0, 8], (-2,))}),
    "turned round": of({"a": entry([8, 0])}), "shape and bytes differ": of({"a": entry([0, 8], (3,))}), "shape 2^62": of({"a": entry([0, 8], (2**62, 4))}),
    "shape overflows to fit": of({"a": entry([0, 8], (2**32, 2**32 + 0, 2))}), "unknown type": of({"a": entry([0, 8], (2,), "F31")}),
    "offsets are text": of({"a": entry("0:8")}),
    "fractions": of({"a": entry([0.5, 8])}), "offset 2^64": of({"a": entry([0, 2**64])}), "doubled key": packed(b'{"a":%b,"a":%b}' % ((json.dumps(entry([0,
    8])).encode(),) * 2), b"\0" * 8),
    "doubled key inside": packed(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', b"\0" * 8),
    "NaN in the header": packed(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', b"\0" * 8), "deep": packed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "NaN": of({"a": entry([0, 8])}, NAN), "infinite": of({"a": entry([0, 8])}, struct.pack("<2f", 1.0, -float("inf"))), "NaN of 2 bytes": of({"a": entry([0, 4], (2,
    ), "BF16")}, b"\xc0\x7f\0\0"),
    "a pickle": b"\x80\x04\x95\x10\0\0\0\0\0\0\0c__builtin__\nexit\n", "a zip": b"PK\3\4" + b"\0" * 60, "zeros": b"\0" * 64}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused(name: str) -> None:
    with pytest.raises(ModelError):
        tensors_from_bytes(MALFORMED[name])


def test_tensors_come_back_bit_by_bit() -> None:
    found = tensors_from_bytes(tensors_to_bytes(TENSORS))
    assert found.keys() == TENSORS.keys() and all(t.dtype == TENSORS[k].dtype and torch.equal(t, TENSORS[k]) for k, t in found.items())
    assert tensors_to_bytes(found) == tensors_to_bytes(dict(reversed(TENSORS.items()))) and tensors_from_bytes(tensors_to_bytes({})) == {}
    shared = torch.arange(6.0)
    views = tensors_from_bytes(tensors_to_bytes({"x": shared, "y": shared[::2], "z": shared.reshape(2, 3).T}))
    assert torch.equal(views["z"], shared.reshape(2, 3).T) and torch.equal(views["y"], shared[::2])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_cut_is_refused(data: st.DataObject) -> None:
    whole = tensors_to_bytes(TENSORS)
    with pytest.raises(ModelError):
        tensors_from_bytes(whole[:data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError):
        tensors_from_bytes(whole + b"\0")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_is_refused_or_read(data: st.DataObject) -> None:
    """Never another error than ModelError, whatever the bytes."""
    whole = bytearray(tensors_to_bytes(TENSORS))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        tensors_from_bytes(bytes(whole))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=40).map(packed))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with contextlib.suppress(ModelError):
        tensors_from_bytes(data)
    with contextlib.suppress(ModelError):
        parse_json(data, "x.json")


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1,"a":2}', b'{"b":{"a":1,"a":1}}', b"[NaN]", b"[Infinity]", b"[-Infinity]", b"\xff", b'"\xed\xa0\x80"',
    b"\xef\xbb\xbf{}", b"{}{}", b"[1,]",
                                  b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"// c\n{}", b"{'a':1}", b"\0"])
def test_json_is_strict(text: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        parse_json(text, "x.json")
    assert "x.json" in str(caught.value)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"[1e400]"])
def test_json_numbers_are_finite(number: bytes) -> None:
    with pytest.raises(ModelError):
        parse_json(number, "x.json")


def test_json_has_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.files.MOST_JSON", 1000)
    with pytest.raises(ModelError, match="limit") as caught:
        parse_json(b"[" + b"1," * 1000 + b"1]", "x.json")
    assert caught.value.code == "TOO_LARGE"
    assert parse_json(b'{"a": [1, "\xe5\x9f\x8e"]}', "x.json") == {"a": [1, "城"]}


def test_a_huge_whole_number_is_refused() -> None:
    with pytest.raises(ModelError):
        parse_json(b"9" * 5000, "x.json")


def test_a_folder_is_what_sha256sum_reads(tmp_path: Path) -> None:
    files = {"ilk.json": b"{}", "model.safetensors": b"1234", "card.md": b"# card"}
    write_folder(tmp_path / "m", files)
    assert read_folder(tmp_path / "m", tuple(files)) == files
    for line in (tmp_path / "m" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256(files[name]).hexdigest()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


class Killed(BaseException):
    """The process dies here: nothing after this runs, not even an except."""


STEPS = ("mkdir", "open", "rename", "fsync", "rmtree")


def _bomb(real: Callable[..., Any], at: int, count: list[int], why: BaseException) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        count[0] += 1
        if count[0] == at:
            raise why
        return real(*args, **more)

    return call


def _calls(monkeypatch: pytest.MonkeyPatch, at: int, why: BaseException) -> list[int]:
    """Every call of the file system that a write makes is counted; the nth fails."""
    count = [0]
    for owner, name in ((Path, "mkdir"), (Path, "rename"), (os, "fsync"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, _bomb(getattr(owner, name), at, count, why))
    return count


OLD, NEW = {"a": b"old", "b": b"1"}, {"a": b"new", "b": b"22"}


def _how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    write_folder(tmp_path / "count", OLD)
    with monkeypatch.context() as patch:
        count = _calls(patch, 0, Killed())
        write_folder(tmp_path / "count", NEW)
    return count[0]


def test_a_write_that_is_killed_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = _how_many(tmp_path, monkeypatch)
    assert many >= 8
    for at in range(1, many + 1):
        to = tmp_path / f"m{at}"
        write_folder(to, OLD)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            _calls(patch, at, Killed())
            write_folder(to, NEW)
        assert read_folder(to, ("a", "b")) in (OLD, NEW), f"killed at call {at}"
        write_folder(to, NEW)
        assert read_folder(to, ("a", "b")) == NEW and not to.with_name(to.name + ".old").exists() and not to.with_name(to.name + ".new").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_write_that_fails_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    many = _how_many(tmp_path, monkeypatch)
    for at in range(1, many + 1):
        to = tmp_path / f"m{at}"
        write_folder(to, OLD)
        with monkeypatch.context() as patch:
            _calls(patch, at, OSError(code, os.strerror(code)))
            with pytest.raises(ResourceError) as caught:
                write_folder(to, NEW)
        assert caught.value.code == ("DISK_FULL" if code == errno.ENOSPC else "WRITE")
        assert read_folder(to, ("a", "b")) in (OLD, NEW), f"failed at call {at}"


def test_a_first_write_that_is_killed_leaves_nothing_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, 9):
        to = tmp_path / f"m{at}"
        with monkeypatch.context() as patch:
            _calls(patch, at, Killed())
            with contextlib.suppress(Killed):
                write_folder(to, NEW)
        try:
            assert read_folder(to, ("a", "b")) == NEW
        except ModelError as why:
            assert why.code == "NOT_FOUND"


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model at"):
        read_folder(tmp_path / "gone", ("a",))
    (tmp_path / "file.pt").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="never pickles"):
        read_folder(tmp_path / "file.pt", ("a",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="SHA256SUMS"):
        read_folder(tmp_path / "empty", ("a",))
    write_folder(tmp_path / "m", OLD)
    with pytest.raises(ModelError, match="does not name"):
        read_folder(tmp_path / "m", ("z",))
    (tmp_path / "m" / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="can't be read"):
        read_folder(tmp_path / "m", ("a",))


def test_states_come_back(tmp_path: Path) -> None:
    state = State(TENSORS, {"step": 3, "nested": {"城": [1.5, None, True]}})
    save_state(tmp_path / "s", state)
    found = load_state(tmp_path / "s")
    assert dict(found.facts) == dict(state.facts) and all(torch.equal(found.tensors[k], t) for k, t in TENSORS.items())
    (tmp_path / "s" / "state.json").write_bytes(b"{}")
    with pytest.raises(ModelError, match="not what was saved"):
        load_state(tmp_path / "s")


def test_a_checkpoint_may_hold_infinities(tmp_path: Path) -> None:
    """Training state is not a model: a best loss of infinity, or moments that overflowed, are kept as they are."""
    save_state(tmp_path / "s", State({"m": torch.tensor([float("inf")])}, {}))
    assert float(load_state(tmp_path / "s").tensors["m"]) == float("inf")
