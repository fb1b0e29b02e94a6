"""The content of an entry: frames, texts, arrays, chords or sounds, by split; what no one has split stands under "all"."""
from __future__ import annotations

import importlib
import io
import json
import re
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .fetching import fetch
from .index import Entry, entry
from .unpack import gunzip, pick

T = TypeVar("T")
_QUATRAIN = re.compile(r"((?:\w{5}[，。！？；：、]){2})((?:\w{5}[，。！？；：、]){2})|((?:\w{7}[，。！？；：、]){2})((?:\w{7}[，。！？；：、]){2})")

_PARTS = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}   # of speech, by WordNet's letters


@dataclass(frozen=True, eq=False)
class Arrays:
    """Items as an array, the first axis counting them, and a class and a caption per item if they have them."""

    items: NDArray[np.uint8]
    labels: NDArray[Any] | None = None
    captions: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Sounds:
    """Recordings of one channel, with what is said in each and by whom."""

    waves: list[NDArray[np.int16]]
    rate: int
    labels: NDArray[np.int64]
    speakers: list[str]


def frames(name: str, offline: bool = False) -> dict[str, pl.DataFrame]:
    """A table's rows by split; whole numbers are Int64, other numbers Float64, the rest String.

    >>> frames("iris")["all"].shape
    (150, 5)
    """
    return _loaded(name, offline, "a table", {"csv": _csv, "bits": _csv, "bunch": _bunch})


def texts(name: str, offline: bool = False) -> dict[str, list[str]]:
    """Texts by split.

    >>> texts("topics")["all"][0].strip() != ""
    True
    """
    return _loaded(name, offline, "text", {"text": _whole, "topics": _topics, "poems": _poems, "quatrains": _quatrains, "glosses": _glosses})


def whole(name: str) -> str:
    """A data set that is one text, uncut.

    >>> whole("topics")[:1].strip() != ""
    True
    """
    return next(iter(texts(name).values()))[0]


def arrays(name: str, offline: bool = False) -> dict[str, Arrays]:
    """Arrays of bytes by split.

    >>> arrays("digits")["all"].items.shape
    (1797, 8, 8)
    """
    return _loaded(name, offline, "an array", {"bits": _bits, "images": _images, "greys": _greys, "emoji": _emoji, "shapes": _shapes})


def chords(name: str, offline: bool = False) -> dict[str, list[list[list[int]]]]:
    """Pieces by split: each a list of moments, each the MIDI notes that sound then."""
    return _loaded(name, offline, "music", {"chords": _chords})


def sounds(name: str, offline: bool = False) -> dict[str, Sounds]:
    """Recordings by split."""
    return _loaded(name, offline, "sound", {"recordings": _recordings})


Reader = Callable[[Entry, dict[str, list[bytes]]], dict[str, T]]


def _loaded(name: str, offline: bool, what: str, readers: dict[str, Reader[T]]) -> dict[str, T]:
    asked = entry(name)
    read = readers.get(asked.reading.form)
    if read is None:
        raise UsageError(f"the data {name} are not {what}: they are of the modality {asked.modality}", code="MODALITY", param="data")
    paths = fetch(name, offline)
    content: dict[str, list[bytes]] = {}
    for file in asked.files:
        content.setdefault(file.split, []).append(_content(paths[file.path]))
    try:
        return read(asked, content)
    except (pl.exceptions.PolarsError, ValueError, LookupError, EOFError, wave.Error) as why:
        if isinstance(why, DataError):
            raise
        raise DataError(f"the data {name} can't be read: {why}", code="DATA_DAMAGED") from None


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gunzip(data) if path.name.endswith(".gz") and not path.name.endswith(".tar.gz") else data


def _csv(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, pl.DataFrame]:
    raw = {split: pl.concat([_words(asked, data) for data in parts]) for split, parts in content.items()}
    whole = pl.concat(list(raw.values()))
    typed = whole.with_columns([_typed(column) for column in whole.get_columns()])
    ends = np.cumsum([0, *(len(part) for part in raw.values())]).tolist()
    return {split: typed.slice(start, len(part)) for start, (split, part) in zip(ends, raw.items(), strict=False)}


def _words(asked: Entry, data: bytes) -> pl.DataFrame:
    """The cells of a csv as text, trimmed; null where they are missing."""
    how = asked.reading
    if how.skip:
        no_row = re.compile(how.skip)
        data = "\n".join(line for line in data.decode("utf-8").splitlines() if not no_row.search(line)).encode()
    frame = pl.read_csv(io.BytesIO(data), has_header=how.header and not how.columns, infer_schema=False)
    frame.columns = list(how.columns) or (frame.columns if how.header else [f"x{i}" for i in range(frame.width)])
    cells = [pl.col(c).str.strip_chars().str.strip_suffix(how.strip.get(c, "")) for c in frame.columns]
    gone = ["", *how.missing]
    return frame.with_columns(cells).with_columns(pl.when(pl.all().is_in(gone)).then(None).otherwise(pl.all()).name.keep())


def _typed(column: pl.Series) -> pl.Series:
    """The column as numbers, if all that is there are numbers."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() == column.null_count() < len(column):
            return numbers
    return column


def _toy(asked: Entry) -> Any:
    """What scikit-learn's own loader gives, in raw units."""
    loader = asked.sources[0].name
    try:
        load = getattr(importlib.import_module("sklearn.datasets"), loader)
    except ImportError:
        raise DataError(f"the data {asked.name} come with scikit-learn, which is not installed", code="DATA_MISSING",
                        remedy="pip install scikit-learn") from None
    return load(scaled=False) if loader == "load_diabetes" else load()


