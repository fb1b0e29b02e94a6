"""A folder of prompts by name and version."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ilk.errors import DataError, UsageError, nearest
from ilk.prompts._toml import FENCE
from ilk.prompts.template import Template

MOST = 10_000


@dataclass(frozen=True)
class Library:
    """The prompts of a folder, `.md` files of any name that begin with front matter: `summary@2` is that version, `summary` the latest."""

    prompts: tuple[Template, ...]
    where: str

    @classmethod
    def read(cls, at: str | Path) -> Library:
        """All prompts below a folder; DataError for one that is wrong, or where two say that they are the same version."""
        if not Path(at).is_dir():
            raise DataError(f"there is no folder {at}", code="NOT_FOUND", remedy="a folder of prompts, each a .md file")
        files = sorted(p for p in Path(at).rglob("*.md") if p.is_file())
        if len(files) > MOST:
            raise DataError(f"{at} holds {len(files)} files; the limit is {MOST}", code="TOO_LARGE")
        found: dict[tuple[str, int], tuple[Path, Template]] = {}
        for file in filter(_has_front_matter, files):
            made = Template.read(file)
            if (key := (made.name, made.version)) in found:
                raise DataError(f"{found[key][0]} and {file} are both {made}", code="PROMPT", remedy="give one of them another version")
            found[key] = file, made
        return cls(tuple(found[key][1] for key in sorted(found)), str(at))

    def __iter__(self) -> Iterator[Template]:
        return iter(self.prompts)

    def __getitem__(self, wanted: str) -> Template:
        """By name, or by name@version; UsageError for one that there is not."""
        some = [p for p in self.prompts if wanted in (p.name, str(p))]
        if not some:
            raise UsageError(f"{self.where} has no prompt {wanted!r}", code="NOT_FOUND", remedy=nearest(wanted, {*map(str, self.prompts), *(p.name for p in self.prompts)}))
        return some[-1]


def _has_front_matter(file: Path) -> bool:
    """Whether a file begins as a prompt with a name does; others, such as a README, are none of the library's."""
    try:
        with open(file, "rb") as opened:
            return opened.read(8).removeprefix(b"\xef\xbb\xbf").startswith(FENCE.encode())
    except OSError as why:
        raise DataError(f"{file} can't be read: {why.strerror}", code="UNREADABLE") from None


def found(at: str | Path) -> Template:
    """A prompt by its file, or as FOLDER/NAME or FOLDER/NAME@VERSION."""
    at = Path(at)
    return Library.read(at.parent)[at.name] if not at.exists() and at.suffix != ".md" and at.parent.is_dir() else Template.read(at)
