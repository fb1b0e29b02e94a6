"""A small server with canned answers in the shapes of the API: what the studio needs to be tried without models."""
from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, UploadFile
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ilk.serve.routes import studio

LINE = {"python": "import ilk\nprint(1)", "cli": "ilk sample people.ilk -n 5"}
COLUMNS = [{"name": "age", "type": "integer", "described": "integer", "missing": 0, "low": 18, "high": 90, "values": None, "many": None, "examples": [52, 54]},
           {"name": "city", "type": "category", "described": "category of 2", "missing": 3, "low": None, "high": None, "values": ["Hill", "Market"], "many": 2, "examples": ["Hill"]}]
GIVENS = [{"part": "age", "type": "number", "low": 18, "high": 90, "step": 1}, {"part": "city", "type": "category", "values": ["Hill", "Market"]}]
WAYS = [{"name": "top_p", "axis": "decoding", "summary": "The likeliest values only.", "options": [{"name": "p", "type": "number", "default": 0.9, "low": 0, "high": 1, "values": None, "summary": "their mass"}]}]
PEOPLE = {"id": "people", "object": "model", "created": 1, "owned_by": "ilk",
          "ilk": {"state": "ready", "place": "workspace", "kind": "table", "family": "made", "can": ["sample", "score", "steps", "vary"], "score": "exact", "signed": False,
                  "card": "# people\n\nA **model** of `people.csv`.\n\n- rows\n\n| a | b |\n|---|---|\n| 1 | 2 |", "labels": None, "givens": GIVENS, "ways": WAYS, "shape": None}}
FAMILIES = [{"name": "made", "summary": "Masked.", "takes": True, "why": None}, {"name": "pixelcnn", "summary": "Pictures.", "takes": False, "why": "takes pictures"}]
STEPS, PACE = 30, 0.05


