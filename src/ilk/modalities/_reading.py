"""Files and frames as polars frames, with the place of whatever is wrong with them."""
from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ilk.errors import DataError, ResourceError
from ilk.modalities._rows import Rows
from ilk.modality import Limits

SEPARATORS = (",", "\t", ";", "|")
SUFFIXES = (".csv", ".tsv", ".tab", ".parquet", ".pq", ".arrow", ".feather", ".ipc", ".jsonl", ".ndjson")
STREAM = 1 << 30  # a file larger than this stays on disk, a CSV rewritten as Arrow


@dataclass(frozen=True)
class Found:
    """A frame, or rows that stay on disk; what was noticed, and the number that row 0 has in the file."""

    frame: pl.DataFrame | Rows
    notes: tuple[str, ...] = ()
    first_row: int = 1


def read_file(at: Path, separator: str | None, encoding: str | None, limits: Limits) -> Found:
    """A table file of any known kind; DataError with the place when it can't be read."""
    try:
        size = at.stat().st_size
    except FileNotFoundError:
        raise DataError(f"there is no file {at}", code="NOT_FOUND", remedy="check the path; `ilk list data` names what can be had without one") from None
    except OSError as why:
        raise DataError(f"{at} can't be read: {why.strerror}", code="UNREADABLE") from None
    if size == 0:
        raise DataError(f"{at} is empty", code="EMPTY", remedy="a table needs a header and at least two rows")
    if size > limits.bytes:
        raise ResourceError(f"{at} is larger than {limits.bytes >> 30} GiB", code="TOO_LARGE")
    suffix = at.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            return Found(Rows.of(at) if size > STREAM else pl.read_parquet(at))
        if suffix in (".arrow", ".feather", ".ipc"):
            return Found(Rows.of(at) if size > STREAM else pl.read_ipc(at))
        if suffix in (".jsonl", ".ndjson"):
            return Found(pl.read_ndjson(at, infer_schema_length=None))
        if size > STREAM:
            return _streamed(at, separator or ("\t" if suffix in (".tsv", ".tab") else ","))
        return _csv(at, separator or ("\t" if suffix in (".tsv", ".tab") else None), encoding)
    except PermissionError:
        raise DataError(f"{at} can't be read: permission denied", code="UNREADABLE") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as why:
        raise DataError(f"{at} is not a {suffix[1:] or 'table'} file that can be read: {str(why).splitlines()[0][:200]}", code="FORMAT") from None


def _streamed(at: Path, separator: str) -> Found:
    """A CSV that would fill memory: written once as Arrow by a streaming reader, its rows then read as they are used."""
    into = Path(tempfile.mkdtemp(prefix="ilk-")) / "table.arrow"
    pl.scan_csv(at, separator=separator, infer_schema=False).sink_ipc(into, compression="uncompressed")
    return Found(Rows.of(into), ("streamed to disk: larger than 1 GiB",), 2)


def _csv(at: Path, separator: str | None, encoding: str | None) -> Found:
    from ilk.modalities._encoding import decode

    text, used = decode(at.read_bytes(), str(at), encoding)
    notes = () if used.lower().replace("_", "-") in ("utf-8", "ascii") else (f"read as {used}",)
    if not text.strip():
        raise DataError(f"{at} is empty", code="EMPTY", remedy="a table needs a header and at least two rows")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    used_separator = separator or _separator(text)
    names = _names(at, text, used_separator)
    frame = pl.read_csv(io.BytesIO(text.encode()), separator=used_separator, infer_schema=False, has_header=True)
    frame.columns = names
    return Found(frame, notes, 2)


def _separator(text: str) -> str:
    """The separator that the header has most of and the next lines agree on."""
    lines = [line for line in text.split("\n", 20)[:20] if line]
    counts = {s: [len(row) for row in csv.reader(lines, delimiter=s)] for s in SEPARATORS}
    agree = {s: (len(set(c)) == 1, c[0]) for s, c in counts.items() if c}
    best = max(agree, key=lambda s: (agree[s][1] > 1, *agree[s]))
    return best if agree[best][1] > 1 else ","


def _names(at: Path, text: str, separator: str) -> list[str]:
    """The names of a header without doubles; DataError with the row unless every row has as many cells."""
    head = next(csv.reader(io.StringIO(text), delimiter=separator))
    names = [n.strip() for n in head]
    for i, name in enumerate(names):
        if not name:
            raise DataError(f"{at} row 1: column {i + 1} has no name", code="HEADER", remedy="the first row must name every column")
        if name in names[:i]:
            raise DataError(f'{at} row 1: two columns are named "{name}"', code="DUPLICATE_HEADER", remedy="rename one of them")
    if '"' in text:
        rows = _ragged_quoted(at, text, separator, len(names))
    else:
        lines = pl.Series(text.split("\n"))
        counts = lines.str.count_matches(separator, literal=True)
        bad = ((counts != len(names) - 1) & (lines.str.strip_chars() != "")).arg_true()
        rows = [(int(i) + 1, int(counts[int(i)]) + 1) for i in bad[:1]]
    for row, cells in rows:
        raise DataError(f"{at} row {row} has {cells} cells, the header has {len(names)}", code="RAGGED",
                        remedy="mend the row; text with a separator in it goes in double quotes")
    return names


def _ragged_quoted(at: Path, text: str, separator: str, width: int) -> list[tuple[int, int]]:
    csv.field_size_limit(1 << 27)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            if row and len(row) != width:
                return [(reader.line_num, len(row))]
    except csv.Error as why:
        raise DataError(f"{at} row {reader.line_num}: {why}", code="FORMAT", remedy="close the quotation marks") from None
    return []


def from_memory(raw: Any) -> Found:
    """A polars, pandas or pyarrow frame, or a mapping of columns."""
    if isinstance(raw, pl.DataFrame):
        return Found(raw)
    if isinstance(raw, pl.LazyFrame):
        return Found(raw.collect())
    if isinstance(raw, dict):
        return Found(pl.DataFrame(raw, strict=False))
    import narwhals.stable.v2 as nw

    try:
        frame = nw.from_native(raw, eager_only=True)
        made: pl.DataFrame = pl.DataFrame([pl.Series(n, _listed(frame[n]), strict=False) for n in _unique(frame.columns)])
    except (TypeError, pl.exceptions.PolarsError) as why:
        raise DataError(f"{type(raw).__name__} is not a table: {why}", code="FORMAT", remedy="a polars, pandas or pyarrow frame") from None
    return Found(made)


def _unique(names: Sequence[str]) -> Sequence[str]:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f'two columns are named "{name}"', code="DUPLICATE_HEADER", remedy="rename one of them")
    return names


def _listed(series: Any) -> Any:
    return series.to_list() if series.null_count() or not series.dtype.is_numeric() else series.to_numpy()
