"""What can be asked for as a job: a kind with its parameters, as JSON has them, becomes a command line. Files and models are named, never a path."""
from __future__ import annotations

import os
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ilk import registry
from ilk.errors import UsageError, nearest
from ilk.flags import DEFAULTS, _guess, options, recipe_named

Id = Annotated[str, Field(description="The number of an uploaded file.", examples=["file-0123456789abcdef01234567"], max_length=80)]
Named = Annotated[str, Field(description="The name of a model that is served.", min_length=1, max_length=200)]
Name = Annotated[str, Field(description="What the result shall be called; by default as the file is.", max_length=200, pattern=r"^[^/\\\x00-\x1f]+$")]
LibraryName = Annotated[str, Field(description="What the library is called.", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Many = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400, description="Wall-clock time.")]
Steps = Annotated[int, Field(ge=1, le=10**9, description="Steps instead of a time: reproducible to the bit.")]
Scalar = str | int | float | bool
Option = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}(\.[a-z][a-z0-9_-]{0,40}){0,3}$")]
Language = Literal["en", "zh"]


class Shelf(Protocol):
    """Where what is named is found. Whatever is not there, or not for whoever asks, is refused."""

    def file(self, id: str) -> Path: ...
    def called(self, id: str) -> str:
        """What the sender of a file called it."""
        ...

    def model(self, name: str) -> str:
        """A folder, or the address of a model."""
        ...

    def sources(self, name: str, ids: Sequence[str]) -> Path:
        """A folder of files under their senders' names."""
        ...

    def library(self, name: str) -> Path: ...


class Params(BaseModel, ABC):
    """The parameters of one kind of job."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    kind: ClassVar[str] = ""

    @abstractmethod
    def words(self, shelf: Shelf) -> list[str]:
        """The command line, run in the folder of the job."""

    def called(self, shelf: Shelf) -> dict[str, Any]:
        """The parameters that were said, files by their senders' names."""
        said = self.model_dump(exclude_unset=True)
        if said.get("file") is not None:
            said["file"] = shelf.called(said["file"])
        return said


class _Timed(Params):
    seconds: Seconds | None = None
    steps: Steps | None = None

    @model_validator(mode="after")
    def _one(self) -> _Timed:
        if self.seconds is not None and self.steps is not None:
            raise ValueError("seconds and steps are two ways to say the same: give one of them")
        return self

    def _time(self) -> list[str]:
        return [f"--budget={self.seconds}s"] if self.seconds is not None else [f"--steps={self.steps}"] if self.steps is not None else []


class Fit(_Timed):
    """A model of a file. `options` are those of the family and of the kind of data."""

    kind = "fit"
    file: Id
    family: str | None = Field(None, max_length=80, description="A family or preset; by default one that suits the data.")
    options: dict[Option, Scalar | list[Scalar] | dict[str, Scalar] | None] = Field({}, max_length=40)
    seed: Seed = 0
    name: Name | None = None

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk fit`; UsageError for options that the family has not."""
        path = shelf.file(self.file)
        words = ["fit", str(path), *([] if self.family is None else [f"--family={_family(self.family)}"]), *_flags(self.options)]
        if stray := [w for w in options(words)[0][2:] if not w.startswith("--family=")]:
            raise UsageError(f"{self.family or 'the family'} has no option {stray[0].partition('=')[0][2:]!r}", code="OPTION", param="params.options",
                             remedy=f"ilk fit --family {self.family or DEFAULTS['fit'].get(_guess(str(path)), 'gmm')} --help lists them")
        return [*words, *self._time(), f"--seed={self.seed}", "--out", f"{_plain(self.name or _stem(shelf.called(self.file)))}.ilk"]


class Tune(_Timed):
    """A pretrained text model taught from examples."""

    kind = "tune"
    model: Named
    file: Id
    tuning: str = Field("lora", max_length=40)
    columns: str | None = Field(None, max_length=400, pattern=r"^[^-]", description="The columns of question and answer, parted by a comma.")
    epochs: int = Field(3, ge=1, le=1000)
    seed: Seed = 0
    name: Name | None = None

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk tune`"""
        more = [] if self.columns is None else [f"--columns={self.columns}"]
        return ["tune", shelf.model(self.model), str(shelf.file(self.file)), f"--tuning={registry.check('tunings', self.tuning)}", *more, f"--epochs={self.epochs}",
                *self._time(), f"--seed={self.seed}", "--out", f"{_plain(self.name or _stem(shelf.called(self.file)))}.ilk"]


class Race(Params):
    """Which family suits a file; the winner becomes a model."""

    kind = "race"
    file: Id
    families: list[Annotated[str, Field(max_length=80)]] = Field([], max_length=40)
    seconds: Seconds = 600
    seed: Seed = 0
    language: Language = "en"
    name: Name | None = None

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk race`"""
        families = [f"--families={','.join(map(_family, self.families))}"] if self.families else []
        return ["race", str(shelf.file(self.file)), *families, f"--budget={self.seconds}s", f"--seed={self.seed}", f"--language={self.language}", "--out", "race",
                "--report", "report.html", "--model", f"{_plain(self.name or _stem(shelf.called(self.file)))}.ilk"]


