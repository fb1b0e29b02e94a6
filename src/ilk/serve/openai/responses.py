"""Responses: the newer form of chat, each request by itself: nothing is kept from one to the next."""
from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any, Literal

from pydantic import Field

from ilk.chat import Turn
from ilk.serve.limits import Limits
from ilk.serve.openai.chat import ChatAsked, Head, call_told, gathered
from ilk.serve.openai.fields import Asked, ForModel, Name, No
from ilk.serve.openai.messages import Called, CalledTool, DataUrl, Message, RefusalPart, TextPart, picture, turns_of
from ilk.serve.openai.nats import chat_nats
from ilk.serve.openai.talk import Piece, Talk, spoken
from ilk.serve.openai.tools import ObjectFormat, SchemaAsked, SchemaFormat, TextFormat, ToolAsked, ToolName
from ilk.serve.work import Engine


class InputPicture(Asked):
    """A picture."""

    type: Literal["input_image"]
    image_url: DataUrl
    """`data:image/png;base64,...`: addresses elsewhere are not fetched."""
    detail: str | None = None


InputPart = Annotated[TextPart | InputPicture | RefusalPart, Field(discriminator="type")]


class InputMessage(Asked):
    """A turn."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputPart]


class InputCall(Asked):
    """A call in an earlier answer."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class InputResult(Asked):
    """What a tool answered."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[TextPart]


class SchemaText(SchemaAsked):
    """JSON of a schema."""

    type: Literal["json_schema"]


class TextAs(Asked):
    """The shape of the answer."""

    format: Annotated[TextFormat | ObjectFormat | SchemaText, Field(discriminator="type")] | None = None
    verbosity: str | None = None
    """Ignored."""


class FunctionTool(Asked):
    """A tool."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionChoice(Asked):
    """That tool."""

    type: Literal["function"]
    name: ToolName


