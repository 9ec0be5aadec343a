"""``detector inspect``: how a log would be read, and what to add to it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.config import Config
    from detector.engines.inspecting import Inspection

EXIT_UNREADABLE = 3


class Output(StrEnum):
    """What standard output carries."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def inspect(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="Logs, - for standard input; or topics, with --bootstrap-server."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Configuration (YAML); its source where no path is given.")
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", "--format", metavar="NAME|STRING", help="A preset or a log_format. [detected]"),
    ] = None,
    bootstrap: Annotated[
        str | None, typer.Option("--bootstrap-server", metavar="HOST:PORT", help="The paths are topics of this broker.")
    ] = None,
    output: Annotated[Output, typer.Option(help="What to print: yaml is the ready configuration.")] = Output.TABLE,
) -> int:
    """Show how a log would be read: format, example, routes, clients, what is missing; and a ready configuration."""
    from detector.config import load_config
    from detector.engines.inspecting import inspect as look
    from detector.engines.inspecting import sample_file
    from detector.errors import UsageError

    settings = load_config(config)
    found: list[tuple[Inspection, dict[str, Any] | None]] = []
    kafka = _kafka(settings, paths or [], bootstrap)
    if kafka is not None:
        from detector.sources.kafka_sample import sample_topics

        found.append((look(", ".join(kafka["topics"]), sample_topics(_settings(kafka)), settings, log_format), kafka))
    else:
        files = paths or list(settings.source.files.paths if settings.source.files else ())
        if not files:
            raise UsageError("inspect needs a file, or topics with --bootstrap-server, or --config with a source")
        found += [(look(path, sample_file(path), settings, log_format), None) for path in files]
    _print(found, output, log_format or settings.source.format)
    return EXIT_UNREADABLE if all(seen.trouble for seen, _ in found) else 0


def _kafka(settings: Config, paths: list[str], bootstrap: str | None) -> dict[str, Any] | None:
    """Topics and how to reach them; None where files are meant."""
    said = settings.source.kafka
    if bootstrap is None and (paths or said is None):
        return None
    consumer = dict(said.consumer) if said is not None else {}
    if bootstrap is not None:
        consumer["bootstrap.servers"] = bootstrap
        consumer.pop("bootstrap_servers", None)
    topics = paths or (list(said.topics) if said is not None else [])
    return {"topics": topics, "start": said.start if said is not None else "earliest", "consumer": consumer}


def _settings(kafka: dict[str, Any]) -> Any:
    from detector.sources.kafka_settings import KafkaSettings

    return KafkaSettings(topics=tuple(kafka["topics"]), start="earliest", consumer=kafka["consumer"])


def _print(found: list[tuple[Inspection, dict[str, Any] | None]], output: Output, log_format: str | None) -> None:
    from detector.cli.inspection import as_json, print_inspection
    from detector.engines.proposal import configuration

    for seen, kafka in found:
        ready = "" if seen.trouble else configuration(seen, log_format, kafka)
        if output is Output.JSON:
            typer.echo(as_json(seen, ready))
        elif output is Output.YAML:
            typer.echo(ready, nl=False)
        else:
            print_inspection(seen, ready)
