"""The command `ilk`: the verbs, with a family's options as flags. Results go to stdout, progress and errors to stderr."""
from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cyclopts import App, CycloptsError, Group

from . import __version__
from .commands._shared import OPTIONS, SHELL, as_json, put
from .commands._spoken import spoken
from .commands.ask import ask
from .commands.audit import audit, publish
from .commands.blind import blind
from .commands.change import attribute, background, counterfactual, transfer
from .commands.chat import chat
from .commands.compare import score_texts
from .commands.doctor import doctor
from .commands.edit import beside, decode, denoise, edit, interpolate, invert, revise, translate, upscale, vary
from .commands.examine import check_text, examine, review_add, review_approve, review_edit, review_export, review_list, review_reject, review_show
from .commands.index import index
from .commands.jobs import jobs_cancel, jobs_list, jobs_pause, jobs_remove, jobs_resume, jobs_run, jobs_show, jobs_submit
from .commands.judge import classify, detect, diagnose, evaluate, lineage, prefer, report, score, show
from .commands.keep import demo, export, fetch, forget, list_
from .commands.learn import augment, fit
from .commands.make import discover, impute, sample, steps
from .commands.models import pull
from .commands.pack import pack, unpack
from .commands.prompt import prompt_diff, prompt_improve, prompt_list, prompt_run, prompt_show, prompt_test
from .commands.race import race
from .commands.runs import compare, remove, runs_list, runs_show
from .commands.serve import keys_list, keys_new, keys_remove, limits, serve
from .commands.task import mark, task
from .commands.tune import drift, tune
from .errors import IlkError, ResourceError, UsageError
from .files import not_written
from .words import failure, help_text, told

# Commands of two words.
GROUPS: Mapping[str, tuple[str, Mapping[str, Callable[..., None]]]] = {
    "data": ("Data sets by name.", {"fetch": fetch}),
    "runs": ("Records of runs.", {"list": runs_list, "show": runs_show, "compare": compare, "remove": remove}),
    "keys": ("Keys of the server.", {"new": keys_new, "list": keys_list, "remove": keys_remove}),
    "jobs": ("Long work that goes on by itself.", {"submit": jobs_submit, "list": jobs_list, "show": jobs_show, "cancel": jobs_cancel, "pause": jobs_pause,
                                                   "resume": jobs_resume, "remove": jobs_remove, "run": jobs_run}),
    "prompt": ("Prompts as files: run, compare and improve them.", {"run": prompt_run, "test": prompt_test, "improve": prompt_improve, "list": prompt_list,
                                                                    "show": prompt_show, "diff": prompt_diff}),
    "review": ("A queue in which people approve texts before they leave.", {
        "add": review_add, "list": review_list, "show": review_show, "approve": review_approve, "reject": review_reject, "edit": review_edit,
        "export": review_export})}


def build() -> App:
    """The command with its verbs."""
    commands, arguments, parameters = (make(name=help_text(title)) for make, title in (
        (Group.create_default_commands, "Commands"), (Group.create_default_arguments, "Arguments"), (Group.create_default_parameters, "Parameters")))
    app = App(name="ilk", help=help_text("Learn what your data is like; make more of its kind."), version=__version__, help_format="markdown", group_commands=commands,
              group_arguments=arguments, group_parameters=parameters, help_epilogue=help_text(
                  "`ilk COMMAND --help` says more. Errors exit with 2 (usage), 3 (data), 4 (model), 5 (resources), 6 (refused), 130 and 143 (stopped)."))
    for command in (fit, sample, edit, vary, interpolate, translate, attribute, transfer, background, counterfactual, upscale, beside, revise, denoise, invert, decode,
                    classify, detect, augment, steps, prefer, lineage, impute, discover, score, evaluate, race, diagnose, show, report, forget, export, demo, audit,
                    publish, score_texts, pack, unpack, doctor, blind, pull, chat, tune, drift, index, ask, task, mark, examine, check_text,
                    serve, limits):
        app.command(spoken(command))
    app.command(spoken(list_), name="list")
    for name, (summary, steps_of) in GROUPS.items():
        group = App(name=name, help=help_text(summary))
        for word, command in steps_of.items():
            group.command(spoken(command), name=word)
        app.command(group)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Never a traceback, unless asked for with --debug."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    SHELL.debug = "--debug" in words
    SHELL.lineage = "--no-lineage" not in words
    words = [w for w in words if w not in ("--debug", "--no-lineage")]
    SHELL.words = tuple(words)
    SHELL.as_json = "--json" in words
    OPTIONS.clear()
    try:
        return _run(words)
    except IlkError as why:
        return _fail(why)
    except CycloptsError as why:
        return _fail(UsageError(_one_line(str(why)), remedy=f"ilk {words[0] if words else ''} --help".replace("  ", " ")))
    except KeyboardInterrupt:
        return _quiet(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as why:  # the last resort: one line for people, the whole for --debug
        if _starved(why):
            return _fail(ResourceError("memory ran out", code="MEMORY", remedy="fewer items (-n), a smaller --batch or a smaller model"))
        if isinstance(why, OSError) and why.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(not_written(Path(str(why.filename or "a file")), why))
        if SHELL.debug:
            raise
        return _fail(IlkError(f"{type(why).__name__}: {_one_line(str(why))[:300]}", code="INTERNAL", remedy="this is a fault of ilk: run it with --debug and report it"))


def _run(words: list[str]) -> int:
    from .flags import options

    words, found = options(words)
    OPTIONS.update(found)
    if OPTIONS.pop("_help", None):
        return 0
    build()(words or ["--help"], exit_on_error=False, print_error=False, result_action="return_value")
    return 0


def _starved(why: Exception) -> bool:
    """Whether it is for lack of memory: native code that can't allocate may also fail without a word, where the process has a limit."""
    from .memory import limited

    said = "allocate memory" in str(why) and ("can't" in str(why) or "Cannot" in str(why))
    return isinstance(why, MemoryError) or said or (isinstance(why, SystemError) and "without exception set" in str(why) and limited())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fail(why: IlkError) -> int:
    if SHELL.debug:
        import traceback

        traceback.print_exception(why)
    if SHELL.as_json:
        with suppress(OSError, IlkError):
            put(as_json(why.as_json()) + "\n")
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"ilk: error[{why.code}]: {failure(why)}\n")
    return int(getattr(why, "exit_code", why.exit))


def _quiet(code: int) -> int:
    sys.stderr.write(f"ilk: {told('stopped')}\n")
    return code


def entry() -> None:
    """The console script."""
    sys.exit(main())
