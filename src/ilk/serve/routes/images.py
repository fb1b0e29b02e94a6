"""Routes: pictures, as OpenAI's clients ask for them."""
from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from ilk.errors import UsageError
from ilk.serve.body import Strict, bytes_of
from ilk.serve.caller import needs
from ilk.serve.openai.fields import header_of
from ilk.serve.openai.images import EditAsked, GenerationAsked, PictureAsked, VariationAsked, about, given, items_of, pictures, redone
from ilk.serve.openai.told import Pictures
from ilk.serve.refusals import Unsupported
from ilk.serve.routes._openai import known
from ilk.serve.server import Has, Server
from ilk.serve.wire import unless_gone
from ilk.serve.work import Ask

router = APIRouter(prefix="/v1/images", tags=["openai"], dependencies=[needs("chat")], route_class=Strict)
EXAMPLES: Any = {"digit": {"summary": "A picture of a label", "value": {"model": "digits", "prompt": "7", "n": 1, "seed": 0}}}
NUMBERS = {"n": int, "seed": int, "output_compression": int, "partial_images": int, "strength": float}
Form = TypeVar("Form", bound=PictureAsked)


def _form(kind: type[PictureAsked], files: Mapping[str, bool]) -> dict[str, Any]:
    """How the description of the routes tells a form with files, each with whether it must be there."""
    schema = kind.model_json_schema()
    properties = {**{name: _said(rule) for name, rule in schema["properties"].items()}, **{name: {"type": "string", "format": "binary"} for name in files}}
    whole = {"type": "object", "properties": properties, "required": [*schema["required"], *(name for name, must in files.items() if must)]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": whole}}}}


def _said(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The rule of a field without null, which no form can say."""
    some = [r for r in rule.get("anyOf", ()) if r != {"type": "null"}]
    return {**{k: v for k, v in rule.items() if k not in ("anyOf", "default")}, **(some[0] if len(some) == 1 else {"anyOf": some} if some else {})}


@router.post("/generations", summary="New pictures", response_model=Pictures)
async def generate(request: Request, server: Has, asked: Annotated[GenerationAsked, Body(openapi_examples=EXAMPLES)]) -> JSONResponse:
    """New pictures of a model, of a caption or a label that it knows."""
    known(server.engine, asked.model)
    drawn = asked.drawn(server.limits)

    async def work() -> dict[str, Any]:
        facts = await about(server.engine, asked)
        return await pictures(server.engine, asked, Ask("sample", {**drawn, **given(facts, asked.prompt)}), facts)
    return _answer(await unless_gone(request, work()), asked, drawn)


@router.post("/edits", summary="A part of a picture made anew", response_model=Pictures, openapi_extra=_form(EditAsked, {"image": True, "mask": True}))
async def edit(request: Request, server: Has) -> JSONResponse:
    """The picture with what the mask leaves transparent made anew, in ways that fit the rest."""
    asked, files = await _asked(request, server, EditAsked)
    drawn, image, mask = asked.drawn(server.limits), files.one("image"), files.one("mask")

    async def work() -> dict[str, Any]:
        facts = await about(server.engine, asked)
        body = {**drawn, **given(facts, asked.prompt), "items": items_of([image]), "redo": {"mask": 1}}
        return await pictures(server.engine, asked, Ask("edit", body, (image, await asyncio.to_thread(redone, mask))), facts)
    return _answer(await unless_gone(request, work()), asked, drawn)


@router.post("/variations", summary="Pictures like one", response_model=Pictures, openapi_extra=_form(VariationAsked, {"image": True}))
async def vary(request: Request, server: Has) -> JSONResponse:
    """Pictures near one, by the model's own code or noise."""
    asked, files = await _asked(request, server, VariationAsked)
    drawn, image = asked.drawn(server.limits), files.one("image")
    strength = {} if asked.strength is None else {"strength": asked.strength}

    async def work() -> dict[str, Any]:
        facts = await about(server.engine, asked)
        return await pictures(server.engine, asked, Ask("vary", {**drawn, **strength, "items": items_of([image])}, (image,)), facts)
    return _answer(await unless_gone(request, work()), asked, drawn)


def _answer(said: dict[str, Any], asked: PictureAsked, drawn: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(said, headers={**header_of(asked.ignored()), "x-ilk-seed": str(drawn["seed"])})


@dataclass(frozen=True)
class _Files:
    """Files of a form, by name."""

    files: Mapping[str, Sequence[bytes]]

    def one(self, name: str) -> bytes:
        """The one of that name; UsageError where there is none, or more."""
        found = self.files.get(name, ())
        if len(found) != 1:
            raise UsageError(f"{name}: one file is taken, and there are {len(found)}", code="invalid_request", param=name, remedy="send it as multipart/form-data")
        return found[0]


async def _asked(request: Request, server: Server, kind: type[Form]) -> tuple[Form, _Files]:
    """The fields and files of a form; UsageError for one that is none."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Unsupported("a picture comes as multipart/form-data")
    request._body = await bytes_of(request, server.limits.upload)
    async with request.form(max_files=4, max_fields=64) as form:
        files: dict[str, list[bytes]] = {}
        fields: dict[str, Any] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.setdefault(name.removesuffix("[]"), []).append(await value.read())
            elif name not in files:
                fields[name] = value
    asked = _checked(kind, fields)
    known(server.engine, asked.model)
    return asked, _Files(files)


def _checked(kind: type[Form], fields: Mapping[str, Any]) -> Form:
    try:
        return kind.model_validate({k: _number(k, v) for k, v in fields.items()})
    except ValidationError as why:
        first = why.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UsageError(f"{at or 'the form'}: {first['msg']}", code="invalid_request", param=at or None) from None


def _number(name: str, value: str) -> Any:
    """A field of a form that stands for a number as one, if it is one; `false` as itself."""
    try:
        return NUMBERS[name](value) if name in NUMBERS and len(value) < 40 else value == "true" if name == "stream" and value in ("true", "false") else value
    except ValueError:
        return value
