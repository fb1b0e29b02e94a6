"""Messages as OpenAI's clients send them, as turns."""
from __future__ import annotations

from base64 import b64decode
from binascii import Error as NoBase64
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from ilk.chat import Call, Part, Picture, Result, Role, Turn, Words
from ilk.errors import ModelError, UsageError
from ilk.files import parse_json
from ilk.serve.openai.fields import Asked

UNREAD = "(not JSON)"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")


DataUrl = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^data:image/(png|jpeg|webp|gif);base64,([A-Za-z0-9+/]{4})*$"})]


class Address(Asked):
    """Where a picture is: in the address itself."""

    url: DataUrl
    """`data:image/png;base64,...`: addresses elsewhere are not fetched."""
    detail: str | None = None
    """Not heeded."""


class TextPart(Asked):
    """Words."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class PicturePart(Asked):
    """A picture."""

    type: Literal["image_url"]
    image_url: Address


class RefusalPart(Asked):
    """That an answer was refused."""

    type: Literal["refusal"]
    refusal: str


MessagePart = Annotated[TextPart | PicturePart | RefusalPart, Field(discriminator="type")]


class Called(Asked):
    """What an earlier answer called: a tool's name and its arguments as a string of JSON."""

    name: str
    arguments: str


class CalledTool(Asked):
    """A call in an earlier answer."""

    id: str
    type: Literal["function"] = "function"
    function: Called


class Message(Asked):
    """A turn."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    """Who says it; developer is read as system."""
    content: str | list[MessagePart] | None = None
    """What is said: a text or parts."""
    name: str | None = None
    """Not heeded."""
    tool_calls: list[CalledTool] | None = None
    """What the assistant called."""
    tool_call_id: str | None = None
    """Which call a tool answers."""
    refusal: str | None = None
    """Not heeded."""


def turns_of(messages: list[Message]) -> tuple[Turn, ...]:
    """The turns; UsageError that names the message for what can't be read."""
    return tuple(_turn(m, f"messages.{i}") for i, m in enumerate(messages))


def _turn(said: Message, at: str) -> Turn:
    role: Role = "system" if said.role == "developer" else said.role
    parts = [Words(said.content)] if isinstance(said.content, str) else [_part(p, f"{at}.content.{k}") for k, p in enumerate(said.content or ())]
    if role == "tool":
        return Turn("tool", (Result("".join(p.text for p in parts if isinstance(p, Words)), said.tool_call_id or ""),))
    calls = [_call(c) for c in said.tool_calls or ()]
    parts = parts or ([] if calls else [Words("")])
    return Turn(role, (*(p for p in parts if not (calls and isinstance(p, Words) and not p.text)), *calls))


def _part(said: TextPart | PicturePart | RefusalPart, at: str) -> Part:
    match said:
        case TextPart():
            return Words(said.text)
        case RefusalPart():
            return Words(said.refusal)
    return picture(said.image_url.url, f"{at}.image_url.url")


def picture(address: str, at: str) -> Picture:
    """The picture in a `data:` address; UsageError (code remote_url_disabled) for one elsewhere, which is never fetched."""
    head, comma, data = address.partition(",")
    scheme, _, kind = head.partition(":")
    media, *marks = kind.lower().split(";")
    if scheme.lower() != "data":
        raise UsageError(f"{at}: addresses are not fetched", code="remote_url_disabled", param=at, remedy="send the picture itself: data:image/png;base64,...")
    if not comma or media not in PICTURES or "base64" not in marks:
        raise UsageError(f"{at}: this is no picture", code="invalid_image", param=at, remedy=f"data:TYPE;base64,... with one of: {', '.join(PICTURES)}")
    try:
        return Picture(b64decode(data, validate=True), media)
    except (NoBase64, ValueError):
        raise UsageError(f"{at}: this is no base64", code="invalid_image", param=at) from None


def _call(said: CalledTool) -> Call:
    """What a model called. Models write arguments that are no JSON: these stand under a name that says so."""
    try:
        arguments = parse_json(said.function.arguments.encode(), "it") if said.function.arguments.strip() else {}
    except ModelError:
        arguments = None
    return Call(said.function.name, arguments if isinstance(arguments, dict) else {UNREAD: said.function.arguments}, said.id)
