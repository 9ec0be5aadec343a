"""``detector simulate``: writes a labelled log of one pattern hidden in ordinary traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from detector.simulate import ConsentOptions
    from detector.simulate.truth import Truth

_FILES = ("out", "truth", "ledger", "policy")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def simulate(
    ctx: typer.Context,
    pattern: Annotated[str, typer.Argument(help="P1 to P14 of the catalogue, or quiet: nobody attacks.")],
    *,
    out: Annotated[Path, typer.Option(metavar="LOG", help="The log to write; .gz compresses it.")],
    truth: Annotated[Path, typer.Option(metavar="FILE", help="Where to write what really happened (JSON).")],
    seed: Annotated[int, typer.Option(help="The same seed and options give the same log.")] = 1,
    start: Annotated[str, typer.Option(help="First moment of the log, ISO 8601, UTC unless said.")] = "2026-03-03",
    duration: Annotated[str, typer.Option(help="Length of the log: 90s, 30m, 4h, 1d.")] = "4h",
    rate: Annotated[float, typer.Option(help="Ordinary requests a second, mean over a day.")] = 10.0,
    clients: Annotated[int, typer.Option(help="Ordinary visitors to draw from.")] = 6000,
    zipf: Annotated[float, typer.Option(help="Exponent of the records' popularity.")] = 1.0,
    ids: Annotated[int, typer.Option(help="Records in each catalogue, numbered from 1.")] = 100_000,
    form: Annotated[str, typer.Option(help="How the attacker hides: plain, or e1 to e7.")] = "plain",
    plain: Annotated[bool, typer.Option("--plain", help="The same as --form plain.")] = False,
    variant: Annotated[str, typer.Option(help="Which variant of the pattern [its first].")] = "",
    confusers: Annotated[
        str, typer.Option(metavar="N1,N2", help="Lookalikes to add: names of N1 to N15, or all.")
    ] = "",
    people: Annotated[int | None, typer.Option(help="Places for people in a streamed log [760 x rate].")] = None,
    ramp: Annotated[str, typer.Option(help="How long e5 takes to its full rate.")] = "14d",
    identities: Annotated[int | None, typer.Option(help="The attacker's clients; 0: a new one a turn.")] = None,
    attack_rate: Annotated[float | None, typer.Option(help="Its requests a second [pattern's own].")] = None,
    attack_start: Annotated[str | None, typer.Option(help="Into the log: 30m [a third of it].")] = None,
    attack_duration: Annotated[str | None, typer.Option(help="Its length [pattern's own].")] = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", "--format", help="A preset's name, or csv. [combined; of P14 nginx_json]"),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="P14: the consent ledger to write; JSON lines, or .csv.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="P14: the configuration to write.")] = None,
    scale: Annotated[float | None, typer.Option(help="P14: of published figures, 500 M bills. [0.0001]")] = None,
    ledger_lag: Annotated[str | None, typer.Option(help="P14: longest way of a change to the ledger. [5s]")] = None,
    silent_ledger: Annotated[
        bool, typer.Option("--silent-ledger", help="P14: the ledger does not admit a tick by default.")
    ] = False,
) -> int:
    """Write a labelled log: one pattern hidden in ordinary traffic, and the truth about it."""
    _agree(plain, form)
    of_consent = {"scale": scale, "ledger_lag": ledger_lag, "silent_ledger": silent_ledger or None}
    files = {"out": out, "truth": truth, "ledger": ledger, "policy": policy}
    return _write(
        pattern,
        files,
        _consent(pattern, files, of_consent),
        {
            "seed": seed,
            "start": _moment(start),
            "duration_seconds": _seconds(duration, "--duration"),
            "rate": rate,
            "clients": clients,
            "zipf": zipf,
            "ids": ids,
            "form": form,
            "variant": variant,
            "confusers": _names(confusers),
            "people": people,
            "ramp_days": _seconds(ramp, "--ramp") / 86_400,
            "identities": identities,
            "attack_rate": attack_rate,
            "attack_start_seconds": None if attack_start is None else _seconds(attack_start, "--attack-start"),
            "attack_seconds": None if attack_duration is None else _seconds(attack_duration, "--attack-duration"),
            "log_format": log_format or _usual_format(pattern),
            "command": _command(ctx),
        },
    )


def _agree(plain: bool, form: str) -> None:
    from detector.errors import UsageError

    if plain and form != "plain":
        raise UsageError(f"--plain and --form {form!r} contradict each other; give one of them")


def _command(ctx: typer.Context) -> str:
    """The command with what was given and is not the default: files by their bare names, so that it fits any folder."""
    given = [
        f"--{option.name.replace('_', '-')} {value}"
        for option in ctx.command.params
        if option.name and (value := ctx.params[option.name]) != option.default
        if option.name not in ("pattern", "plain", "silent_ledger", *_FILES)
    ] + ["--silent-ledger"] * ctx.params["silent_ledger"]
    files = [f"--{name} {Path(ctx.params[name]).name}" for name in _FILES if ctx.params[name] is not None]
    return " ".join(["detector simulate", ctx.params["pattern"], *files, *given])


def _usual_format(pattern: str) -> str:
    from detector.simulate.consent.log import KEY, LAYOUT

    return LAYOUT if pattern.upper() == KEY else "combined"


def _consent(pattern: str, files: dict[str, Path | None], given: dict[str, Any]) -> ConsentOptions | None:
    """What only P14 asks, which needs files for ledger and policy; None for all others."""
    from detector.errors import UsageError
    from detector.simulate import CONSENT, ConsentOptions

    said = {name: value for name, value in given.items() if value is not None}
    beside = [name for name in ("ledger", "policy") if files[name] is not None]
    if pattern.upper() != CONSENT:
        if said or beside:
            option = [*beside, *said][0].replace("_", "-")
            raise UsageError(f"--{option} is for {CONSENT} alone, not for {pattern!r}")
        return None
    if len(beside) < 2:
        raise UsageError(f"{CONSENT} needs --ledger FILE and --policy FILE, which it writes beside log and truth")
    options = {"scale": said["scale"]} if "scale" in said else {}
    if "ledger_lag" in said:
        options["lag_seconds"] = _seconds(said["ledger_lag"], "--ledger-lag")
    return ConsentOptions(**options, silent="silent_ledger" in said)


def _write(pattern: str, files: dict[str, Path | None], extra: ConsentOptions | None, options: dict[str, Any]) -> int:
    from detector.cli.printable import printable
    from detector.errors import UsageError
    from detector.simulate import ConsentLog, Options
    from detector.simulate import simulate as make

    made = make(pattern, Options(**options), extra)
    out, truth, ledger, policy = (files[name] for name in _FILES)
    assert out is not None
    assert truth is not None
    try:
        made.write(out)
        if isinstance(made, ConsentLog) and ledger is not None and policy is not None:
            made.write_beside(ledger, policy)
        known = made.truth
        known.write(truth)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
    typer.echo(
        f"{printable(str(out))}: {made.requests:,} requests, {len(known.ordinary):,} ordinary clients{_about(known)}"
    )
    if isinstance(made, ConsentLog):
        typer.echo(f"{printable(str(ledger))}: {len(made.changes):,} changes; {printable(str(policy))}: the policy")
    return 0


def _about(known: Truth) -> str:
    """Who attacks, as the end of a sentence."""
    attack = known.attack
    if attack is None:
        return "; nobody attacks"
    return (
        f"; {known.pattern}: {len(attack.second):,} requests by {len(attack.clients):,} "
        f"client{'s' * (len(attack.clients) != 1)} on {attack.route}, {attack.records:,} records taken"
    )


def _names(text: str) -> tuple[str, ...]:
    """The confusers of ``N1,N2`` or ``all``."""
    if text.lower() == "all":
        return tuple(f"N{number}" for number in range(1, 16))
    return tuple(name.strip().upper() for name in text.split(",") if name.strip())


def _seconds(text: str, option: str) -> float:
    from detector.errors import UsageError

    try:
        return float(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else float(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: allowed is a number with s, m, h or d, such as 90s or 4h") from error


def _moment(text: str) -> datetime:
    from datetime import UTC, datetime

    from detector.errors import UsageError

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--start {text!r}: allowed is ISO 8601, such as 2026-03-03T22:00") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