class Canned:
    """What the server holds, and its application: `app`."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.fits = False
        self.app = FastAPI()
        self.app.include_router(studio.router)
        for method, path, act in (("POST", "/v1/files", self.upload), ("GET", "/v1/files", self.listed), ("DELETE", "/v1/files/{id}", self.drop), ("POST", "/v1/read", self.read),
                                  ("GET", "/v1/families", self.families), ("GET", "/v1/models", self.models), ("GET", "/v1/models/people", self.model),
                                  ("POST", "/v1/sample", self.sample), ("POST", "/v1/lines", self.lines), ("POST", "/v1/jobs", self.submit), ("GET", "/v1/jobs", self.every),
                                  ("GET", "/v1/jobs/{id}", self.job), ("POST", "/v1/jobs/{id}/{act}", self.act), ("GET", "/v1/jobs/{id}/events", self.events)):
            self.app.add_api_route(path, act, methods=[method], response_model=None)

    async def upload(self, file: UploadFile) -> dict[str, Any]:
        id, body = f"file-{len(self.files)}", await file.read()
        self.files[id] = {"id": id, "object": "file", "bytes": len(body), "created_at": 0, "filename": file.filename, "purpose": "user_data"}
        return self.files[id]

    async def listed(self) -> dict[str, Any]:
        return {"object": "list", "data": list(self.files.values())[::-1]}

    async def drop(self, id: str) -> dict[str, Any]:
        del self.files[id]
        return {"id": id, "deleted": True}

    async def read(self, request: Request) -> dict[str, Any]:
        said = await request.json()
        self.asked.append(("read", said))
        columns = [{**c, "type": said.get("types", {}).get(c["name"], c["type"])} for c in COLUMNS]
        problems = [{"where": "city", "what": "3 cells are missing", "remedy": "impute them"}]
        return {"kind": "table", "n": 400, "columns": columns, "shape": None, "problems": problems, "preview": [{"age": 52, "city": "Hill"}], "families": FAMILIES, "default_family": "made"}

    async def families(self) -> dict[str, Any]:
        option = {"name": "depth", "type": "integer", "default": 2, "low": 1, "high": 16, "values": None}
        return {"object": "list", "data": [{"name": f["name"], "summary": f["summary"], "options": [option]} for f in FAMILIES]}

    async def models(self) -> dict[str, Any]:
        return {"object": "list", "data": [PEOPLE] if self.fits else []}

    async def model(self) -> dict[str, Any]:
        return PEOPLE

    async def lines(self) -> dict[str, Any]:
        return LINE

    async def sample(self, request: Request) -> Response:
        said = await request.json()
        self.asked.append(("sample", said))
        if said.get("format") == "file":
            return Response("age,city\n40,Hill\n", media_type="text/csv")
        if "impossible" in str(said["given"]):
            return JSONResponse({"error": {"message": "no row can be like that", "type": "invalid_request_error", "param": "given", "code": "IMPOSSIBLE", "remedy": "ask for less"}}, 400)
        rows = [{"age": 40 + i, "city": "Hill" if "Hill" in str(said["given"]) else "Market"} for i in range(said["n"])]
        met = [{"given": rule, "met": "exact", "share": 1.0, "ess": None} for rule in said["given"]]
        whole = {"object": "ilk.samples", "model": "people", "n": said["n"], "seed": said["seed"], "kind": "table", "items": rows, "met": met, "line": LINE}
        if not said.get("stream"):
            return JSONResponse(whole)
        told = [{"step": i, "of": 3, "items": rows[:1]} for i in (1, 2, 3)] + [whole]
        return StreamingResponse(iter([*(f"data: {json.dumps(t)}\n\n" for t in told), "data: [DONE]\n\n"]), media_type="text/event-stream")

    async def submit(self, request: Request) -> JSONResponse:
        said, id = await request.json(), f"job_{len(self.jobs)}"
        self.asked.append(("job", said))
        self.jobs[id] = {"id": id, "object": "ilk.job", "name": "", "priority": 0, "attempt": 1, "state": "running", "progress": 0.0, "created": time.time(), "started": time.time(),
                         "ended": None, "made": {}, "error": None, "line": LINE, **said}
        return JSONResponse(self.jobs[id], 202)

    async def every(self, state: str = "") -> dict[str, Any]:
        return {"object": "list", "data": [j for j in reversed(self.jobs.values()) if state in ("", j["state"])], "has_more": False}

    async def job(self, id: str) -> dict[str, Any]:
        return self.jobs[id]

    async def act(self, id: str, act: str) -> dict[str, Any]:
        self.jobs[id]["state"] = {"cancel": "cancelled", "pause": "paused", "resume": "running"}[act]
        return self.jobs[id]

    async def events(self, id: str, request: Request) -> StreamingResponse:
        return StreamingResponse(self._told(self.jobs[id], int(request.headers.get("last-event-id", 0))), media_type="text/event-stream")

    async def _told(self, job: dict[str, Any], after: int) -> AsyncIterator[str]:
        for i in range(after + 1, STEPS + 1):
            await asyncio.sleep(PACE)
            if job["state"] != "running":
                break
            job["progress"] = i / STEPS
            facts = {"event": "progress", "at": time.time(), "step": i, "fraction": i / STEPS, "loss": 3 / i} if i % 5 else {"event": "validated", "at": time.time(), "step": i, "loss": 4 / i, "best": True}
            yield f"id: {i}\ndata: {json.dumps(facts)}\n\n"
        else:
            job.update(state="succeeded", made={"model": "people"}, ended=time.time())
            self.fits = True
        yield f'id: {STEPS + 1}\ndata: {json.dumps({"event": "state", "state": job["state"]})}\n\ndata: [DONE]\n\n'


class Running:
    """A canned server on a free port; `stop` ends it."""

    def __init__(self) -> None:
        self.canned = Canned()
        self._server = uvicorn.Server(uvicorn.Config(self.canned.app, host="127.0.0.1", port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.address = "http://127.0.0.1:{}".format(self._server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
