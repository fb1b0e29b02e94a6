"""Finds the files of an entry in the user's folders or the cache, else gets them, checks them and keeps them."""
from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError, ResourceError
from .index import PRETRAINED, Entry, File, Source, entry
from .sources import Unavailable, gather
from .unpack import digest


def cache() -> Path:
    """The folder that fetched files are kept in: $ILK_CACHE, else `ilk` in the user's cache folder."""
    if own := os.environ.get("ILK_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "ilk"


def folders() -> tuple[Path, ...]:
    """Where files are looked for: each folder of $ILK_DATA, then the cache."""
    return (*(Path(p) for p in os.environ.get("ILK_DATA", "").split(os.pathsep) if p), cache())


def fetch(name: str, offline: bool = False) -> dict[str, Path]:
    """The files of an entry by their path, each checked; without files, an empty dict.

    Files that no folder has are got by the entry's sources in turn, unless `offline`. DataError (code DATA_MISSING) when
    none works, DataError (code DATA_CHANGED) for a file whose content is not what the catalogue knows.

    >>> fetch("iris")
    {}
    """
    return fetched(entry(name), offline)


def pretrained(name: str, offline: bool = False) -> Path:
    """The folder of a pretrained model's files, each checked; they are got, or refused, like those of `fetch`."""
    files = fetched(entry(name, PRETRAINED), offline)
    homes = {at.parent for at in files.values()}
    if len(homes) > 1:
        raise DataError(f"the files of {name} lie in several folders: {', '.join(sorted(map(str, homes)))}", code="DATA_CHANGED", remedy="remove all but one")
    return homes.pop()


def fetched(wanted: Entry, offline: bool = False) -> dict[str, Path]:
    """The files of an entry by their path, each checked."""
    found = {f.path: at for f in wanted.files if (at := _local(wanted, f)) is not None}
    absent = [f for f in wanted.files if f.path not in found]
    if absent:
        found |= _got(wanted, absent, offline)
    return {f.path: found[f.path] for f in wanted.files}


def _local(wanted: Entry, file: File) -> Path | None:
    for folder in folders():
        at = folder / file.path
        if at.is_file():
            try:
                data = at.read_bytes()
            except OSError as why:
                raise DataError(f"{at} can't be read: {why.strerror}", code="DATA_UNREADABLE") from None
            _check(wanted, file, data, f"{at}")
            return at
    return next((at for source in wanted.sources if (at := _installed(source, file)) is not None), None)


def _installed(source: Source, file: File) -> Path | None:
    """The file inside an installed package, which is not imported; None where it is not there or another."""
    if source.kind != "pip" or source.pick:
        return None
    spec = importlib.util.find_spec(source.place(file).partition("/")[0])
    if spec is None or spec.origin is None:
        return None
    at = Path(spec.origin).parents[1] / source.place(file)
    try:
        return at if digest(file.name, at.read_bytes()) == file.sha256 else None
    except OSError:
        return None


def _check(wanted: Entry, file: File, data: bytes, where: str) -> None:
    if digest(file.name, data) != file.sha256:
        raise DataError(f"{where} is not the {file.path} of {wanted.name} that the catalogue knows (its SHA-256 differs)", code="DATA_CHANGED",
                        remedy="remove it and fetch it again, or read it by its path as data of your own")


def _got(wanted: Entry, files: Sequence[File], offline: bool) -> dict[str, Path]:
    tried = []
    for source in () if offline else wanted.sources:
        try:
            with tempfile.TemporaryDirectory(prefix="ilk-") as passing:
                got = gather(source, files, Path(passing))
        except Unavailable as why:
            tried.append(f"{source}: {why}")
            continue
        for file in files:
            _check(wanted, file, got[file.path], f"what {source} gave")
        return {f.path: _keep(cache() / f.path, got[f.path]) for f in files}
    why_not = f" ({'; '.join(tried)})" if tried else ""
    raise DataError(f"the data {wanted.name} are not on this machine{why_not}", code="DATA_MISSING", remedy=_remedy(wanted, files))


def _remedy(wanted: Entry, files: Sequence[File]) -> str:
    ways = ", ".join(str(s) for s in wanted.sources)
    few = ", ".join(f.path for f in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return f"fetch them when online (through {ways}), or put {few} into a folder and name it in ILK_DATA; their home is {wanted.home}"


def _keep(to: Path, data: bytes) -> Path:
    """The data as a file of the cache, whole or not at all."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, to)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as why:
        raise ResourceError(f"{to} can't be written: {why.strerror or why}", code="WRITE",
                            remedy="name a folder that can be written in ILK_CACHE") from None
    return to
