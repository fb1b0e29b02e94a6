"""Files as they arrive: a multipart form goes to disk piece by piece, counted while it does, and is refused as soon as it is too much."""
from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from ilk.errors import UsageError
from ilk.serve.caller import Caller
from ilk.serve.files import SET, Files, Stored, TooLarge, part_name
from ilk.serve.sniff import HEAD, Unsupported, suffix_for

LENGTHS = {"purpose": 64, "set": 200}   # characters of the fields that are no files
PARTS, FIELD, HEADER = 1000, 4096, 1 << 16   # parts of a form; bytes of a field that is no file; bytes of a header of a part


async def received(request: Request, files: Files, caller: Caller) -> Stored:
    """The file (or the set of files) in a request, kept. UsageError for what is no form, TooLarge (413), Unsupported (415), ResourceError (507)."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise Unsupported("a file is sent as multipart/form-data", code="content_type", remedy="curl -F purpose=user_data -F file=@people.csv .../v1/files")
    room = min(files.room(caller.id), files.limits.uploads)
    with files.adding() as folder:
        form = _Form(folder, files.limits.upload, room)
        try:
            parser = MultipartParser(options.get(b"boundary", b""), form.callbacks(), max_header_size=HEADER) if options.get(b"boundary") else None
            if parser is None:
                raise UsageError("the form has no boundary", code="multipart", param="content-type")
            async for piece in request.stream():
                await asyncio.to_thread(parser.write, piece)
            parser.finalize()
        except FormParserError as why:
            raise UsageError(f"this is no whole multipart form: {str(why)[:200]}", code="multipart", remedy="send it with a client's file upload") from None
        except ClientDisconnect:
            raise UsageError("the upload was cut", code="multipart") from None
        finally:
            form.close()
        said = await asyncio.to_thread(form.stored, caller.id)
        return await asyncio.to_thread(files.keep, folder, said)


@dataclass
class _Part:
    """A part of a form that is a file: where it is written, and its sum."""

    name: str
    path: Path
    size: int = 0
    head: bytes = b""


class _Form:
    """What a form says, while it is read: the parser calls its methods."""

    def __init__(self, folder: Path, most: int, room: int) -> None:
        self.folder, self.most, self.room = folder, most, room
        self.fields, self.parts, self.sum, self.ended = dict[str, str](), list[_Part](), hashlib.sha256(), False
        self._headers, self._name, self._value = dict[bytes, bytes](), b"", b""
        self._count, self._field, self._text = 0, "", bytearray()
        self._file: BinaryIO | None = None

    def callbacks(self) -> dict[str, object]:
        """By the names that the parser knows."""
        return {"on_part_begin": self._begin, "on_header_field": self._header_field, "on_header_value": self._header_value, "on_header_end": self._header_end,
                "on_headers_finished": self._open, "on_part_data": self._data, "on_part_end": self._part_end, "on_end": self._end}

    def _begin(self) -> None:
        self._headers, self._count = {}, self._count + 1
        if self._count > PARTS:
            raise TooLarge(f"more than {PARTS} parts in a form", code="parts", param="file", remedy="send a zip")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _open(self) -> None:
        _, said = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = said.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in said:
            if self._field != "file":
                raise UsageError(f"a file is sent as `file`, not as {self._field[:40]!r}", code="multipart", param="file")
            part = _Part(said[b"filename"].decode("utf-8", "replace"), self.folder / f"{len(self.parts)}.part")
            self.parts.append(part)
            self._file = open(part.path, "xb", buffering=1 << 16)  # noqa: SIM115 - closed at the end of the part, or of the form

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._text += data[start:end]
            if len(self._text) > FIELD:
                raise TooLarge(f"the field {self._field[:40]!r} has more than {FIELD} bytes", param=self._field[:40])
            return
        part = self.parts[-1]
        part.size += end - start
        self.room -= end - start
        if part.size > self.most:
            raise TooLarge(f"the file has more than {self.most} bytes", code="file_too_large", param="file", remedy="send less, or raise the limit `upload` of the server")
        if self.room < 0:
            raise TooLarge("the files of this key would be more than they may be", code="quota", param="file", remedy="delete some")
        part.head += data[start:min(end, start + HEAD - len(part.head))]
        self.sum.update(memoryview(data)[start:end])
        self._file.write(memoryview(data)[start:end])

    def _part_end(self) -> None:
        if self._file is None:
            self.fields[self._field], self._text = self._text.decode("utf-8", "replace"), bytearray()
        self.close()

    def _end(self) -> None:
        self.ended = True

    def close(self) -> None:
        """Closes the file that is being written, if there is one."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def stored(self, owner: str) -> Stored:
        """What was sent, under the names that it is kept by."""
        if not self.ended:
            raise UsageError("the form ends in the middle", code="multipart")
        if not self.parts:
            raise UsageError("there is no `file` in the form", code="multipart", param="file", remedy="curl -F file=@people.csv .../v1/files")
        for name, most in LENGTHS.items():
            if len(self.fields.get(name, "")) > most:
                raise UsageError(f"{name} has more than {most} characters", code="multipart", param=name)
        suffixes = [suffix_for(p.name, p.head) for p in self.parts]
        size, purpose, asked = sum(p.size for p in self.parts), self.fields.get("purpose", "user_data"), self.fields.get("set", "")
        if len(self.parts) == 1 and not asked:
            self.parts[0].path.rename(self.folder / (SET + suffixes[0]))
            return Stored("", self.parts[0].name, purpose, owner, 0, size, self.sum.hexdigest(), suffixes[0])
        names: list[str] = []
        for part in self.parts:
            names.append(part_name(part.name, names))
            to = self.folder / SET / names[-1]
            to.parent.mkdir(parents=True, exist_ok=True)
            part.path.rename(to)
        return Stored("", asked or f"{len(names)} files", purpose, owner, 0, size, self.sum.hexdigest(), "/", len(names))
