"""Commands: the server, its limits and its keys."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.errors import UsageError

from ._shared import Json, say

Kept = Annotated[Path | None, Parameter(help="The folder of files, jobs, keys and models that are made. By default one in the user's data folder.")]


def serve(
    *models: Annotated[str, Parameter(help="Folders of models or addresses, each perhaps with a name: NAME=MODEL.")],
    host: Annotated[str, Parameter(help="Where to listen. Elsewhere than on this machine only with a key or a token.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="At which port; 0 takes a free one.")] = 8000,
    token: Annotated[str | None, Parameter(help="The token that lets in, instead of one made for this run. Others on this machine may see it: rather --token-file.")] = None,
    token_file: Annotated[Path | None, Parameter(help="A file whose first line is the token.")] = None,
    auth: Annotated[bool, Parameter(name="--auth", negative="--no-auth", help="Ask for a token or key. Without, only on this machine.")] = True,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="", help="A name by which it may be asked besides its own, such as that of a proxy.")] = (),
    cors_origin: Annotated[tuple[str, ...], Parameter(negative="", help="A site whose pages may ask, such as https://example.org.")] = (),
    workspace: Kept = None,
    limit: Annotated[tuple[str, ...], Parameter(negative="", help="A limit, as NAME=VALUE; `ilk limits` lists them.")] = (),
    memory_limit: Annotated[str | None, Parameter(help="Memory for all models together, such as 4GiB.")] = None,
    jobs: Annotated[int | None, Parameter(help="Jobs that run at once; 0: none are run.")] = None,
    studio: Annotated[bool, Parameter(help="Serve the web page.")] = True,
    open: Annotated[bool, Parameter(negative="", help="Open the web page.")] = False,
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="What is logged.")] = "info",
    log_prompts: Annotated[bool, Parameter(negative="", help="Log what is asked, too. By default no text of anybody's is kept.")] = False,
    as_json: Json = False,
) -> None:
    """Serve models to any client of OpenAI's API, with jobs and the studio.

    Example: `ilk serve people.ilk chat=gguf:smollm2-135m-instruct`.
    """
    from ilk.console.serve import Wanted, serve_command

    if token is not None and token_file is not None:
        raise UsageError("--token and --token-file contradict each other", code="TOKEN", param="token", remedy="one of them")
    serve_command(Wanted(models=models, host=host, port=port, token=_read(token_file) if token_file else token, auth=auth, hosts=allow_host, origins=cors_origin,
                         workspace=workspace, limit=limit, memory=memory_limit, jobs=jobs, studio=studio, opens=open, level=log_level, prompts=log_prompts),
                  lambda answer: say(*answer))


def limits(*, as_json: Json = False) -> None:
    """What the server allows, and how each limit is called in --limit NAME=VALUE.

    Example: `ilk limits`.
    """
    from ilk.console.serve import limits_command

    say(*limits_command())


def keys_new(
    name: Annotated[str, Parameter(help="What the key is called: who it is for.")],
    *,
    scope: Annotated[tuple[str, ...], Parameter(negative="", help="What it may do: chat (ask models), jobs, files, admin (all). Several compose; by default chat.")] = (),
    rpm: Annotated[int | None, Parameter(help="Requests a minute.")] = None,
    budget: Annotated[int | None, Parameter(help="Tokens in all, read and made.")] = None,
    days: Annotated[float | None, Parameter(help="Until it ends.")] = None,
    workspace: Kept = None,
    as_json: Json = False,
) -> None:
    """Make a key for the server. It is shown once.

    Example: `ilk keys new notebook --scope chat --rpm 60 --budget 100000 --days 30`.
    """
    from ilk.console.serve import new_key

    say(*new_key(name, scope, {"rpm": rpm, "budget": budget, "days": days}, workspace))


def keys_list(*, workspace: Kept = None, as_json: Json = False) -> None:
    """Every key: what it may do, and what is left of it.

    Example: `ilk keys list`.
    """
    from ilk.console.serve import list_keys

    say(*list_keys(workspace))


def keys_remove(id: Annotated[str, Parameter(help="The key's id, as `ilk keys list` shows it.")], *, workspace: Kept = None, as_json: Json = False) -> None:
    """End a key; a server that runs knows at once.

    Example: `ilk keys remove key_0123456789ab`.
    """
    from ilk.console.serve import remove_key

    say(*remove_key(id, workspace))


def _read(at: Path) -> str:
    try:
        found = at.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as why:
        raise UsageError(f"{at} can't be read: {getattr(why, 'strerror', None) or why}", code="TOKEN", param="token-file") from None
    if not found:
        raise UsageError(f"{at} holds no token", code="TOKEN", param="token-file", remedy="its first line is the token")
    return found
