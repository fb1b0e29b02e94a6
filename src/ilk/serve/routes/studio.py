"""Routes: the studio's page. Its files are open to all: they hold nothing of anybody's, and ask the API with the token of the page's address."""
from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from ilk.serve.studio import files
from ilk.serve.work import Missing

router = APIRouter(tags=["studio"], include_in_schema=False)
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob: data:; connect-src 'self'; "
          "frame-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-cache"}


@router.get("/")
@router.get("/studio")
def home() -> Response:
    """To the studio. Browsers keep the fragment, in which the token is."""
    return RedirectResponse("/studio/", 307, HEADERS)


@router.get("/studio/{path:path}")
def file(request: Request, path: str) -> Response:
    """A file of the studio; 304 where the browser has it."""
    found = files().get(path or "index.html")
    if found is None:
        raise Missing("there is no such file of the studio", code="not_found")
    headers = {**HEADERS, "etag": found.mark}
    if found.mark in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.type, headers=headers)
