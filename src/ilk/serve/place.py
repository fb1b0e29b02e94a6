"""The workspace: the folder in which a server, the studio and `ilk jobs` keep models, files, libraries, jobs and keys."""
from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ilk.errors import IlkError, ResourceError, UsageError
from ilk.files import not_written


@dataclass(frozen=True)
class Workspace:
    """Its parts, each made when it is first used.

    >>> import tempfile
    >>> Workspace.at(tempfile.mkdtemp()).part("models").name
    'models'
    """

    root: Path

    @classmethod
    def at(cls, where: str | Path | None = None) -> Workspace:
        """A folder; by default `workspace` in $ILK_HOME, else in `ilk` in the user's data folder. ResourceError where it can't be made."""
        if where is None:
            base = os.environ.get("XDG_DATA_HOME", "")
            home = os.environ.get("ILK_HOME") or (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "ilk"
            where = Path(home) / "workspace"
        root = Path(where).absolute()
        if root.exists() and not root.is_dir():
            raise UsageError(f"{root} is a file", code="WORKSPACE", param="workspace", remedy="name a folder")
        return cls(_made(root))

    @contextmanager
    def alone(self) -> Iterator[Workspace]:
        """The workspace of this process only, for as long as the block runs; ResourceError (code WORKSPACE_BUSY) where another server has it."""
        with open(self.root / "lock", "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ResourceError(f"another server uses the workspace {self.root}", code="WORKSPACE_BUSY", remedy="--workspace FOLDER, or end that one") from None
            yield self

    def part(self, name: str) -> Path:
        """The folder of that part: models, files, libraries, jobs, keys, temporary."""
        return _made(self.root / name)

    def inside(self, part: str, name: str) -> Path:
        """A path inside a part; UsageError (code PATH) for a name that would lead out of it, or is no plain name."""
        path = (self.part(part) / name)
        if not name or name.startswith(".") or path.name != name or "\0" in name or len(name.encode("utf-8", "replace")) > 200:
            raise UsageError(f"{name[:80]!r} is no name of one of the {part}", code="PATH", param="name", remedy="letters, digits, - and _")
        return path


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as why:
        if isinstance(why, IlkError):
            raise
        raise not_written(folder, why) from None
    return folder
