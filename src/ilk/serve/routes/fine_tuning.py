"""Routes: fine-tuning jobs, which ilk has under a form of its own: POST /v1/jobs."""
from __future__ import annotations

from fastapi import APIRouter

from ilk.serve.caller import needs
from ilk.serve.routes._unserved import unserved

router = APIRouter(prefix="/v1/fine_tuning", tags=["openai"], dependencies=[needs("jobs")])

unserved(router, "/jobs", "jobs of this form are", ("GET", "POST"))