class _Judged(Params):
    model: Named
    file: Id | None = None
    n: Many | None = None
    seed: Seed = 0

    def _words(self, shelf: Shelf) -> list[str]:
        against = [] if self.file is None else ["--against", str(shelf.file(self.file))]
        return [shelf.model(self.model), *against, *([] if self.n is None else [f"--n={self.n}"]), f"--seed={self.seed}"]


class Evaluate(_Judged):
    """Figures of a model, on held-out items of its data or on a file."""

    kind = "evaluate"

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk evaluate`"""
        return ["evaluate", *self._words(shelf)]


class Audit(_Judged):
    """What a model gives away of its data."""

    kind = "audit"
    language: Language = "en"

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk audit`"""
        return ["audit", *self._words(shelf), f"--language={self.language}", "--page", "audit.html"]


class Report(_Judged):
    """A model on one page."""

    kind = "report"
    language: Language = "en"

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk report`"""
        return ["report", *self._words(shelf), f"--language={self.language}", "--out", "report.html"]


class Index(Params):
    """Files into a library that can be asked."""

    kind = "index"
    files: list[Id] = Field(min_length=1, max_length=1000)
    name: LibraryName

    def called(self, shelf: Shelf) -> dict[str, Any]:
        """Every file by its sender's name."""
        return {"files": [shelf.called(id) for id in self.files], "name": self.name}

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk index`"""
        return ["index", str(shelf.sources(self.name, self.files)), "--out", str(shelf.library(self.name))]


class Export(Params):
    """A model in the form that another library reads, as an archive."""

    kind = "export"
    model: Named
    to: str = Field(max_length=40)

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk export`"""
        return ["export", shelf.model(self.model), f"--to={registry.check('exporters', self.to)}", "--out", "export"]


class Impute(Params):
    """The missing cells of a table filled."""

    kind = "impute"
    model: Named
    file: Id
    best: bool = False
    n: int = Field(1, ge=1, le=1000)
    seed: Seed = 0

    def words(self, shelf: Shelf) -> list[str]:
        """`ilk impute`"""
        more = ["--best"] if self.best else []
        return ["impute", shelf.model(self.model), str(shelf.file(self.file)), *more, f"--n={self.n}", f"--seed={self.seed}", "--out", "filled.csv"]


KINDS: Mapping[str, type[Params]] = {cls.kind: cls for cls in (Fit, Tune, Race, Evaluate, Audit, Index, Report, Export, Impute)}
# Where the results of commands go that were asked for as words and don't say it.
_OUT = {"fit": ("--out", "{}.ilk"), "tune": ("--out", "{}.ilk"), "race": ("--model", "{}.ilk"), "report": ("--out", "report.html"), "audit": ("--page", "audit.html"),
        "export": ("--out", "export"), "impute": ("--out", "filled.csv")}
_PLACES = {"--out", "-o", "--log", "--page", "--report", "--model"}


def params_of(kind: str, said: Mapping[str, Any]) -> Params:
    """The parameters of that kind; UsageError that names the field and what it takes."""
    if kind not in KINDS:
        raise UsageError(f"no kind of job {kind[:40]!r}", code="KIND", param="kind", remedy=nearest(kind, KINDS))
    try:
        return KINDS[kind].model_validate(said)
    except ValidationError as why:
        first = why.errors()[0]
        at = ".".join(["params", *map(str, first["loc"])])
        fields = ", ".join(KINDS[kind].model_fields)
        remedy = f"{kind} takes {fields}" if first["type"] in ("extra_forbidden", "missing") else None
        raise UsageError(f"{at[:120]}: {first['msg']}", code="PARAMS", param=at[:120], remedy=remedy) from None


def words_of(said: Sequence[str], at: Path) -> tuple[str, ...]:
    """A command line as somebody gave it in a folder, to be run in another: files that are there by their whole paths, results where it says or in the job's folder."""
    kind = said[0] if said else ""
    if kind not in KINDS:
        raise UsageError(f"{kind[:40] or 'nothing'} can't be a job", code="KIND", param="words", remedy=nearest(kind, KINDS))
    words = [_whole(word, before, at) for before, word in zip(("", *said), said, strict=False)]
    if kind == "race" and not _says(words, "--out"):
        words += ["--out", "race"]
    if kind == "race" and not _says(words, "--report"):
        words += ["--report", "report.html"]
    if kind in _OUT and not _says(words, _OUT[kind][0]):
        words += [_OUT[kind][0], _OUT[kind][1].format(_stem(next((w for w in said[2 if kind == "tune" else 1:] if not w.startswith("-")), kind)))]
    if kind == "index" and not _says(words, "--out"):
        raise UsageError("no library to index into", param="out", remedy="--out FOLDER")
    return tuple(words)


