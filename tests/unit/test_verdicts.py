"""What people's decisions and other configurations say about the detector: precision by pattern, and comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from detector.cli import main as program
from detector.cli.comparison import comparison
from detector.evaluate.verdicts import precision, wilson
from detector.sinks.journal import FILE, Journal


def record(identity: str, pattern: str = "walk", gone: int = 500, **more: Any) -> dict[str, Any]:
    """An incident, as far as it matters here."""
    exposed = {"estimate": gone, "low": gone, "high": gone}
    plain = {"incident": identity, "pattern": pattern, "severity": "medium", "clients": [f"client-{identity}"]}
    return {**plain, "client_count": 1, "client_kind": "account", "records_exposed": exposed, **more}


def test_precision_by_pattern() -> None:
    """True ones over all judged but duplicates, with Wilson's interval; what nobody judged says nothing."""
    records = [record(str(n)) for n in range(10)] + [record("x", "bulk"), record("y", "bulk")]
    verdicts: dict[str, str | None] = dict.fromkeys(map(str, range(8)), "true_positive")
    verdicts |= {"8": "benign_positive", "9": "false_positive", "x": "duplicate"}
    bulk, walk, every = precision(records, verdicts)
    assert (walk["pattern"], walk["judged"], walk["precision"]) == ("walk", 10, 0.8)
    assert (bulk["judged"], bulk["precision"], bulk["duplicate"]) == (0, None, 1)
    assert every["incidents"] == 12
    assert (walk["low"], walk["high"]) == (0.4902, 0.9433)  # Newcombe 1998, table I: 8 of 10
    assert wilson(0, 0) == (0.0, 1.0)
    assert precision([], {}) == []


def test_labels_are_read_from_the_journal(tmp_path: Path) -> None:
    """The command joins cases and journal."""
    (tmp_path / "a.json").write_text(json.dumps({"record": record("a")}))
    Journal(tmp_path / FILE).append("a", "close", verdict="true_positive")
    done = CliRunner().invoke(program.app, ["evaluate", "--labels", str(tmp_path), "--output", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)[0]["true_positive"] == 1
    assert CliRunner().invoke(program.app, ["evaluate", "x.log", "--labels", str(tmp_path)]).exit_code == 2


def test_what_another_configuration_adds_and_hides(tmp_path: Path) -> None:
    """The same by id, or by pattern and first client where the id has moved; the rest was added or hidden."""
    before = tmp_path / "old.jsonl"
    old = [record("a"), record("b"), record("c", clients=["zoe"]), record("q", severity="informational")]
    before.write_text("".join(json.dumps(one) + "\n" for one in old))
    lines = comparison(before, [record("a"), record("b", gone=900), record("n", clients=["zoe"]), record("d", "bulk")])
    assert lines[0] == "compared  2 as before, 1 told otherwise, 1 added, 0 hidden"
    assert lines[1].startswith("added     d medium bulk 500")
    assert "b medium walk 500 0 the account client-b -> medium walk 900 0" in lines[2]
    assert comparison(before, [])[0] == "compared  0 as before, 0 told otherwise, 0 added, 3 hidden"