class ResponsesAsked(ForModel):
    """An answer, in the form of responses."""

    model: Name
    input: str | Annotated[list[InputCall | InputResult | InputMessage], Field(min_length=1)]
    """A text, or the turns so far with the calls of tools and what they answered."""
    instructions: str | None = None
    """A system turn before all others."""
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    """So many tokens at most."""
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """So many of the likeliest tokens at each place."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """An extra of ilk: the same seed gives the same answer."""
    text: TextAs | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | FunctionChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    store: No | None = None
    """Nothing is stored: false only."""
    previous_response_id: None = None
    """Nothing is stored: send the turns so far."""
    background: No | None = None
    metadata: dict[str, Any] | None = None
    """Told again in the answer, not kept."""
    include: list[str] | None = None
    """Ignored."""
    reasoning: dict[str, Any] | None = None
    """Ignored."""
    truncation: Literal["auto", "disabled"] | None = None
    """Ignored: what does not fit is refused."""
    service_tier: str | None = None
    """Ignored."""
    prompt_cache_key: str | None = None
    """Ignored."""

    def ignored(self) -> list[str]:
        """The fields that are not heeded."""
        return [*self.unknown(), *self.said("include", "reasoning", "service_tier", "prompt_cache_key"), *(["truncation"] if self.truncation == "auto" else [])]

    def talk(self, limits: Limits) -> Talk:
        """The same as a chat's request is; UsageError for what can't be met."""
        shape = self.text.format if self.text else None
        schema = SchemaFormat(type="json_schema", json_schema=shape) if isinstance(shape, SchemaText) else shape
        tools = [ToolAsked.model_validate({"type": "function", "function": t.model_dump(exclude={"type"})}) for t in self.tools or ()]
        choice = self.tool_choice
        named = {"type": "function", "function": {"name": choice.name}} if isinstance(choice, FunctionChoice) else choice
        chat = ChatAsked.model_construct(model=self.model, messages=[], max_tokens=self.max_output_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed,
                                         response_format=schema, tools=tools or None, tool_choice=_choice(named), parallel_tool_calls=self.parallel_tool_calls,
                                         logprobs=self.top_logprobs is not None, top_logprobs=self.top_logprobs)
        (talk,) = chat.talks(limits)
        before = (Turn.of("system", self.instructions),) if self.instructions else ()
        return Talk(talk.model, talk.want, (*before, *self._turns()), tooling=talk.tooling)

    def _turns(self) -> tuple[Turn, ...]:
        if isinstance(self.input, str):
            return (Turn.of("user", self.input),)
        return tuple(turn for i, item in enumerate(self.input) for turn in _turns(item, f"input.{i}"))


def _choice(said: Any) -> Any:
    from ilk.serve.openai.tools import ChoiceOf

    return ChoiceOf.model_validate(said) if isinstance(said, dict) else said


def _turns(item: InputCall | InputResult | InputMessage, at: str) -> tuple[Turn, ...]:
    match item:
        case InputCall(call_id=id, name=name, arguments=arguments):
            return turns_of([Message(role="assistant", tool_calls=[CalledTool(id=id, function=Called(name=name, arguments=arguments))])])
        case InputResult(call_id=id, output=output):
            return turns_of([Message(role="tool", content=output if isinstance(output, str) else "".join(p.text for p in output), tool_call_id=id)])
        case InputMessage(role=role, content=str(text)):
            return turns_of([Message(role=role, content=text)])
    said = turns_of([Message(role=item.role, content=[p for p in item.content if not isinstance(p, InputPicture)])])
    pictures = [picture(p.image_url, f"{at}.content.{k}.image_url") for k, p in enumerate(item.content) if isinstance(p, InputPicture)]
    return (Turn(said[0].role, (*pictures, *said[0].parts)),)


async def whole(engine: Engine, talk: Talk, asked: ResponsesAsked) -> dict[str, Any]:
    """The answer as one object."""
    (pieces,) = await gathered(engine, [talk])
    made = _Made(asked, talk)
    for piece in pieces:
        for _ in made.told(piece):
            pass
    return made.response()


async def events(engine: Engine, talk: Talk, asked: ResponsesAsked) -> AsyncGenerator[dict[str, Any], None]:
    """The answer as the events that clients know, each with its number."""
    made, number = _Made(asked, talk), 0
    async with aclosing(spoken(engine, talk)) as pieces:
        async for piece in pieces:
            for event in made.told(piece):
                yield {**event, "sequence_number": number}
                number += 1


@dataclass
class _Made:
    """The answer as far as it has come."""

    asked: ResponsesAsked
    talk: Talk
    output: list[dict[str, Any]] = field(default_factory=list)
    end: Mapping[str, Any] | None = None
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        self.head = Head.of(self.asked.model, "resp")

    def told(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """The events that a piece makes."""
        if not self.output and self.end is None and not hasattr(self, "_begun"):
            self._begun = True
            yield from ({"type": f"response.{word}", "response": self.response()} for word in ("created", "in_progress"))
        if piece.get("text"):
            yield from self._text(piece)
        if piece.get("call"):
            yield from self._ended()
            yield from self._call(call_told(piece["call"]))
        if piece.get("end"):
            self.end = piece["end"]
            yield from self._ended()
            response = self.response()
            yield {"type": f"response.{response['status']}", "response": response}

    def _text(self, piece: Piece) -> Iterator[dict[str, Any]]:
        if not self.output or self.output[-1]["type"] != "message" or self.output[-1]["status"] != "in_progress":
            item = {"type": "message", "id": f"msg_{token_hex(12)}", "role": "assistant", "status": "in_progress", "content": []}
            self.output.append(item)
            yield self._of({"type": "response.output_item.added", "item": dict(item)})
            item["content"] = [{"type": "output_text", "text": "", "annotations": [], "logprobs": []}]
            yield self._in({"type": "response.content_part.added", "part": dict(item["content"][0])})
        part = self.output[-1]["content"][0]
        nats = [] if self.talk.want.alternatives is None else chat_nats(piece.get("tokens", ()), self.talk.want.alternatives)["content"]
        part["text"] += piece["text"]
        part["logprobs"] += nats
        yield self._in({"type": "response.output_text.delta", "delta": piece["text"], "logprobs": nats})

    def _ended(self) -> Iterator[dict[str, Any]]:
        """Ends the message, if one is being written."""
        if not self.output or self.output[-1]["type"] != "message" or self.output[-1]["status"] != "in_progress":
            return
        item = self.output[-1]
        part = item["content"][0]
        item["status"] = "incomplete" if self.end and self.end["why"] == "length" else "completed"
        yield self._in({"type": "response.output_text.done", "text": part["text"], "logprobs": part["logprobs"]})
        yield self._in({"type": "response.content_part.done", "part": part})
        yield self._of({"type": "response.output_item.done", "item": item})

    def _call(self, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if self.talk.tooling.one and any(o["type"] == "function_call" for o in self.output):
            return
        item = {"type": "function_call", "id": f"fc_{token_hex(12)}", "call_id": call["id"], "name": call["function"]["name"], "arguments": "", "status": "in_progress"}
        self.output.append(item)
        yield self._of({"type": "response.output_item.added", "item": dict(item)})
        said = call["function"]["arguments"]
        item |= {"arguments": said, "status": "completed"}
        at = {"item_id": item["id"], "output_index": len(self.output) - 1}
        yield {"type": "response.function_call_arguments.delta", **at, "delta": said}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": said, "name": item["name"]}
        yield self._of({"type": "response.output_item.done", "item": item})

    def _of(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {**event, "output_index": len(self.output) - 1}

    def _in(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._of(event), "item_id": self.output[-1]["id"], "content_index": 0}

    def response(self) -> dict[str, Any]:
        """The answer so far, as the object that clients read."""
        asked, why = self.asked, self.end["why"] if self.end else None
        status = "in_progress" if why is None else "incomplete" if why == "length" else "completed"
        choice: Any = asked.tool_choice or "auto"
        return {"id": self.head.id, "object": "response", "created_at": self.head.created, "status": status, "model": asked.model, "output": list(self.output), "error": None,
                "incomplete_details": {"reason": "max_output_tokens"} if why == "length" else None, "instructions": asked.instructions, "metadata": asked.metadata or {},
                "parallel_tool_calls": asked.parallel_tool_calls is not False, "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
                "tools": [{"type": "function", "name": t.name, "description": t.description, "parameters": t.parameters or {}, "strict": True} for t in asked.tools or ()],
                "temperature": asked.temperature, "top_p": asked.top_p, "max_output_tokens": asked.max_output_tokens, "previous_response_id": None, "store": False,
                "text": {"format": _format(asked)}, "truncation": "disabled", "usage": _usage(self.end)}


def _format(asked: ResponsesAsked) -> dict[str, Any]:
    found = asked.text.format if asked.text else None
    if isinstance(found, SchemaText):
        return {"type": "json_schema", "name": found.name or "answer", "schema": found.schema_, "strict": True}
    return {"type": found.type if found else "text"}


def _usage(end: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {"input_tokens": end["read"], "output_tokens": end["made"], "total_tokens": end["read"] + end["made"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
