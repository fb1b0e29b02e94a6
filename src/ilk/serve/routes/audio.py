"""Routes: speech, which nothing here serves yet."""
from __future__ import annotations

from fastapi import APIRouter

from ilk.serve.caller import needs
from ilk.serve.routes._unserved import unserved

router = APIRouter(prefix="/v1/audio", tags=["openai"], dependencies=[needs("chat")])

unserved(router, "/speech", "speech is")
unserved(router, "/transcriptions", "transcripts are")
unserved(router, "/translations", "translations of speech are")
