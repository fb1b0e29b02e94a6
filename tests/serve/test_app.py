"""The application as a whole: what every route has in common."""
from __future__ import annotations

from fastapi.testclient import TestClient


def test_models_are_listed_and_told(client: TestClient) -> None:
    assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["echo", "polite"]
    assert client.get("/v1/models/polite").json()["object"] == "model"


def test_every_error_has_one_shape(client: TestClient) -> None:
    for answer, status, code in ((client.get("/v1/models/none"), 404, "model_not_found"), (client.get("/nothing"), 404, "not_found"), (client.put("/v1/models"), 405, "http"),
                                 (client.post("/v1/chat/completions", json={}), 400, "invalid_request")):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, code) and set(error) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"].startswith("req_")


def test_a_model_answers(client: TestClient) -> None:
    asked = {"model": "polite", "messages": [{"role": "user", "content": "Hello"}]}
    assert client.post("/v1/chat/completions", json=asked).json()["choices"][0]["message"]["content"] == "Good day to you"
    short = client.post("/v1/chat/completions", json={**asked, "max_tokens": 1}).json()
    assert (short["choices"][0]["message"]["content"], short["choices"][0]["finish_reason"]) == ("Good ", "length")
