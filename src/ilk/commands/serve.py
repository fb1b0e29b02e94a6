"""Commands: the server."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def serve(
    *models: Annotated[str, Parameter(help="Folders of models or addresses, each perhaps with a name: NAME=MODEL.")],
    host: Annotated[str, Parameter(help="Where to listen. Elsewhere than on this machine only with a token.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="At which port; 0 takes a free one.")] = 8000,
    workspace: Annotated[Path | None, Parameter(help="The folder of files, jobs and models that are made.")] = None,
    limit: Annotated[tuple[str, ...], Parameter(negative="", help="A limit, as NAME=VALUE; `ilk limits` lists them.")] = (),
) -> None:
    """Serve models to any client of OpenAI's API, with jobs and the studio.

    Example: `ilk serve people.ilk chat=gguf:smollm2-135m-instruct`.
    """
    from ilk.console.serve import serve_command

    serve_command(models, host, port, workspace, limit)
