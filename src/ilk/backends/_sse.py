"""Server-sent events, as the HTML standard has them, with a limit on what is held."""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import ModelError

MOST = 4 << 20   # bytes of one event


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event, however the bytes are cut; what was not ended by an empty line is left out, as the standard says.

    Raises ModelError (code ENDPOINT_GARBAGE, TOO_LARGE). An `error:` field, which some servers send, is an event as well.

    >>> list(events([b"data: one", b"\\r", b"\\ndata:two\\n\\n: said to keep alive\\n\\ndata: cut sho"]))
    ['one\\ntwo']
    """
    data, size = list[str](), 0
    for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and data:
            yield "\n".join(data)
            data, size = [], 0
        elif name == "data" or (name == "error" and value.startswith("{")):
            data.append(value if name == "data" else f'{{"error": {value}}}')
            size += len(value) + 1
        if size > MOST:
            raise _too_large()


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines that were ended, by LF, CR LF or CR."""
    held, looked, first = bytearray(), 0, True
    for chunk in chunks:
        held += chunk
        while (end := _end(held, looked)) is not None:
            line = _text(bytes(held[:end[0]]))
            yield line.removeprefix("\ufeff") if first else line
            del held[:end[1]]
            looked, first = 0, False
        looked = max(0, len(held) - 1)
        if len(held) > MOST:
            raise _too_large()


def _end(held: bytearray, start: int) -> tuple[int, int] | None:
    """Where the first line ends and the next begins; None while that is not known: a CR at the very end may be half of CR LF."""
    ends = [at for at in (held.find(b"\n", start), held.find(b"\r", start)) if at >= 0]
    if not ends or (held[min(ends)] == 13 and min(ends) + 1 == len(held)):
        return None
    at = min(ends)
    return at, at + (2 if held[at:at + 2] == b"\r\n" else 1)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise ModelError("the server's answer is not UTF-8", code="ENDPOINT_GARBAGE") from None


def _too_large() -> ModelError:
    return ModelError(f"the server sends a single event of more than {MOST >> 20} MiB", code="TOO_LARGE")
