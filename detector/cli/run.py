"""``detector run``: the sidecar."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detector.config import Config
    from detector.engines.sidecar import Sidecar

EXIT_INTERRUPTED = 130
SWITCH_S = 0.001
"""How long a thread may keep the interpreter from the others: the Kafka client's thread needs it for every 4 kB it
receives. At Python's own 5 ms the stream was slower by a tenth and more (measured)."""


def run(
    path: Annotated[str | None, typer.Argument(metavar="[PATH]", help="A growing log file to follow.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration (YAML).")] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format", "--format", metavar="NAME|STRING", help="A preset or a log_format string. [detected]"
        ),
    ] = None,
    incidents: Annotated[Path | None, typer.Option(metavar="FILE", help="Append incidents as JSON lines.")] = None,
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of snapshots, outbox and cases.")] = None,
    listen: Annotated[
        str | None, typer.Option("--web.listen-address", metavar="HOST:PORT", help="Metrics and health.")
    ] = None,
    exit_when_idle: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End when there was nothing to read for so long.")
    ] = None,
) -> int:
    """Follow Kafka or a growing file until stopped; serve metrics and health."""
    from detector.cli import logs
    from detector.engines.assembly import build, with_folder, with_key

    def settle() -> Config:
        return with_key(with_folder(_settled(config, path, log_format, incidents, state, listen)))

    logs.set_up()
    sys.setswitchinterval(SWITCH_S)
    settled = settle()
    running = build(settled, logs.tell, standard_output=True)
    sidecar = running.sidecar
    interrupted = _listen_to_signals(sidecar, settle)
    logs.tell("started", port=running.port, config=settled.digest)
    try:
        if not sidecar.has_group:
            sidecar.begin()
        sidecar.run(exit_when_idle)
    finally:
        running.close()
    logs.tell("stopped", **sidecar.summary())
    return EXIT_INTERRUPTED if interrupted else 0


def _settled(
    file: Path | None,
    path: str | None,
    log_format: str | None,
    incidents: Path | None,
    state: Path | None,
    listen: str | None,
) -> Config:
    """The configuration file with what the command line says beside it."""
    from detector.config import load_config
    from detector.config_model import FilesConfig, JsonLinesConfig
    from detector.errors import UsageError

    config = load_config(file)
    source = config.source
    if path is not None:
        if source.kafka or source.files:
            raise UsageError(f"{path}: {file} names a source already")
        source = replace(source, files=FilesConfig(paths=(path,)))
    if log_format is not None:
        source = replace(source, format=log_format)
    sinks, kept, web = config.sinks, config.state, config.web
    if incidents is not None:
        sinks = replace(sinks, jsonl=JsonLinesConfig(path=incidents))
    if state is not None:
        kept = replace(kept, folder=state)
    if listen is not None:
        web = replace(web, listen_address=listen)
    return replace(config, source=source, sinks=sinks, state=kept, web=web)


def _listen_to_signals(sidecar: Sidecar, again: Callable[[], Config]) -> list[int]:
    """SIGTERM and SIGINT end the sidecar, SIGHUP makes it read its configuration again."""
    interrupted: list[int] = []

    def stop(number: int, _: object) -> None:
        sidecar.stopping = True
        if number == signal.SIGINT:
            interrupted.append(number)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one ends at once

    def reload(_number: int, _frame: object) -> None:
        sidecar.reloading = again

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
    return interrupted
