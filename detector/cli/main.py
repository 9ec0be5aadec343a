"""The program's entry: the commands, and the supervisor that turns every ending into an exit code.

A command is a function in a file of its own that takes its options and returns an exit code. It imports what it needs
when it runs: this module and the commands' own imports cost typer alone, so ``detector --help`` answers at once.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from detector import __version__
from detector.cli.check import check
from detector.cli.evaluate import evaluate
from detector.cli.explain import explain
from detector.cli.incidents import incidents
from detector.cli.inspect import inspect
from detector.cli.printable import printable
from detector.cli.reads import reads
from detector.cli.replay import replay
from detector.cli.report import report
from detector.cli.run import run
from detector.cli.simulate import simulate
from detector.cli.unmask import unmask
from detector.errors import DetectorError

COMMANDS: dict[str, tuple[Callable[..., int | None], str]] = {
    "replay": (replay, "Read logs, print who carries records away."),
    "run": (run, "Follow Kafka or a growing file, until stopped."),
    "inspect": (inspect, "Show how a log would be read, and what it lacks."),
    "explain": (explain, "Tell one incident, or how one log line is read."),
    "report": (report, "Write incidents as a page for people, or a notice's facts."),
    "incidents": (incidents, "List incidents; say what became of one."),
    "unmask": (unmask, "Say who is behind pseudonyms, and write down who asked."),
    "reads": (reads, "Name every reader of a class of data or of a person's records."),
    "simulate": (simulate, "Write a labelled log of one pattern."),
    "evaluate": (evaluate, "Judge a replay of a labelled log."),
    "check": (check, "Validate configuration files."),
}

EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, what a shell reports

app = typer.Typer(
    name="detector",
    help="Finds bulk extraction in API access logs: who carries records away, and how many are gone.",
    epilog="Exit codes: 0 done; 1 --fail-on was met; 2 usage or configuration; 3 input cannot be read; "
    "4 done, a part was lost; 70 fault of the program; 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would double the time to show it
    pretty_exceptions_enable=False,  # they print local variables, and those hold log lines
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"detector {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None: ...


def _supervised(command: Callable[..., int | None]) -> Callable[..., None]:
    """The command, ending in an exit code whatever happens inside; a fault is one line on standard error."""

    @functools.wraps(command)
    def run(*args: object, **options: object) -> None:
        try:
            code = command(*args, **options) or 0
            sys.stdout.flush()
        except DetectorError as error:
            code = _complain(str(error), error.exit_code)
        except KeyboardInterrupt:
            code = _complain("interrupted", EXIT_INTERRUPTED)
        except BrokenPipeError:
            code = _hang_up()
        except typer.Exit:
            raise
        except Exception as error:  # the one place where an unexpected fault becomes an exit code
            if os.environ.get("DETECTOR_TRACEBACK"):
                raise
            kind = type(error).__name__
            code = _complain(f"fault of the program: {kind}: {error} (DETECTOR_TRACEBACK=1 shows where)", EXIT_INTERNAL)
        raise typer.Exit(code)

    return run


def _complain(text: str, code: int) -> int:
    typer.echo(f"detector: {printable(text, keep_lines=True)}", err=True)
    return code


def _hang_up() -> int:
    """The reader of our output closed it (``| head``): nothing more to say, and not at interpreter exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


for _name, (_command, _short) in COMMANDS.items():
    app.command(_name, short_help=_short)(_supervised(_command))


def main() -> None:
    """Runs the program on the command line's arguments and ends the process."""
    try:
        app(prog_name="detector")
    except KeyboardInterrupt:
        sys.exit(_complain("interrupted", EXIT_INTERRUPTED))
