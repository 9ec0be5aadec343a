"""``detector evaluate``: judges a replay of a simulated log, or runs the whole suite of attacks and confusers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.evaluate import Evaluation


def evaluate(
    log: Annotated[Path | None, typer.Argument(metavar="LOG", help="The log `detector simulate` wrote.")] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="The truth it wrote beside it.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration of the replay.")] = None,
    incidents: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge these incidents (JSON lines) instead of replaying LOG.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Instead of LOG: precision by pattern of the verdicts in this folder of cases."
        ),
    ] = None,
    output: Annotated[str, typer.Option(help="table or json.")] = "table",
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of a log: quick, census, seeds, large or evasive.")
    ] = None,
    only: Annotated[str, typer.Option(metavar="CASE", help="Of the suite: cases that begin so: P4, P4/shared.")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, max=100, help="Of the suite. [1, of `seeds` 5]")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the suite: finished cases (JSON lines), gone on with.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Of the suite: write the table there.")] = None,
    forms: Annotated[
        str, typer.Option(metavar="e1,e2", help="Of the suite: evasive cases of these forms instead of its own.")
    ] = "",
    rivals: Annotated[bool, typer.Option(help="Of the suites quick and census: the rivals too.")] = True,
    kept: Annotated[
        bool, typer.Option("--kept", help="Of the suite: run nothing; the table of what --resume FILE holds.")
    ] = False,
) -> int:
    """Judge a labelled log, or run the suite: records exposed before the alert, minutes, false incidents, names."""
    from detector.errors import UsageError

    if output not in ("table", "json"):
        raise UsageError(f"--output {output!r}: allowed are table and json")
    if labels is not None:
        if log is not None or truth is not None or suite is not None:
            raise UsageError("--labels stands alone: leave out LOG, --truth and --suite")
        return _labels(labels, output)
    if suite is not None:
        if log is not None or truth is not None:
            raise UsageError("--suite makes its own logs: leave out LOG and --truth")
        wanted = tuple(form.strip().lower() for form in forms.split(",") if form.strip())
        options = {"only": only, "seeds": seeds, "rivals": rivals, "forms": wanted}
        return _suite(suite, options, resume, kept, markdown, output)
    if log is None or truth is None:
        raise UsageError("give LOG and --truth FILE, or --suite quick, census, seeds, large or evasive")
    return _log(log, truth, config, incidents, output)


def _log(log: Path, truth: Path, config: Path | None, incidents: Path | None, output: str) -> int:
    from detector.evaluate import evaluate as judge
    from detector.simulate.truth import Truth

    known = Truth.read(truth)
    found = _replayed(log, config) if incidents is None else _read(incidents)
    _show(judge(found, known), output)
    return 0


def _labels(folder: Path, output: str) -> int:
    import json

    from detector.evaluate.verdicts import precision
    from detector.sinks.case_files import key_of, read_all
    from detector.sinks.journal import FILE, Journal

    verdicts = {one: decision.verdict for one, decision in Journal(folder / FILE).decisions().items()}
    rows = precision([case["record"] for case in read_all(folder, key_of(None))], verdicts)
    if output == "json":
        typer.echo(json.dumps(rows))
        return 0
    typer.echo(f"{'PATTERN':<14}{'INCIDENTS':>10}{'JUDGED':>8}{'TRUE':>6}{'BENIGN':>8}{'FALSE':>7}  PRECISION (95 %)")
    for row in rows:
        counts = f"{row['incidents']:>10}{row['judged']:>8}{row['true_positive']:>6}{row['benign_positive']:>8}"
        share = f"{row['precision']:.0%} ({row['low']:.0%}-{row['high']:.0%})" if row["judged"] else "not known"
        typer.echo(f"{row['pattern']:<14}{counts}{row['false_positive']:>7}  {share}")
    return 0


def _suite(
    name: str, options: dict[str, Any], resume: Path | None, kept: bool, markdown: Path | None, output: str
) -> int:
    import json

    from detector.errors import SinkError, UsageError
    from detector.evaluate.cases import SETTINGS
    from detector.evaluate.suite import Suite
    from detector.evaluate.suite_table import markdown as written

    if name not in SETTINGS:
        raise UsageError(f"--suite {name!r}: allowed are {', '.join(SETTINGS)}")
    chosen = Suite.of(name, **options)
    if not chosen.cases:
        asked = f"--forms {','.join(options['forms'])}, " if options["forms"] else ""
        raise UsageError(f"{asked}--only {options['only']!r}: no case of the suite begins so")
    if kept and resume is None:
        raise UsageError("--kept shows what --resume FILE holds: name the file")
    lines = chosen.kept(resume) if kept and resume else chosen.run(resume, lambda text: typer.echo(text, err=True))
    given = "".join(f" --{k} {options[k]}" for k in ("only", "seeds") if options[k])
    given += f" --forms {','.join(options['forms'])}" if options["forms"] else ""
    text = written(chosen, lines, f"detector evaluate --suite {name}{given}")
    if markdown is not None:
        try:
            markdown.write_text(text, "utf-8")
        except OSError as error:
            raise SinkError(f"{markdown}: cannot be written: {error.strerror}") from error
    typer.echo("\n".join(json.dumps(line) for line in lines) if output == "json" else text)
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