def _bunch(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, pl.DataFrame]:
    toy = _toy(asked)
    classes = getattr(toy, "target_names", None)
    target = toy.target if classes is None else [str(classes[i]) for i in toy.target]
    columns = [*toy.data.T, target]
    frame = pl.DataFrame({name: column for name, column in zip(asked.reading.columns, columns, strict=True)})
    whole = [c.cast(pl.Int64) for c in frame.get_columns() if c.dtype == pl.Float64 and (c == c.round()).all()]
    return {"all": frame.with_columns(whole)}


def _images(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Arrays]:
    toy = _toy(asked)
    return {"all": Arrays(toy.images.astype(np.uint8), toy.target.astype(np.int64))}


def _bits(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Arrays]:
    return {split: Arrays(frame.cast(pl.UInt8).to_numpy()) for split, frame in _csv(asked, content).items()}


def _greys(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Arrays]:
    """Images of the classes 0, 1, ... in files of that order, as fractions of 255."""
    stacks = [np.asarray(json.loads(data)["data"], dtype=np.float64).reshape(-1, 28, 28) for data in content["all"]]
    labels = np.repeat(np.arange(len(stacks)), [len(s) for s in stacks])
    return {"all": Arrays((np.concatenate(stacks) * 255).round().astype(np.uint8), labels.astype(np.int64))}


def _emoji(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Arrays]:
    from .emoji import pictures

    return {split: Arrays(*pictures(data[0])) for split, data in content.items()}


def _shapes(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Arrays]:
    from .shapes import pictures

    found = {split: pictures(data[0]) for split, data in content.items()}
    return {split: Arrays(items, shown, [f"a {name}" for name in shown]) for split, (items, shown) in found.items()}


def _whole(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {split: [data.decode("utf-8") for data in parts] for split, parts in content.items()}


def _topics(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[str]]:
    from pydoc_data.topics import topics

    paragraphs = (p.strip() for topic in sorted(topics) for p in re.split(r"\n\s*\n", topics[topic]))
    return {"all": [p for p in paragraphs if len(p) >= 40]}


def _poems(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Poems as their title and lines; those without lines or known to be damaged are left out."""
    return {split: [poem for data in parts for poem in _lines(json.loads(data))] for split, parts in content.items()}


def _lines(poems: Sequence[dict[str, Any]]) -> list[str]:
    return ["\n".join([p["title"], *p["paragraphs"]]) for p in poems if p["paragraphs"] and not p.get("error_type")]


def _quatrains(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Poems of four lines of five or of seven characters, without their titles, two lines and their marks a row."""
    return {split: [poem for data in parts for poem in _four(json.loads(data))] for split, parts in content.items()}


def _four(poems: Sequence[dict[str, Any]]) -> list[str]:
    whole = ["".join(p["paragraphs"]) for p in poems if not p.get("error_type")]
    return ["\n".join(half for half in m.groups() if half) for m in map(_QUATRAIN.fullmatch, whole) if m]


def _glosses(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Meanings as "term, term (noun): definition; "example"": lines of WordNet's data files, the licence at their head left out."""
    return {split: [_gloss(line) for data in parts for line in data.decode("utf-8").splitlines() if line[:1] != " "] for split, parts in content.items()}


def _gloss(line: str) -> str:
    facts, _, gloss = line.partition(" | ")
    fields = facts.split(" ")
    terms = [re.sub(r"\(\w+\)$", "", term).replace("_", " ") for term in fields[4:4 + 2 * int(fields[3], 16):2]]
    return f"{', '.join(terms)} ({_PARTS[fields[2]]}): {gloss.strip()}"


def _chords(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, list[list[list[int]]]]:
    pieces = json.loads(content["all"][0])
    return {split: pieces[split] for split in ("train", "valid", "test")}


def _recordings(asked: Entry, content: dict[str, list[bytes]]) -> dict[str, Sounds]:
    """Recordings named LABEL_SPEAKER_NUMBER.wav; the numbers 0 to 4 are the test set."""
    files = pick(io.BytesIO(content["all"][0]), lambda name: name.endswith(".wav"))
    facts = sorted((*name.rpartition("/")[2].removesuffix(".wav").split("_"), name) for name in files)
    parts = {"train": [f for f in facts if int(f[2]) > 4], "test": [f for f in facts if int(f[2]) <= 4]}
    return {split: _sounds(part, files) for split, part in parts.items()}


def _sounds(facts: Sequence[tuple[str, ...]], files: dict[str, bytes]) -> Sounds:
    waves, rates = [], set()
    for fact in facts:
        with wave.open(io.BytesIO(files[fact[3]])) as sound:
            if (sound.getnchannels(), sound.getsampwidth()) != (1, 2):
                raise DataError(f"{fact[3]} is not a recording of one channel and 16 bits", code="DATA_DAMAGED")
            rates.add(sound.getframerate())
            waves.append(np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.int16))
    if len(rates) != 1:
        raise DataError(f"the recordings have {len(rates)} sampling rates", code="DATA_DAMAGED")
    return Sounds(waves, rates.pop(), np.array([int(f[0]) for f in facts], dtype=np.int64), [f[1] for f in facts])