def shown(words: Sequence[str], root: Path) -> str:
    """A command line as people would type it: what is in the workspace by its name."""
    return shlex.join(["ilk", *(Path(w).name if w.startswith(str(root)) else w for w in words)])


def _whole(word: str, before: str, at: Path) -> str:
    """A word with its path made whole: of what is there, or is to be written."""
    flag, equals, value = word.partition("=")
    if equals and word.startswith("-"):
        return f"{flag}={at / value}" if flag in _PLACES or _there(at, value) else word
    if before in _PLACES:
        return str(at / word)
    value_of_flag = before.startswith("--") and "=" not in before
    path = not word.startswith("-") and (not value_of_flag or "." in word or os.sep in word)
    return str(at / word) if path and _there(at, word) else word


def _there(at: Path, word: str) -> bool:
    return not re.match(r"[a-z]+:", word) and os.path.exists(at / word)


def _says(words: Sequence[str], flag: str) -> bool:
    return any(w == flag or w.startswith(f"{flag}=") or (flag == "--out" and w == "-o") for w in words)


def _flags(said: Mapping[str, Any]) -> list[str]:
    """Options as flags; of a list one each, of a mapping one a pair."""
    found: list[str] = []
    for name, value in said.items():
        flag = f"--{name.replace('_', '-')}"
        many = value if isinstance(value, list) else [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [] if value is None else [value]
        found += [f"{flag}={str(v).lower() if isinstance(v, bool) else v}" for v in many]
    return found


def _family(name: str) -> str:
    recipe_named(name)
    return name


def _stem(name: str) -> str:
    """A plain name of a file's.

    >>> _stem("../my people.csv"), _stem("-.csv"), _stem("人口.csv")
    ('my_people', 'data', '人口')
    """
    return _plain(Path(name.rstrip("/")).name.split(".")[0])


def _plain(name: str) -> str:
    """A name that is a folder's and no flag.

    >>> _plain("--out v1.2 (a)")
    'out_v1.2_a_'
    """
    return re.sub(r"[^\w.-]+", "_", name).lstrip("_.-")[:64] or "data"
