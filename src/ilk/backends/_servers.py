"""Servers by name: where they are, which variable of the environment holds the key, and what they know beyond the common."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """A base URL, the name of the variable with the key ("": none is sent), what it calls the most tokens, and which more wishes it knows."""

    url: str
    key_from: str = ""
    most: str = "max_tokens"
    knows: frozenset[str] = frozenset()


_DRAWING = frozenset({"top_k", "min_p"})
OWN = Server("", knows=_DRAWING)   # a server that is named by nothing but its URL
SERVERS = {
    "openai": Server("https://api.openai.com/v1", "OPENAI_API_KEY", most="max_completion_tokens"),
    "anthropic": Server("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "gemini": Server("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "qwen": Server("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", knows=frozenset({"top_k"})),
    "ernie": Server("https://qianfan.baidubce.com/v2", "QIANFAN_API_KEY"),
    "deepseek": Server("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "ollama": Server("http://127.0.0.1:11434/v1"),
    "lmstudio": Server("http://127.0.0.1:1234/v1", knows=frozenset({"top_k"})),
    "vllm": Server("http://127.0.0.1:8000/v1", knows=_DRAWING | {"pattern"}),
    "tgi": Server("http://127.0.0.1:8080/v1", knows=frozenset({"pattern"})),
    "llamacpp": Server("http://127.0.0.1:8080/v1", knows=_DRAWING),
}
