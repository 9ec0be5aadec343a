"""``detector unmask``: who is behind pseudonyms, for whoever holds their key; each use is written down first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.incidents import Form

if TYPE_CHECKING:
    from detector.incidents.pseudonyms import Names, Pseudonyms
    from detector.sealing import Seal

DEFAULT_FOLDER = Path("cases")
WRITTEN = 1000  # pseudonyms that the journal names one by one; a campaign has up to 10,000, and its incident is named


def unmask(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Pseudonyms (pn-...), incidents of the folder of cases (id, its beginning, latest), or text files.",
        ),
    ],
    key_file: Annotated[
        Path, typer.Option(metavar="FILE", help="The key of the pseudonyms (privacy.pseudonym_key_file).")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever reads the journal later.")],
    cases: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of cases; names lie beside them, and the journal of uses.")
    ] = DEFAULT_FOLDER,
    case_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the cases are encrypted: privacy.encryption_key_file.")
    ] = None,
    names: Annotated[Path | None, typer.Option(metavar="FILE", help="Also try these names, one a line.")] = None,
    log: Annotated[list[str] | None, typer.Option(metavar="PATH", help="Also try the clients of these logs.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Of --log: how it was read.")] = None,
    block: Annotated[
        Form | None, typer.Option(help="Of one incident: print whom to block instead, in this form.")
    ] = None,
) -> int:
    """Say who is behind pseudonyms. Who asked, when, for what and why is added to custody.jsonl beside the cases."""
    from detector.cli.printable import printable
    from detector.errors import UsageError
    from detector.incidents.pseudonyms import Pseudonyms
    from detector.sinks.case_files import key_of
    from detector.sinks.custody import UNMASK, write_down

    if not reason.strip():
        raise UsageError("--reason is empty: say why, it is kept")
    pseudonyms = Pseudonyms.from_file(key_file, "--key-file")
    seal = key_of(case_key)
    wanted, texts, incidents = _wanted(what, cases, seal)
    if block is not None and len(incidents) != 1:
        raise UsageError("--block takes one incident")
    found = _found(wanted, incidents, cases, pseudonyms)
    found |= _tried(wanted - found.keys(), names, log or [], config, pseudonyms)
    shown = {one: found[one] for one in sorted(wanted) if one in found}
    asked = [printable(one) for one in what]
    write_down(
        cases, UNMASK, reason, asked=asked, incidents=incidents, found=len(shown), pseudonyms=sorted(shown)[:WRITTEN]
    )
    if block is not None:
        _block(block.value, incidents[0], cases, seal, shown)
    elif texts:
        for text in texts:
            typer.echo(_joined(text, shown), nl=False)
    else:
        for pseudonym, (kind, name) in shown.items():
            typer.echo(f"{pseudonym}\t{kind}\t{printable(name)}")
    missing = len(wanted) - len(shown)
    if missing:
        typer.echo(
            f"{missing:,} of {len(wanted):,} pseudonyms are not known under this key here; "
            "--names or --log tries further names",
            err=True,
        )
    return 4 if missing else 0


def _wanted(what: list[str], cases: Path, seal: Seal | None) -> tuple[set[str], list[str], list[str]]:
    """Pseudonyms asked for, the texts they stand in where files were named, and the incidents."""
    from detector.cli.explain import find
    from detector.engines.unmasking import PSEUDONYM
    from detector.errors import InputError
    from detector.sinks.case_files import read_all

    wanted: set[str] = set()
    texts: list[str] = []
    incidents: list[str] = []
    for one in what:
        if PSEUDONYM.fullmatch(one):
            wanted.add(one)
        elif Path(one).is_file():
            try:
                texts.append(Path(one).read_text(encoding="utf-8", errors="surrogateescape"))
            except OSError as error:
                raise InputError(f"{one}: cannot be read: {error.strerror}") from error
            wanted.update(PSEUDONYM.findall(texts[-1]))
        else:
            record = find([case["record"] for case in read_all(cases, seal)], one, cases)
            incidents.append(str(record["incident"]))
            wanted.update(client for client in record["clients"] if PSEUDONYM.fullmatch(client))
            rule = record.get("selector") or {}
            wanted.update(network for network in rule.get("networks") or [] if PSEUDONYM.fullmatch(network))
    return wanted, texts, incidents


def _found(wanted: set[str], incidents: list[str], cases: Path, pseudonyms: Pseudonyms) -> Names:
    """What lies beside the cases: of the incidents asked for, and of all others only where more was asked for."""
    from detector.engines.unmasking import every_name_beside, names_beside

    found: Names = {}
    for incident in incidents:
        found |= names_beside(cases, incident, pseudonyms)
    return found if wanted <= found.keys() else every_name_beside(cases, pseudonyms) | found


def _tried(wanted: set[str], names: Path | None, logs: list[str], config: Path | None, pseudonyms: Pseudonyms) -> Names:
    from detector.config import ReplaySettings, load_config
    from detector.engines.unmasking import names_in, tried
    from detector.errors import InputError

    found: Names = {}
    if wanted and names is not None:
        try:
            lines = names.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError as error:
            raise InputError(f"{names}: cannot be read: {error.strerror}") from error
        found |= tried((line.strip() for line in lines), wanted, pseudonyms)
    if logs and (left := wanted - found.keys()):
        found |= tried(names_in(logs, ReplaySettings(config=load_config(config))), left, pseudonyms)
    return found


def _joined(text: str, shown: Names) -> str:
    """A text with names in place of pseudonyms; a file of incidents stays one, for names are printable ASCII and are
    escaped as JSON has them."""
    import json

    from detector.engines.unmasking import PSEUDONYM

    def name(match: re.Match[str]) -> str:
        known = shown.get(match[0])
        return json.dumps(known[1])[1:-1] if known else match[0]

    return PSEUDONYM.sub(name, text)


def _block(form: str, incident: str, cases: Path, seal: Seal | None, shown: Names) -> None:
    from detector.report.blocking import block_list
    from detector.sinks.case_files import read_case

    record = (read_case(cases, incident, seal) or {})["record"]
    record["clients"] = [shown[one][1] if one in shown else one for one in record["clients"]]
    rule = record.get("selector")
    if rule and rule.get("networks"):
        rule["networks"] = [shown[one][1] if one in shown else one for one in rule["networks"]]
    typer.echo(block_list(form, record), nl=False)
