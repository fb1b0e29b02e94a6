"""A pack as one file: a safetensors file of bytes and JSON with a sum over all of it, and the bytes of a file as a difference from how its items are written."""
from __future__ import annotations

import hashlib
import json
import lzma
import platform
import re
import struct
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from ilk import __version__
from ilk.errors import IlkError, ModelError
from ilk.store import parse_json, tensors_from_bytes, tensors_to_bytes

FORMAT, PARTS, SUM = 1, ("facts", "payload", "aside", "difference"), "sum"
LIBRARIES = ("torch", "numpy", "polars", "constriction")
MOST, NEAR, LOOK, PATIENCE = 1 << 30, 8, 400, 0.75   # bytes unpacked; tokens looked ahead; tokens after which so many may differ
_TOKEN = re.compile(rb"[0-9A-Za-z\x80-\xff]+|[^0-9A-Za-z\x80-\xff]")


def made_with() -> dict[str, str]:
    """What laws are worked out by: libraries and the machine, on which the last digits of a sum depend."""
    found = {"ilk": __version__, "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def sealed(facts: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """All parts as one file."""
    whole = {"facts": json.dumps({"pack": FORMAT, **facts}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace"), **parts}
    return tensors_to_bytes({name: _tensor(data) for name, data in {**whole, SUM: _sum(whole)}.items() if data})


def opened(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The facts and the other parts; ModelError for a file that is no pack, cut short or changed."""
    try:
        found = {name: t.numpy().tobytes() for name, t in tensors_from_bytes(data, "the file").items() if t.dtype == torch.uint8}
    except ModelError as why:
        raise ModelError(f"this is no pack, or one that is damaged: {why.message}", code="PACK_DAMAGED", remedy="copy or pack it again") from None
    parts = {name: found.get(name, b"") for name in PARTS}
    if not parts["facts"] or found.get(SUM) != _sum(parts) or found.keys() - {*PARTS, SUM}:
        raise ModelError("this is no pack, or one that is damaged: its sum differs", code="PACK_DAMAGED", remedy="copy or pack it again")
    facts = parse_json(parts.pop("facts"), "the facts of the pack")
    if not isinstance(facts, dict) or type(facts.get("pack")) is not int:
        raise ModelError("this is no pack", code="PACK_DAMAGED")
    if facts["pack"] > FORMAT:
        raise ModelError(f"a pack of format {facts['pack']} is newer than this ilk reads ({FORMAT})", code="NEWER_VERSION", remedy="install a newer ilk")
    return facts, parts


def _tensor(data: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())


def _sum(parts: Mapping[str, bytes]) -> bytes:
    whole = hashlib.sha256()
    for name in PARTS:
        part = parts.get(name, b"")
        whole.update(struct.pack("<Q", len(part)) + part)
    return whole.digest()


def squeezed(data: bytes) -> bytes:
    """The bytes by LZMA without a frame; nothing for nothing."""
    return lzma.compress(data, lzma.FORMAT_ALONE, preset=9 | lzma.PRESET_EXTREME) if data else b""


def unsqueezed(data: bytes) -> bytes:
    """And back; ModelError for what can't be unpacked, or would fill the memory."""
    if not data:
        return b""
    reader = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 30)
    try:
        found = reader.decompress(data, MOST)
    except lzma.LZMAError as why:
        raise ModelError(f"a part of the pack can't be unpacked: {why}", code="PACK_DAMAGED") from None
    if not reader.eof:
        raise ModelError("a part of the pack is cut short, or unpacks to more than a gigabyte", code="PACK_DAMAGED")
    return found


def listed(pieces: Sequence[bytes]) -> bytes:
    """Several pieces as one."""
    return struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(p)) for p in pieces) + b"".join(pieces) if pieces else b""


def unlisted(data: bytes) -> list[bytes]:
    """And apart again."""
    if not data:
        return []
    many = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else -1
    if not 0 < 8 * (many + 1) <= len(data):
        raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
    sizes = struct.unpack_from(f"<{many}Q", data, 8)
    at, found = 8 * (many + 1), list[bytes]()
    for size in sizes:
        found.append(data[at:at + size])
        at += size
    if at != len(data):
        raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
    return found


def difference(written: bytes, wanted: bytes) -> bytes | None:
    """What turns one into the other: words copied, left out and put in. None where most would have to be put in."""
    if written == wanted:
        return b""
    old, new = _TOKEN.findall(written), _TOKEN.findall(wanted)
    runs, gone, came, texts = list[int](), list[int](), list[int](), list[bytes]()
    i = j = run = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            i, j, run = i + 1, j + 1, run + 1
            continue
        a, b = _meeting(old, new, i, j)
        runs.append(run)
        gone.append(a)
        texts.append(b"".join(new[j:j + b]))
        came.append(len(texts[-1]))
        i, j, run = i + a, j + b, 0
        if len(runs) > LOOK and len(runs) > PATIENCE * j:
            return None
    columns = np.array([runs, gone, came], dtype="<u4").T
    return squeezed(listed([columns.tobytes(), b"".join(texts)]))


def _meeting(old: list[bytes], new: list[bytes], i: int, j: int) -> tuple[int, int]:
    """How many words of each to pass over until both go on alike."""
    if i == len(old) or j == len(new):
        return len(old) - i, len(new) - j
    for far in range(1, 2 * NEAR):
        for a in range(max(0, far - NEAR), min(far, NEAR) + 1):
            b = far - a
            if i + a < len(old) and j + b < len(new) and old[i + a] == new[j + b]:
                return a, b
    return 1, 1


def patched(written: bytes, change: bytes) -> bytes:
    """The other, from one and the difference; ModelError where they don't fit."""
    if not change:
        return written
    pieces = unlisted(unsqueezed(change))
    if len(pieces) != 2 or len(pieces[0]) % 12:
        raise ModelError("the difference from the written file is damaged", code="PACK_DAMAGED")
    runs, gone, came = np.frombuffer(pieces[0], "<u4").reshape(-1, 3).T.tolist()
    old, texts = _TOKEN.findall(written), pieces[1]
    made, i, t = list[bytes](), 0, 0
    for run, a, b in zip(runs, gone, came, strict=True):
        made += old[i:i + run]
        made.append(texts[t:t + b])
        i, t = i + run + a, t + b
    return b"".join([*made, *old[i:]])


def refused(facts: Mapping[str, Any], model: str) -> IlkError | None:
    """Why this pack can't be unpacked here by this model; None if it can."""
    if facts.get("model") != model:
        return ModelError("this was packed with another model", code="PACK_MODEL", remedy=f"the model whose identity begins with {str(facts.get('model'))[:12]}")
    here, there = made_with(), facts.get("with") if isinstance(facts.get("with"), dict) else {}
    if other := [f"{name} {there.get(name, '?')} (here {here[name]})" for name in here if there.get(name) != here[name]]:   # type: ignore[union-attr]
        return ModelError(f"this was packed with {', '.join(other)}: the last digits of its laws may differ", code="PACK_OTHER",
                          remedy="unpack with the same versions on such a machine")
    return None
