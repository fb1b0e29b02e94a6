"""What a caller may name in a job: their files, the models that are served, libraries."""
from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilk.errors import UsageError
from ilk.files import not_written
from ilk.serve.caller import Caller
from ilk.serve.files import Files, part_name
from ilk.serve.libraries import Libraries
from ilk.serve.server import Server
from ilk.serve.work import lacking


@dataclass(frozen=True)
class CallersShelf:
    """As `ilk.jobs.kinds.Shelf` has it."""

    server: Server
    caller: Caller

    @property
    def _files(self) -> Files:
        return Files(self.server.place, self.server.limits)

    def file(self, id: str) -> Path:
        """Where it is; Missing (404) for another's."""
        return self._files.path(id, self.caller)

    def called(self, id: str) -> str:
        """Its sender's name for it."""
        return self._files.get(id, self.caller).name

    def model(self, name: str) -> str:
        """One of the workspace, else one that is served from elsewhere; Missing (404) for no model."""
        served = {s.name: s.place for s in self.server.engine.served()}
        own = self.server.place.part("models") / f"{name}.ilk"
        if own.parent == self.server.place.part("models") and name == Path(name).name and own.is_dir():
            return str(own)
        if name not in served:
            raise lacking(name, list(served))
        place = served[name]
        return str(Path(place).absolute()) if os.path.exists(place) else place

    def library(self, name: str) -> Path:
        """Where it is or will be; 409 where another's has the name."""
        return Libraries(self.server.place).claim(name, self.caller)

    def sources(self, name: str, ids: Sequence[str]) -> Path:
        """The files of a library under their senders' names, with those given before; told from a job's folder, so that no document is named by a place of this machine."""
        folder = self.server.place.inside("sources", self.library(name).name)
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            for id in ids:
                path, owner = self.file(id), folder / id
                if path.is_dir():
                    raise UsageError(f"{id} is a set of files", code="FILES", param="params.files", remedy="send documents one by one")
                owner.mkdir(exist_ok=True)
                to = owner / part_name(self.called(id).replace("/", "_"), ())
                if not to.exists():
                    _linked(path, to)
        except OSError as why:
            raise why if isinstance(why, UsageError) else not_written(folder, why) from None
        return Path(os.path.relpath(folder, self.server.place.part("jobs") / "one"))


def _linked(path: Path, to: Path) -> None:
    """The same bytes under another name, also after the file was deleted."""
    try:
        os.link(path, to)
    except OSError:
        shutil.copyfile(path, to)
