"""Folders of JSON and safetensors, hashed and written atomically; reading them never runs code from disk."""
from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from .errors import ModelError, ResourceError
from .files import MOST_JSON as MOST_JSON
from .files import parse_json as parse_json

SUMS = "SHA256SUMS"
MOST_BYTES = 64 << 30


@dataclass(frozen=True)
class State:
    """All that was learned: tensors for safetensors, facts for JSON."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as a safetensors file, on the CPU."""
    data: bytes = to_bytes({k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()})
    return data


def tensors_from_bytes(data: bytes, name: str = "model.safetensors") -> dict[str, Tensor]:
    """Tensors of a safetensors file; ModelError if it is malformed, doubles a key or holds a NaN or infinity."""
    tensors = _tensors(data, name)
    if bad := [k for k, t in tensors.items() if t.is_floating_point() and not bool(torch.isfinite(t.reshape(-1)).all())]:
        raise ModelError(f"{name} has NaN or infinite values in {bad[0]!r}", code="MODEL_NOT_FINITE")
    return tensors


def _tensors(data: bytes, name: str) -> dict[str, Tensor]:
    _check_header(data, name)
    try:
        tensors: dict[str, Tensor] = from_bytes(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError, TypeError) as why:
        raise ModelError(f"{name} is not a safetensors file: {why}", code="MODEL_DAMAGED") from None
    return tensors


def _check_header(data: bytes, name: str) -> None:
    size = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= size <= len(data) - 8:
        raise ModelError(f"{name} is not a safetensors file (its header is cut short)", code="MODEL_DAMAGED")
    header = parse_json(data[8:8 + size], name)
    if not isinstance(header, dict):
        raise ModelError(f"{name} is not a safetensors file (its header is not an object)", code="MODEL_DAMAGED")


def write_folder(to: Path, files: Mapping[str, bytes]) -> None:
    """All files and their SHA256SUMS, under a temporary name first; what was at `to` stays until the new is in place.

    Raises ResourceError (code DISK_FULL or WRITE) and leaves what was there whole.
    """
    to = Path(to)
    new, old = to.with_name(to.name + ".new"), to.with_name(to.name + ".old")
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    try:
        shutil.rmtree(new, ignore_errors=True)
        if not to.exists() and old.exists():  # a save was cut short between its two renames: `old` is all there is
            old.rename(to)
        new.mkdir(parents=True)
        for name, data in {**files, SUMS: sums.encode()}.items():
            _write(new / name, data)
        _sync(new)
        shutil.rmtree(old, ignore_errors=True)
        if to.exists():
            to.rename(old)
        new.rename(to)
        _sync(to.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as why:
        shutil.rmtree(new, ignore_errors=True)
        if not to.exists() and old.exists():
            old.rename(to)
        raise _resource_error(why, to, sum(map(len, files.values()))) from None


def _resource_error(why: OSError, to: Path, need: int) -> ResourceError:
    if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        there = next(p for p in (to, *to.absolute().parents) if p.exists())
        free = shutil.disk_usage(there).free
        return ResourceError(f"the disk is full at {to}: needs {need} bytes, {free} are free", code="DISK_FULL",
                             remedy="free some space or save elsewhere; what was there before is whole")
    return ResourceError(f"{to} can't be written: {why.strerror or why}", code="WRITE", remedy="choose a folder that can be written with --out")


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_folder(at: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The named files; every file that was saved must be as it was. Falls back on `.old` when a save was cut short between its two renames."""
    at = Path(at)
    old = at.with_name(at.name + ".old")
    here = old if not os.path.exists(at) and os.path.exists(old) else at
    if not os.path.exists(here):
        raise ModelError(f"there is no model at {at}", code="NOT_FOUND")
    if not here.is_dir():
        raise ModelError(f"{at} is a file, not a model folder", code="UNTRUSTED_FORMAT",
                         remedy="ilk reads folders of ilk.json and model.safetensors only, never pickles: convert it where it was made")
    if not (here / SUMS).is_file():
        raise ModelError(f"{at} is not a model folder: it has no {SUMS}", code="MODEL_DAMAGED")
    listed = _listed(here)
    found = {name: _read_checked(here, name, listed) for name in dict.fromkeys((*names, *listed))}
    return {name: found[name] for name in names}


def _listed(here: Path) -> dict[str, str]:
    try:
        lines = (here / SUMS).read_bytes()[:1 << 20].decode("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as why:
        raise ModelError(f"{SUMS} can't be read: {why}", code="MODEL_DAMAGED") from None
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _read_checked(here: Path, name: str, listed: Mapping[str, str]) -> bytes:
    path = here / name
    if Path(name).name != name:
        raise ModelError(f"{SUMS} names a strange file {name[:60]!r}", code="MODEL_DAMAGED")
    if name not in listed:
        raise ModelError(f"{SUMS} does not name {name}", code="MODEL_DAMAGED")
    if not path.is_file():
        raise ModelError(f"{name} is missing from {here}", code="MODEL_DAMAGED", remedy="fetch or save the model again")
    most = MOST_JSON if name.endswith(".json") else MOST_BYTES
    if path.stat().st_size > most:
        raise ModelError(f"{name} is larger than {most >> 20} MiB", code="TOO_LARGE")
    try:
        data = path.read_bytes()
    except OSError as why:
        raise ModelError(f"{path} can't be read: {why.strerror}", code="UNREADABLE") from None
    if hashlib.sha256(data).hexdigest() != listed[name]:
        raise ModelError(f"{name} is not what was saved (its SHA-256 differs)", code="MODEL_DAMAGED", remedy="fetch or save the model again")
    return data


def forget_folder(at: Path) -> None:
    """Removes what `write_folder` wrote, and what an interrupted one may have left."""
    for folder in (at, at.with_name(at.name + ".new"), at.with_name(at.name + ".old")):
        shutil.rmtree(folder, ignore_errors=True)


def save_state(to: Path, state: State) -> None:
    """A State as a folder: how checkpoints are kept."""
    write_folder(to, {"state.json": json.dumps(state.facts).encode(), "state.safetensors": tensors_to_bytes(state.tensors)})


def load_state(at: Path) -> State:
    """The State that `save_state` kept; ModelError if anything differs."""
    files = read_folder(at, ("state.json", "state.safetensors"))
    facts = parse_json(files["state.json"], "state.json")
    if not isinstance(facts, dict):
        raise ModelError("state.json is not an object", code="MODEL_DAMAGED")
    return State(_tensors(files["state.safetensors"], "state.safetensors"), facts)
