"""Commands: long work that goes on by itself."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, say

JOB = "The number of a job (ilk jobs list): its end is enough; `last` is the latest."
Where = Annotated[Path | None, Parameter(name="--workspace", help="The workspace, as of `ilk serve`. By default the user's own.")]
States = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled", "interrupted"]


def jobs_submit(
    *words: Annotated[str, Parameter(allow_leading_hyphen=True, help="A command line without `ilk`: fit, tune, race, evaluate, audit, index, report, export or impute.")],
    priority: Annotated[int, Parameter(help="The higher the sooner.")] = 0,
    workspace: Where = None,
    json: Json = False,
) -> None:
    """Let a command wait for its turn, to be run by the server or by `ilk jobs run`.

    Models it makes are put into the workspace, where the server serves them, unless it says where they go. It is told at once what is wrong with the command.

    Example: `ilk jobs submit fit people.csv --family gmm`.
    """
    from ilk.console.jobs import submit_command

    say(*submit_command(words, priority, workspace))


def jobs_list(
    *,
    state: Annotated[States | None, Parameter(help="Only jobs in this state.")] = None,
    n: Annotated[int, Parameter(name=["--n", "-n"], help="The latest so many.")] = 20,
    workspace: Where = None,
    json: Json = False,
) -> None:
    """List jobs, the latest last: where each stands and what it made.

    Example: `ilk jobs list --state running`.
    """
    from ilk.console.jobs import list_command

    say(*list_command(state, n, workspace))


def jobs_show(
    job: Annotated[str, Parameter(help=JOB)] = "last", /, *,
    follow: Annotated[bool, Parameter(negative="", help="Say what it tells as it comes, until it is over or paused.")] = False,
    workspace: Where = None,
    json: Json = False,
) -> None:
    """Say all that is known of a job: its command line, how far it is, its curves, what it made, what went wrong.

    Example: `ilk jobs show last --follow`.
    """
    from ilk.console.jobs import show_command

    say(*show_command(job, follow, workspace))


def jobs_cancel(job: Annotated[str, Parameter(help=JOB)], /, *, workspace: Where = None, json: Json = False) -> None:
    """End a job; its checkpoint stays until it is removed.

    Example: `ilk jobs cancel last`.
    """
    from ilk.console.jobs import change_command

    say(*change_command("cancel", job, workspace))


def jobs_pause(job: Annotated[str, Parameter(help=JOB)], /, *, workspace: Where = None, json: Json = False) -> None:
    """Stop a job at its checkpoint until it is resumed.

    Example: `ilk jobs pause last`.
    """
    from ilk.console.jobs import change_command

    say(*change_command("pause", job, workspace))


def jobs_resume(job: Annotated[str, Parameter(help=JOB)], /, *, workspace: Where = None, json: Json = False) -> None:
    """Let a job go on that was paused, cancelled, interrupted or failed: from its checkpoint, if it has one.

    Example: `ilk jobs resume last`.
    """
    from ilk.console.jobs import change_command

    say(*change_command("resume", job, workspace))


def jobs_remove(
    jobs: Annotated[tuple[str, ...], Parameter(help=JOB, negative="")], /, *,
    workspace: Where = None,
    json: Json = False,
) -> None:
    """Remove jobs that don't run, with their files; models that they made stay.

    Example: `ilk jobs remove 1f24cd`.
    """
    from ilk.console.jobs import remove_command

    say(*remove_command(jobs, workspace))


def jobs_run(
    *,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="So many at once.")] = 1,
    threads: Annotated[int, Parameter(help="Threads of each.")] = 1,
    workspace: Where = None,
    json: Json = False,
) -> None:
    """Run the jobs that wait, without a server, until none is left. Interrupted, it gives back what runs; the same command goes on.

    Example: `ilk jobs run -j 2`.
    """
    from ilk.console.jobs import run_command

    say(*run_command(jobs, threads, workspace))
