"""``detector check``: every problem of configuration files at once, and whether the source they name can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detector.config import Config

EXIT_UNREADABLE = 3


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="YAML configuration files.")],
    connect: Annotated[
        bool, typer.Option("--connect", help="Also try broker, rights, topics and one parsed message.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="LOG", help="A sample log: warns of suppressions that match much of it."),
    ] = None,
) -> int:
    """Validate configuration files: every problem at once, each with file and line."""
    from detector.cli.printable import printable
    from detector.config import load_config
    from detector.engines.declaring import tripwires
    from detector.engines.local import check_files
    from detector.errors import ConfigError, UsageError

    problems = 0
    unreadable = False
    for file in files:
        try:
            config = load_config(file)
            tripwires(config)
        except (ConfigError, UsageError) as error:
            told = error.problems if isinstance(error, ConfigError) else [f"{file}: {error}"]
            problems += len(told)
            for problem in told:
                typer.echo(printable(problem), err=True)
            continue
        wrong = check_files(config)
        for problem in wrong:
            typer.echo(printable(f"{file}: {problem}"), err=True)
        problems += len(wrong)
        if wrong:
            continue
        typer.echo(f"{printable(str(file))}: valid (digest {config.digest})")
        _warn(file, config, log)
        if connect:
            unreadable |= not _connects(config)
    if problems:
        typer.echo(f"{problems} problem{'s' if problems > 1 else ''}", err=True)
        return ConfigError.exit_code
    return EXIT_UNREADABLE if unreadable else 0


def _warn(file: Path, config: Config, log: Path | None) -> None:
    """Says what is valid and should yet be looked at."""
    from detector.cli.printable import printable
    from detector.engines.trying import expired, shares

    for line in expired(config):
        typer.echo(f"warning: {printable(str(file))}: {printable(line)}", err=True)
    if log is None or not config.suppressions:
        return
    for number, share in enumerate(shares(config, [log])):
        said = f"suppressions[{number}] ({share.name}) matches {share.matched / max(share.requests, 1):.2%}"
        about = f"{printable(said)} of {share.requests:,} requests of {printable(str(log))}"
        if share.is_wide:
            typer.echo(f"warning: {printable(str(file))}: {about}; more than 1 % hides more than was meant", err=True)
        else:
            typer.echo(f"ok {about}")


def _connects(config: Config) -> bool:
    """Tries the source, a line a step; nothing is read on the group's behalf, nothing is written."""
    from detector.cli.printable import printable
    from detector.engines.assembly import kafka_settings

    if config.source.files is not None:
        missing = [path for path in config.source.files.paths if not Path(path).exists()]
        for path in config.source.files.paths:
            said = "is not there yet; it will be waited for" if path in missing else "ok"
            typer.echo(f"source.files.paths: {printable(path)}: {said}")
        return True
    if config.source.kafka is None:
        typer.echo("source: nothing to connect to; name kafka or files", err=True)
        return False
    from detector.sources.kafka_check import check_connect

    checked = check_connect(kafka_settings(config))
    for line in checked.lines:
        typer.echo(printable(line), err=not line.startswith("ok"))
    return checked.is_ok and _parses(checked.value, config)


def _parses(value: bytes | None, config: Config) -> bool:
    """Whether a record of the topic is read as an access log; its content is not shown."""
    from detector.formats import load
    from detector.formats.envelope import detect_envelope, foreign

    if value is None:
        typer.echo("ok the topics are empty: no record to try")
        return True
    given = load(config.source.format) if config.source.format else None
    envelope, detection = detect_envelope([value], given)
    rate = detection.rates.get(given.name, 0.0) if given else float(detection.format is not None)
    if rate:
        name = given.name if given else detection.format.name if detection.format else ""
        typer.echo(f"ok one record: {envelope.about}, read as {name}")
        return True
    why = foreign([value]) or f"the closest format is {detection.closest or 'none'}; say source.format"
    typer.echo(f"source.format: one record of {len(value)} bytes is no access log: {why}", err=True)
    return False
