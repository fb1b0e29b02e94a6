"""A folder as a zip that is sent while it is read: never whole in memory, nothing on disk."""
from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

PIECE = 1 << 18   # bytes read at once


class _Out(io.RawIOBase):
    """Takes what the archive writes until somebody takes it away."""

    def __init__(self) -> None:
        self.held = bytearray()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Holds it."""
        self.held += data
        return len(data)

    def taken(self) -> bytes:
        """All that is held, no longer held."""
        found, self.held = bytes(self.held), bytearray()
        return found


def zipped(folder: Path, top: str) -> Iterator[bytes]:
    """The regular files of a folder under the name `top`, not compressed, in the order of their names; links are left out.

    >>> import tempfile
    >>> at = Path(tempfile.mkdtemp()); _ = (at / "a.txt").write_text("hello")
    >>> zipfile.ZipFile(io.BytesIO(b"".join(zipped(at, "x")))).read("x/a.txt")
    b'hello'
    """
    out = _Out()
    with zipfile.ZipFile(out, "w") as archive:  # type: ignore[type-var]
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            about = zipfile.ZipInfo(f"{top}/{path.relative_to(folder).as_posix()}")
            about.external_attr = 0o644 << 16
            with open(path, "rb") as file, archive.open(about, "w", force_zip64=True) as member:
                while piece := file.read(PIECE):
                    member.write(piece)
                    yield out.taken()
            yield out.taken()
    yield out.taken()
