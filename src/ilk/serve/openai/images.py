"""Pictures of a model: new ones, variations of one, and parts of one made anew."""
from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Annotated, Any, Literal

from pydantic import Field

from ilk.errors import UsageError
from ilk.serve.limits import Limits
from ilk.serve.openai.fields import ForModel, No, at_most, seeds
from ilk.serve.work import Ask, Engine, Reply


class PictureAsked(ForModel):
    """What all requests for pictures have in common."""

    n: Annotated[int, Field(ge=1)] | None = None
    """So many pictures."""
    size: Annotated[str, Field(pattern=r"^(auto|[0-9]{1,5}x[0-9]{1,5})$")] | None = None
    """WIDTHxHEIGHT, which has to be the model's own, or auto."""
    response_format: Literal["b64_json"] | None = None
    """b64_json only: no files are kept to give addresses of."""
    output_format: Literal["png"] | None = None
    """png only."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """An extra of ilk: the same seed gives the same pictures. Without one it is drawn, and told in the header x-ilk-seed."""
    quality: str | None = None
    """Ignored."""
    background: str | None = None
    """Ignored."""
    moderation: str | None = None
    """Ignored."""
    style: str | None = None
    """Ignored."""
    input_fidelity: str | None = None
    """Ignored."""
    output_compression: int | None = None
    """Ignored: a PNG loses nothing."""
    stream: No | None = None
    """Pictures come whole; POST /v1/sample with stream tells the steps."""
    partial_images: Annotated[int, Field(ge=0, le=0)] | None = None
    """As stream."""

    def ignored(self) -> list[str]:
        """The fields that are not heeded."""
        return [*self.unknown(), *self.said("quality", "background", "moderation", "style", "input_fidelity", "output_compression")]

    def drawn(self, limits: Limits) -> dict[str, Any]:
        """How many, by which seed."""
        return {"n": at_most(self.n or 1, limits.n, "n"), "seed": seeds(self.seed, 1)[0]}


class GenerationAsked(PictureAsked):
    """New pictures."""

    prompt: str
    """A caption, or one of the labels, whichever the model knows; empty for a model that knows neither."""


class EditAsked(PictureAsked):
    """A picture of which a part is made anew: where the mask is transparent."""

    prompt: str | None = None
    """As for new pictures."""


class VariationAsked(PictureAsked):
    """Pictures like one."""

    strength: Annotated[float, Field(ge=0, le=1)] | None = None
    """An extra of ilk: how far from it, up to 1."""


async def about(engine: Engine, asked: PictureAsked) -> Mapping[str, Any]:
    """The facts of the model; UsageError where it makes no pictures, or none of that size."""
    (reply,) = [reply async for reply in engine.ask(asked.model, Ask("about"))]
    facts = reply.body
    if facts.get("kind") != "image":
        raise UsageError(f"{asked.model} makes no pictures", code="capability", param="model", remedy="GET /v1/models says what each can do")
    if asked.size not in (None, "auto", own := size_of(facts)):
        raise UsageError(f"size: the pictures of {asked.model} are {own}", code="size_unsupported", param="size", remedy=f"{own} or auto")
    return facts


def size_of(facts: Mapping[str, Any]) -> str:
    """WIDTHxHEIGHT of a model's pictures, whose shape is (height, width, channels)."""
    height, width = facts["shape"][:2]
    return f"{width}x{height}"


def given(facts: Mapping[str, Any], prompt: str | None) -> dict[str, Any]:
    """What a prompt stands for: a caption where the model reads them, else one of its labels; UsageError where it is neither."""
    if not prompt:
        return {}
    if any(g.get("type") == "prompt" for g in facts.get("givens", ())):
        return {"prompt": prompt}
    labels = [str(label) for label in facts.get("labels") or ()]
    if prompt in labels:
        return {"label": prompt}
    raise UsageError(f"prompt: this model knows no {prompt[:60]!r}", code="prompt_unsupported", param="prompt",
                     remedy=f"one of its labels: {', '.join(labels)[:300]}" if labels else "an empty prompt: it was fitted without captions or labels")


async def pictures(engine: Engine, asked: PictureAsked, ask: Ask, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures of an operation that makes items, as one object."""
    replies = [reply async for reply in engine.ask(asked.model, ask)]
    return {"created": int(time.time()), "data": _data(replies[-1]), "output_format": "png", "size": size_of(facts)}


def _data(reply: Reply) -> list[dict[str, Any]]:
    items: Sequence[Mapping[str, Any]] = reply.body["items"]
    return [{"b64_json": b64encode(reply.blobs[item["blob"]]).decode()} for item in items]


MOST_MASK = 4_000_000   # pixels


def redone(mask: bytes) -> bytes:
    """A mask that is transparent where things are made anew, as one that is white there; UsageError for a file that is no such picture."""
    from ilk.modalities._image_decode import Broken, header, pixels
    from ilk.modalities._image_write import image_of, png

    try:
        head = header(BytesIO(mask))
        if head.height * head.width > MOST_MASK:
            raise UsageError(f"mask: {head.width} x {head.height} pixels are too many", code="decompression_bomb", param="mask", remedy=f"at most {MOST_MASK}")
        if head.channels != 4:
            raise UsageError("mask: nothing in it is transparent", code="invalid_image", param="mask", remedy="a PNG that is transparent where the picture is to change")
        alpha = pixels(BytesIO(mask), (head.height, head.width, 4), "crop")[:, :, 3:]
    except Broken as why:
        raise UsageError(f"mask: {why}", code="invalid_image", param="mask") from None
    return png(image_of(((alpha < 128) * 255).astype("uint8")))


def items_of(files: Sequence[bytes]) -> list[dict[str, Any]]:
    """Files of pictures as items whose bytes stand beside them."""
    return [{"mime": "image/png", "blob": i} for i in range(len(files))]
