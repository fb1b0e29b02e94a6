"""What the package openai, of 2.x and of 3.x, does with a server: every call as its users write it. The server has the models said, script, embedder, digits, broken."""
from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from io import BytesIO

import openai
from _checks import main
from pydantic import BaseModel, Field

HELLO = [{"role": "user", "content": "What is the capital of France?"}]
TOOL = {"type": "function", "function": {"name": "clock", "description": "The time in a zone", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}}, "required": ["zone"], "additionalProperties": False}}}


class City(BaseModel):
    """What is to be parsed."""

    name: str = Field(max_length=20)
    large: bool


def client(url: str, token: str, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=url + "/v1", api_key=token, max_retries=retries, timeout=120)


def wants(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def listed(url: str, token: str) -> None:
    at = client(url, token)
    names = [m.id for m in at.models.list()]
    wants({"said", "script", "embedder", "digits"} <= set(names), True)
    wants(at.models.retrieve("said").object, "model")


def chat(url: str, token: str) -> None:
    found = client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=8, n=2, seed=3, temperature=0.5, stop=["\n\n"], logprobs=True, top_logprobs=2)
    wants([c.index for c in found.choices], [0, 1])
    wants(found.choices[0].message.role, "assistant")
    tokens = found.choices[0].logprobs.content
    wants("".join(t.token for t in tokens), found.choices[0].message.content)
    wants(all(t.logprob <= 0 and len(t.top_logprobs) == 2 for t in tokens), True)
    again = client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=8, n=2, seed=3, temperature=0.5, stop=["\n\n"])
    wants([c.message.content for c in again.choices], [c.message.content for c in found.choices])
    wants(found.usage.total_tokens, found.usage.prompt_tokens + found.usage.completion_tokens)


def biased(url: str, token: str) -> None:
    one = client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=3, temperature=0, logit_bias={"28": 100})
    other = client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=3, temperature=0)
    wants(one.choices[0].message.content != other.choices[0].message.content, True)


def streamed(url: str, token: str) -> None:
    chunks = list(client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=8, seed=1, stream=True, stream_options={"include_usage": True}))
    wants(chunks[0].choices[0].delta.role, "assistant")
    wants(chunks[-1].choices, [])
    wants(chunks[-1].usage.completion_tokens <= 8, True)
    whole = client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=8, seed=1)
    wants("".join(c.choices[0].delta.content or "" for c in chunks[:-1]), whole.choices[0].message.content)
    with client(url, token).chat.completions.stream(model="script", messages=HELLO, seed=1) as stream:
        wants(stream.get_final_completion().choices[0].message.content, "It is noon.")


def parsed(url: str, token: str) -> None:
    found = client(url, token).chat.completions.parse(model="said", messages=[{"role": "user", "content": "Paris as JSON"}], response_format=City, max_tokens=60, temperature=0)
    wants(isinstance(found.choices[0].message.parsed, City), True)
    wants(isinstance(json.loads(found.choices[0].message.content), dict), True)


def tools(url: str, token: str) -> None:
    at = client(url, token)
    turns = [{"role": "user", "content": "What time is it?"}]
    first = at.chat.completions.create(model="script", messages=turns, tools=[TOOL], seed=0).choices[0]
    wants(first.finish_reason, "tool_calls")
    call = first.message.tool_calls[0]
    wants((call.function.name, json.loads(call.function.arguments)), ("clock", {"zone": "UTC"}))
    turns += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "12:00"}]
    wants(at.chat.completions.create(model="script", messages=turns, tools=[TOOL], seed=0).choices[0].message.content, "It is noon.")
    chunks = list(at.chat.completions.create(model="script", messages=turns[:1], tools=[TOOL], seed=0, stream=True))
    wants([c.choices[0].delta.tool_calls[0].function.name for c in chunks if c.choices[0].delta.tool_calls], ["clock"])
    held = at.chat.completions.create(model="said", messages=turns[:1], tools=[TOOL], tool_choice="required", temperature=0, max_tokens=80).choices[0]
    wants(json.loads(held.message.tool_calls[0].function.arguments)["zone"] in ("UTC", "CET"), True)


def embeddings(url: str, token: str) -> None:
    at = client(url, token)
    packed = at.embeddings.create(model="embedder", input=["cat", "kitten", "stocks"])
    plain = at.embeddings.create(model="embedder", input=["cat", "kitten", "stocks"], encoding_format="float")
    rows = [d.embedding for d in packed.data]
    wants(max(abs(a - b) for one, other in zip(rows, (d.embedding for d in plain.data)) for a, b in zip(one, other)) < 1e-6, True)
    alike = [sum(a * b for a, b in zip(rows[0], row)) for row in rows]
    wants(abs(alike[0] - 1) < 1e-5 and alike[1] > alike[2], True)
    wants(_code(lambda: at.embeddings.create(model="embedder", input=[1, 2, 3])), (400, "token_input_unsupported"))


