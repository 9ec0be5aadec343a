"""``detector evaluate``: replays a simulated log and judges what was found against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.evaluate import Evaluation


def evaluate(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The log `detector simulate` wrote.")],
    truth: Annotated[Path, typer.Option(metavar="FILE", help="The truth it wrote beside it.")],
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration of the replay.")] = None,
    incidents: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge these incidents (JSON lines) instead of replaying LOG.")
    ] = None,
    output: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> int:
    """Replay a labelled log: records exposed before the alert, leak share, minutes, false incidents, names."""
    from detector.errors import UsageError
    from detector.evaluate import evaluate as judge
    from detector.simulate.truth import Truth

    if output not in ("table", "json"):
        raise UsageError(f"--output {output!r}: allowed are table and json")
    known = Truth.read(truth)
    found = _replayed(log, config) if incidents is None else _read(incidents)
    _show(judge(found, known), output)
    return 0


def _replayed(log: Path, config: Path | None) -> list[dict[str, Any]]:
    from detector.config import Config, ReplaySettings, load_config
    from detector.engines.local import replay

    settings = ReplaySettings(config=load_config(config) if config else Config())
    return [incident.record() for incident in replay([str(log)], settings).incidents]


def _read(path: Path) -> list[dict[str, Any]]:
    import json

    from detector.errors import InputError

    try:
        lines = path.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON lines: {error}") from error


def _show(evaluation: Evaluation, output: str) -> None:
    import json

    from detector.cli.printable import printable
    from detector.evaluate.show import rows

    if output == "json":
        typer.echo(json.dumps(evaluation.record()))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows(evaluation):
        table.add_row(name, Text(printable(value)))
    Console().print(table)
