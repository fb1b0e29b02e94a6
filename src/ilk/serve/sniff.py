"""What an uploaded file is, by its first bytes, and whether ilk reads such files: the name alone is not believed."""
from __future__ import annotations

import re
from pathlib import PurePosixPath

from ilk.errors import UsageError, printable

HEAD = 4096   # bytes looked at
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
TEXTS = (".txt", ".text", ".md", ".markdown", ".rst", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".html", ".htm", ".xhtml", ".py", ".toml", ".yaml", ".yml", ".log")
TAKES = {"picture": PICTURES, "text": TEXTS, "parquet": (".parquet", ".pq"), "arrow": (".arrow", ".feather", ".ipc"), "npy": (".npy",),
         "zip": (".zip", ".npz", ".docx"), "pdf": (".pdf",), "gzip": (".gz",), "idx": ("",)}
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "picture"), (b"\xff\xd8\xff", "picture"), (b"GIF8", "picture"), (b"BM", "picture"), (b"II*\0", "picture"), (b"MM\0*", "picture"),
          (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\x93NUMPY", "npy"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"%PDF-", "pdf"), (b"\x1f\x8b", "gzip"),
          (b"\0\0\x08\x01", "idx"), (b"\0\0\x08\x03", "idx"))
_CODE = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin", ".dill")


class Unsupported(UsageError):
    """A file of a kind that ilk does not take."""

    exit, http, kind, default = 3, 415, "unsupported_media_type", "FILE_TYPE"


def kind_of(head: bytes) -> str | None:
    """The kind of file that begins so, None for one that is not known.

    >>> kind_of(b"a,b\\n1,2\\n"), kind_of(b"\\x89PNG\\r\\n\\x1a\\n"), kind_of(b"\\x7fELF\\0")
    ('text', 'picture', None)
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return "picture" if head[8:12] == b"WEBP" else None
    if re.match(rb"P[1-6]\s", head):
        return "picture"
    if head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "text"
    return None if b"\0" in head or sum(c < 9 or 13 < c < 27 for c in head) * 50 > len(head) else "text"


def suffix_for(name: str, head: bytes) -> str:
    """The suffix to keep the file under; Unsupported (415) where its bytes are of no kind that ilk reads, or of another than its name says."""
    said = PurePosixPath(name).suffix.lower()
    shown = printable(name)[:80]
    if said in _CODE or re.match(rb"\x80[\x02-\x05]", head):
        raise Unsupported(f"{shown!r} may hold code: such files are never opened", code="UNTRUSTED_FORMAT", param="file",
                          remedy="save the weights as safetensors, or the data as .npz, .csv or .parquet, where you trust it")
    if not head:
        raise UsageError(f"{shown!r} is empty", code="EMPTY", param="file", remedy="send a file with something in it")
    kind = kind_of(head)
    if kind is None:
        raise Unsupported(f"{shown!r} is of no kind that is read here", param="file", remedy=f"what is read ends in {', '.join(s for some in TAKES.values() for s in some if s)}")
    if kind == "gzip":
        inner = PurePosixPath(name).with_suffix("").suffix.lower() if said == ".gz" else ""
        return f"{inner}.gz" if inner in TEXTS else ".gz"
    if kind == "idx" or said in TAKES[kind]:
        return "" if kind == "idx" else said
    if not said and kind == "text":
        return ".txt"
    raise Unsupported(f"{shown!r} holds {kind}, which is not what its name says", param="file", remedy=f"{kind} is named with {', '.join(TAKES[kind])}")