def completions(url: str, token: str) -> None:
    at = client(url, token)
    made = at.completions.create(model="said", prompt="The capital of France is", max_tokens=4, temperature=0)
    wants(made.choices[0].text != "", True)
    wants("".join(c.choices[0].text for c in at.completions.create(model="said", prompt="The capital of France is", max_tokens=4, temperature=0, stream=True)), made.choices[0].text)
    scored = at.completions.create(model="said", prompt="The capital of France is Paris", max_tokens=0, echo=True, logprobs=0).choices[0]
    wants("".join(scored.logprobs.tokens), "The capital of France is Paris")
    wants(all(x is not None and x <= 0 for x in scored.logprobs.token_logprobs), True)


def images(url: str, token: str) -> None:
    at = client(url, token)
    found = at.images.generate(model="digits", prompt="", n=2, extra_body={"seed": 1})
    files = [b64decode(d.b64_json) for d in found.data]
    wants([f[:8] for f in files], [b"\x89PNG\r\n\x1a\n"] * 2)
    wants(_code(lambda: at.images.generate(model="digits", prompt="", size="1024x1024")), (400, "size_unsupported"))
    image = BytesIO(files[0])
    image.name = "a.png"
    wants(len(at.images.create_variation(model="digits", image=image, n=1).data), 1)


def responses(url: str, token: str) -> None:
    at = client(url, token)
    wants(at.responses.create(model="said", input="Hello", max_output_tokens=8).output_text != "", True)
    with at.responses.stream(model="said", input="Hello", max_output_tokens=8) as stream:
        kinds = [event.type for event in stream]
    wants(("response.output_text.delta" in kinds, kinds[0]), (True, "response.created"))
    wants(isinstance(at.responses.parse(model="said", input="Paris as JSON", text_format=City, max_output_tokens=60, temperature=0).output_parsed, City), True)
    tool = {"type": "function", **TOOL["function"]}
    wants(at.responses.create(model="script", input="What time is it?", tools=[tool], extra_body={"seed": 0}).output[0].name, "clock")


def refusals(url: str, token: str) -> None:
    at = client(url, token)
    wants(_code(lambda: at.chat.completions.create(model="none", messages=HELLO)), (404, "model_not_found"))
    wants(_code(lambda: at.models.retrieve("a/b")), (404, "model_not_found"))
    wants(_code(lambda: at.chat.completions.create(model="said", messages=HELLO, n=1000)), (400, "over_limit"))
    wants(_code(lambda: at.chat.completions.create(model="said", messages=[{"role": "user", "content": "word " * 9000}], stream=True)), (400, "context_length_exceeded"))
    wants(_code(lambda: client(url, "wrong").models.list())[0], 401)
    wants(_code(lambda: at.moderations.create(input="x")), (501, "not_implemented"))
    wants(_code(lambda: at.audio.speech.create(model="said", voice="alloy", input="x")), (501, "not_implemented"))
    wants(_code(lambda: at.fine_tuning.jobs.create(model="said", training_file="file-1")), (501, "not_implemented"))


def broken_off(url: str, token: str) -> None:
    heard = []
    try:
        for chunk in client(url, token).chat.completions.create(model="broken", messages=HELLO, stream=True):
            heard += [c.finish_reason for c in chunk.choices]
    except openai.APIError as why:
        wants(("broke" in str(why), "stop" in heard), (True, False))
        return
    raise AssertionError("the stream ended as if all were well")


def busy(url: str, token: str) -> None:
    """One request runs and none may wait: the next is refused with 429, and is let in when it comes again."""
    long = client(url, token).chat.completions.create(model="said", messages=[{"role": "user", "content": "Count to a thousand"}], max_tokens=4000, stream=True,
                                                      logit_bias={"2": -100})
    next(iter(long))
    wants(_code(lambda: client(url, token).chat.completions.create(model="said", messages=HELLO, max_tokens=2)), (429, "queue_full"))
    threading.Thread(target=lambda: (time.sleep(0.5), long.close())).start()
    wants(client(url, token, 2).chat.completions.create(model="said", messages=HELLO, max_tokens=2).choices[0].finish_reason, "length")


def _code(call: object) -> tuple[int, str]:
    try:
        call()
    except openai.APIStatusError as why:
        return why.status_code, why.code
    raise AssertionError("it was not refused")


if __name__ == "__main__":
    main([listed, chat, biased, streamed, parsed, tools, embeddings, completions, images, responses, refusals, broken_off, busy])
