"""What llama-index's client for servers like OpenAI's does with a server, as its users write it."""
from __future__ import annotations

from _checks import main
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike


def model(url: str, token: str, chats: bool = True) -> OpenAILike:
    return OpenAILike(model="said", api_base=url + "/v1", api_key=token, is_chat_model=chats, max_tokens=16, max_retries=0, context_window=2048, additional_kwargs={"seed": 0})


def completed(url: str, token: str) -> None:
    for chats in (True, False):
        if not model(url, token, chats).complete("The capital of France is").text:
            raise AssertionError(f"nothing was said, chat {chats}")


def chatted(url: str, token: str) -> None:
    answer = model(url, token).chat([ChatMessage(role="system", content="Be brief"), ChatMessage(role="user", content="What is the capital of France?")])
    if not answer.message.content:
        raise AssertionError(answer)


def streamed(url: str, token: str) -> None:
    for chats in (True, False):
        whole = model(url, token, chats).complete("The capital of France is").text
        told = list(model(url, token, chats).stream_complete("The capital of France is"))
        if told[-1].text != whole or "".join(t.delta or "" for t in told) != whole:
            raise AssertionError(f"{told[-1].text!r} is not {whole!r}")
    pieces = list(model(url, token).stream_chat([ChatMessage(role="user", content="Hello")]))
    if not pieces[-1].message.content:
        raise AssertionError(pieces)


if __name__ == "__main__":
    main([completed, chatted, streamed])
