"""Files that were uploaded: each in a folder of its own under a random number, whole or not at all, with what was said of it beside it."""
from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ilk.errors import IlkError, ResourceError, UsageError, printable
from ilk.serve.caller import Caller
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.work import Missing

STALE = 3600   # seconds after which an upload that nobody finished is removed
ABOUT, SET = "about.json", "data"
_ID = re.compile(r"file-[0-9a-f]{24}")
_ADDING = threading.Lock()


class TooLarge(UsageError):
    """More bytes than are taken."""

    exit, http, kind, default = 5, 413, "request_too_large", "TOO_LARGE"


@dataclass(frozen=True)
class Stored:
    """A file, or several that were sent as one set: `parts` of them. `name` is what its sender called it: to be shown, never a path."""

    id: str
    name: str
    purpose: str
    owner: str
    created: int
    bytes: int
    sha256: str
    suffix: str
    parts: int = 1

    @property
    def is_set(self) -> bool:
        """Whether it is a folder of files."""
        return self.suffix == "/"

    def as_json(self) -> dict[str, Any]:
        """As OpenAI's clients read it; what is ilk's own stands under `ilk`."""
        return {"id": self.id, "object": "file", "bytes": self.bytes, "created_at": self.created, "filename": self.name, "purpose": self.purpose, "status": "processed",
                "ilk": {"sha256": self.sha256, "parts": self.parts}}


class Files:
    """The files of a workspace. It holds nothing in memory, so that any process may ask.

    >>> import tempfile
    >>> files = Files(Workspace.at(tempfile.mkdtemp()), Limits())
    >>> with files.adding() as folder:
    ...     _ = (folder / "data.csv").write_text("a,b")
    ...     kept = files.keep(folder, Stored("", "../my data.csv", "user_data", "me", 0, 3, "", ".csv"))
    >>> kept.name, files.path(kept.id, Caller("me")).name, files.listed(Caller("you", frozenset()))
    ('my data.csv', 'data.csv', [])
    """

    def __init__(self, place: Workspace, limits: Limits) -> None:
        self.place, self.limits = place, limits

    def get(self, id: str, caller: Caller) -> Stored:
        """What was said of a file; Missing for anything that is no number of one of theirs."""
        found = self._about(id) if _ID.fullmatch(id) else None
        if found is None or not caller.owns(found.owner):
            raise Missing(f"no file {id[:80]!r}", code="file_not_found", param="file", remedy="GET /v1/files lists yours")
        return found

    def path(self, id: str, caller: Caller) -> Path:
        """Where a file (or the folder of a set) is, for `ilk.read`."""
        found = self.get(id, caller)
        return self.place.part("files") / id / (SET if found.is_set else SET + found.suffix)

    def listed(self, caller: Caller) -> list[Stored]:
        """Theirs, the newest first."""
        return sorted((f for f in self._all() if caller.owns(f.owner)), key=lambda f: (-f.created, f.id))

    def remove(self, id: str, caller: Caller) -> None:
        """Takes it away, its description last: what was removed in part is removed at the next start."""
        self.get(id, caller)
        gone = self.place.part("temporary") / f"gone-{secrets.token_hex(8)}"
        os.rename(self.place.part("files") / id, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def room(self, owner: str) -> int:
        """Bytes that are left to them; ResourceError (507) where the workspace is full."""
        held = list(self._all())
        if sum(f.bytes for f in held) >= self.limits.workspace:
            raise ResourceError("the workspace is full", code="DISK_FULL", remedy="delete files that are not needed")
        return self.limits.uploads - sum(f.bytes for f in held if f.owner == owner)

    @contextmanager
    def adding(self) -> Iterator[Path]:
        """A folder for an upload, gone afterwards unless it was kept; a full disk is a ResourceError (507)."""
        folder = self.place.part("temporary") / f"upload-{secrets.token_hex(12)}"
        try:
            folder.mkdir(mode=0o700)
            yield folder
        except OSError as why:
            raise why if isinstance(why, IlkError) else ResourceError("there is no room for the file", code="DISK_FULL", remedy="delete files that are not needed") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, folder: Path, said: Stored) -> Stored:
        """Gives what is in the folder a number, once it is on disk; TooLarge (413) where that is more than their total."""
        name = printable(re.split(r"[/\\]", said.name)[-1]).strip()[:200] or "file"
        made = Stored(**{**asdict(said), "id": f"file-{secrets.token_hex(12)}", "name": name, "created": int(time.time())})
        (folder / ABOUT).write_text(json.dumps(asdict(made)), encoding="utf-8")
        for path in (*(p for p in folder.rglob("*")), folder):
            _synced(path)
        with _ADDING:
            if made.bytes > self.room(made.owner):
                raise TooLarge(f"the files of this key would be more than {self.limits.uploads} bytes", code="quota", param="file", remedy="delete some")
            os.rename(folder, self.place.part("files") / made.id)
        _synced(self.place.part("files"))
        return made

    def tidy(self) -> None:
        """Removes what uploads left that were never finished: those of a server that was killed."""
        for path in self.place.part("temporary").iterdir():
            with suppress(OSError):
                if path.name.startswith("gone-") or (path.name.startswith("upload-") and time.time() - path.stat().st_mtime > STALE):
                    shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> Iterator[Stored]:
        for name in os.listdir(self.place.part("files")):
            if _ID.fullmatch(name) and (found := self._about(name)) is not None:
                yield found

    def _about(self, id: str) -> Stored | None:
        try:
            return Stored(**json.loads((self.place.part("files") / id / ABOUT).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _synced(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def part_name(name: str, taken: Sequence[str]) -> str:
    """A plain name for one file of a set, which leads nowhere: the folder that it was in (a class of pictures) and its own.

    >>> part_name("../../etc/passwd", ()), part_name("cats/1.png", ("cats/1.png",)), part_name(".hidden", ())
    ('etc/passwd', 'cats/1-2.png', 'hidden')
    """
    words = [re.sub(r"[^\w.-]", "_", w, flags=re.ASCII).lstrip(".")[-100:] for w in re.split(r"[/\\]", name)]
    plain = PurePosixPath(*[w for w in words if w][-2:] or ["file"])
    found, number = plain, 1
    while str(found) in taken:
        number += 1
        found = plain.with_name(f"{plain.stem}-{number}{plain.suffix}")
    return str(found)
