"""``detector check``: every problem of configuration files at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="YAML configuration files.")]) -> int:
    """Validate configuration files: every problem at once, each with file and line."""
    from detector.cli.printable import printable
    from detector.config import load_config
    from detector.errors import ConfigError

    problems = 0
    for file in files:
        try:
            config = load_config(file)
        except ConfigError as error:
            problems += len(error.problems)
            for problem in error.problems:
                typer.echo(printable(problem), err=True)
        else:
            typer.echo(f"{printable(str(file))}: valid (digest {config.digest})")
    if problems:
        typer.echo(f"{problems} problem{'s' if problems > 1 else ''}", err=True)
    return ConfigError.exit_code if problems else 0
