"""`python -m configs.source`: writes what is made from the tables; with ``--check`` says what is out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from configs.source import alerts, dashboards, rules

ROOT = Path(__file__).parents[1]
NOTE = "# Made by `make configs` from the tables in configs/source; change them there.\n"


def _yaml(document: object) -> str:
    return NOTE + yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def files() -> dict[str, str]:
    """Each file made, below configs/, and its text."""
    table = alerts.read()
    made = {
        "prometheus/rules.yaml": _yaml(rules.prometheus(table)),
        "kubernetes/base/prometheus-rule.yaml": _yaml(rules.operator(table)),
        "grafana/provisioning/alerting/rules.yaml.off": _yaml(rules.grafana(table)),
    }
    return made | {f"grafana/dashboards/{name}.json": _json(board) for name, board in dashboards.read().items()}


def main(arguments: list[str]) -> int:
    """Writes the files, or compares them."""
    stale = []
    for name, text in files().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    sys.stdout.write("".join(f"configs/{name}\n" for name in stale))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
