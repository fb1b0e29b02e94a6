"""ms: a model of transformers by its name on ModelScope, or by the path of its folder."""
from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Interval

from ..backend import Backend
from ..catalogue import cache
from ..catalogue.sources import PATIENCE, Unavailable, _OnlyHttps
from ..chat import Chat, Embeds
from ..errors import UsageError
from ..files import atomic
from .hf import FILES

HOST, MOST_LIST = "https://www.modelscope.cn", 8 << 20
_NAME, _HERE = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}"), re.compile(r"http://(localhost|127\.0\.0\.1)(:\d+)?")


@dataclass(frozen=True, kw_only=True)
class MS(Backend):
    """The same as `hf`, from another place: safetensors only, each file checked by the SHA-256 that the list of files says. MODELSCOPE_DOMAIN names a mirror."""

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"
    window: Annotated[int, Interval(ge=2)] | None = None
    revision: str = "master"

    def names(self) -> Sequence[str]:
        """None of its own: any stands as owner/name."""
        return ()

    def open(self, name: str) -> Chat | Embeds:
        """A decoder, or an encoder."""
        from ._folder import opened

        return opened(f"ms:{name}", self.pull(name), self.precision, self.device, self.window)

    def pull(self, name: str) -> Path:
        """The folder; what is not on this machine is fetched, file by file."""
        at = Path(name).expanduser()
        if name and at.is_dir():
            return at
        if not _NAME.fullmatch(name) or not re.fullmatch(r"[\w-][\w.-]*", self.revision):
            raise UsageError(f"there is no folder and no model {name[:80]!r}", code="UNKNOWN_MODEL", param="model", remedy="a path, or owner/name as on ModelScope")
        to = cache() / "modelscope" / name / self.revision
        if (to / ".whole").is_file():
            return to
        try:
            for file in _files(name, self.revision):
                _get(name, self.revision, file, to)
        except (OSError, ValueError, KeyError, TypeError, Unavailable) as why:
            raise _absent(name, why) from None
        with atomic(to / ".whole") as mark:
            mark.write(b"all files are here\n")
        return to


def _absent(name: str, why: Exception) -> UsageError:
    if isinstance(why, UsageError):
        return why
    if isinstance(why, urllib.error.HTTPError) and why.code in (401, 403, 404):
        return UsageError(f"ModelScope gives no {name} (it answers {why.code})", code="UNKNOWN_MODEL", param="model", remedy="look at its page on ModelScope")
    return UsageError(f"{name} is not on this machine and can't be fetched ({type(why).__name__}: {' '.join(str(why).split())[:120]})", code="OFFLINE", param="model",
                      remedy="fetch it when online (`ilk pull`), name a mirror in MODELSCOPE_DOMAIN, or give the path of a folder")


def _host() -> str:
    """Where files come from: https, or a mirror on this machine."""
    said = os.environ.get("MODELSCOPE_DOMAIN", "").rstrip("/")
    if not said:
        return HOST
    if "://" in said and not said.startswith("https://") and not _HERE.fullmatch(said):
        raise UsageError(f"the mirror {said[:80]!r} is not https", code="MIRROR", param="model", remedy="MODELSCOPE_DOMAIN=https://...")
    return said if "://" in said else f"https://{said}"


def _answered(name: str, path: str, query: dict[str, str]) -> Any:
    address = f"{_host()}/api/v1/models/{name}/{path}?{urllib.parse.urlencode(query)}"
    return urllib.request.build_opener(_OnlyHttps).open(address, timeout=PATIENCE)


def _files(name: str, revision: str) -> Iterator[dict[str, Any]]:
    """The files that are wanted: path, bytes, digest."""
    with _answered(name, "repo/files", {"Revision": revision, "Recursive": "true"}) as answer:
        said = json.loads(answer.read(MOST_LIST))
    wanted = [f for f in said["Data"]["Files"] if f.get("Type") != "tree" and any(fnmatch.fnmatchcase(f["Path"], p) for p in FILES)]
    if not any(f["Path"].endswith(".safetensors") for f in wanted):
        raise UsageError(f"{name} has no weights in safetensors", code="UNTRUSTED_FORMAT", param="model", remedy="another model: ilk reads no pickles (.bin, .pt)")
    return iter(wanted)


def _get(name: str, revision: str, file: dict[str, Any], to: Path) -> None:
    """One file, whole and as it should be, or none."""
    parts = file["Path"].split("/")
    if any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts):
        raise UsageError(f"{name} names a strange file {file['Path'][:60]!r}", code="UNTRUSTED_FORMAT", param="model", remedy="another model")
    at = to.joinpath(*parts)
    if at.is_file():
        return
    mark, size = hashlib.sha256(), 0
    with _answered(name, "repo", {"Revision": revision, "FilePath": file["Path"]}) as answer, atomic(at) as made:
        while part := answer.read(1 << 20):
            made.write(part)
            mark.update(part)
            size += len(part)
            if size > file["Size"]:
                break
        if size != file["Size"] or (file.get("Sha256") and mark.hexdigest() != file["Sha256"]):
            raise UsageError(f"the file {file['Path']} of {name} came damaged ({size} of {file['Size']} bytes)", code="DAMAGED", param="model", remedy="pull it again")
