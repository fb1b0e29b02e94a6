"""The tables of a library, and how its file is opened."""
from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

from ilk.errors import DataError, ResourceError, UsageError
from ilk.vectors import FILE

FORMAT = "1"
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (name TEXT PRIMARY KEY, sha TEXT NOT NULL, status TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE documents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, file TEXT NOT NULL, sha TEXT UNIQUE NOT NULL, text TEXT NOT NULL,
                        sections TEXT NOT NULL, facts TEXT NOT NULL, notes TEXT NOT NULL, sketch BLOB NOT NULL);
CREATE INDEX documents_file ON documents (file);
CREATE TABLE passages (row INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER UNIQUE NOT NULL, document INTEGER NOT NULL, position INTEGER NOT NULL,
                       start INTEGER NOT NULL, stop INTEGER NOT NULL, section INTEGER NOT NULL, UNIQUE (document, position));
CREATE VIRTUAL TABLE words USING fts5 (tokens, tokenize = 'ascii');
CREATE TABLE staged (name TEXT PRIMARY KEY, file TEXT NOT NULL, sha TEXT UNIQUE NOT NULL, text TEXT NOT NULL, sections TEXT NOT NULL, facts TEXT NOT NULL,
                     notes TEXT NOT NULL, sketch BLOB NOT NULL, spans TEXT NOT NULL, vectors BLOB NOT NULL);
CREATE TABLE staged_files (name TEXT PRIMARY KEY, sha TEXT NOT NULL, status TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE stale (id INTEGER PRIMARY KEY);
"""


def made(at: Path, facts: dict[str, object]) -> None:
    """A new, empty library; nothing is there until all of it is."""
    at.mkdir(parents=True, exist_ok=True)
    part = at / f".{FILE}.part"
    part.unlink(missing_ok=True)
    db = sqlite3.connect(part, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(f"BEGIN; {_TABLES}")
    db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("generation", "0"), *((k, json.dumps(v)) for k, v in facts.items())])
    db.execute("COMMIT")
    db.close()
    os.replace(part, at / FILE)


def opened(at: Path) -> sqlite3.Connection:
    """The file of a library, checked to be one; readers of a folder that nobody can write to take it as it is."""
    file = at / FILE
    if not file.is_file():
        raise UsageError(f"there is no library in {at}", code="NO_LIBRARY", param="library", remedy=f"make one: ilk index PATH --out {at}")
    frozen = "" if os.access(at, os.W_OK) else "&immutable=1"
    try:
        db = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=rw{frozen}", uri=True, timeout=60, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA synchronous = NORMAL")   # a commit outlasts the process; after a power cut the last one may be missing, whole
        found = db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    except sqlite3.Error as why:
        raise troubled(at, why) from None
    if found is None or found[0] != FORMAT:
        raise DataError(f"{file} is a library of another version of ilk", code="LIBRARY_FORMAT", remedy="index the files anew")
    return db


def troubled(at: Path, why: sqlite3.Error) -> DataError | ResourceError:
    """What is said of a file that is no library any more, or that can't be written."""
    if isinstance(why, sqlite3.OperationalError) and (got := re.search(r"full|readonly|locked|unable to open|disk I/O", str(why))):
        return ResourceError(f"{at / FILE} can't be used: {why}", code="DISK_FULL" if got[0] == "full" else "WRITE", remedy="what was published before is whole")
    return DataError(f"{at / FILE} can't be read as a library: {why}", code="LIBRARY_DAMAGED", remedy="index the files anew into another folder")
