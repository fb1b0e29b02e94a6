"""What langchain-openai does with a server, as its users write it."""
from __future__ import annotations

from _checks import main
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field


class City(BaseModel):
    """A city."""

    name: str = Field(max_length=20)
    large: bool


@tool
def clock(zone: str) -> str:
    """The time in a zone."""
    return "12:00"


def model(url: str, token: str, name: str = "said") -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=url + "/v1", api_key=token, max_retries=0, seed=0, max_tokens=60, temperature=0)


def invoked(url: str, token: str) -> None:
    answer = model(url, token).invoke("What is the capital of France?")
    if not answer.content or answer.usage_metadata["total_tokens"] < 2:
        raise AssertionError(answer)


def streamed(url: str, token: str) -> None:
    whole = model(url, token).invoke("What is the capital of France?").content
    if "".join(chunk.content for chunk in model(url, token).stream("What is the capital of France?")) != whole:
        raise AssertionError(whole)


def structured(url: str, token: str) -> None:
    for how in ("json_schema", "function_calling", "json_mode"):
        shaped = model(url, token).with_structured_output(City, method=how) if how != "json_mode" else model(url, token).with_structured_output(None, method=how)
        found = shaped.invoke("Paris as JSON with name and large")
        if not isinstance(found, dict if how == "json_mode" else City):
            raise AssertionError(f"{how}: {found!r}")


def bound(url: str, token: str) -> None:
    able = model(url, token, "script").bind_tools([clock])
    asked = [HumanMessage("What time is it?")]
    called = able.invoke(asked)
    if [c["name"] for c in called.tool_calls] != ["clock"]:
        raise AssertionError(called)
    after = [*asked, called, ToolMessage(clock.invoke(called.tool_calls[0]["args"]), tool_call_id=called.tool_calls[0]["id"])]
    if able.invoke(after).content != "It is noon.":
        raise AssertionError(after)


def embedded(url: str, token: str) -> None:
    at = OpenAIEmbeddings(model="embedder", base_url=url + "/v1", api_key=token, check_embedding_ctx_length=False)
    rows = [at.embed_query("cat"), *at.embed_documents(["kitten", "stocks"])]
    if sum(a * b for a, b in zip(rows[0], rows[1])) < sum(a * b for a, b in zip(rows[0], rows[2])):
        raise AssertionError("a cat is more like stocks than like a kitten")


if __name__ == "__main__":
    main([invoked, streamed, structured, bound, embedded])
