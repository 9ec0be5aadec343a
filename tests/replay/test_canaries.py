"""Secrets planted in a log: none of them in anything that a replay, or a command after it, leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli import main as program

CANARIES = 10_000
LETTERS = np.array(list("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"))


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


def card(digits: list[int]) -> str:
    """Fifteen digits with the one that makes them pass Luhn's check (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * d, 10)) for d in digits[::-2]]
    rest = sum(digits[-2::-2]) + sum(doubled)
    return "".join(map(str, digits)) + str(-rest % 10)


def canary(number: int, chance: np.random.Generator) -> tuple[str, str]:
    """A secret, and a query that carries it: tokens, e-mail addresses, cards, passwords, in turn."""
    word = "".join(chance.choice(LETTERS, 14)) + f"7q{number:05d}"
    kind = number % 5
    if kind == 0:
        return word, f"access_token=ghp_{word}&page=2"
    if kind == 1:
        return word, f"q=x&email={word}%40mail.example"
    if kind == 2:
        found = card([4, *chance.integers(0, 10, 14).tolist()])
        return found, f"card={found}"
    if kind == 3:
        return word, f"password={word}!&next=/home"
    return word, f"filter={word}"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A log of somebody who reads users by number, with a secret in the query, the referrer and the agent of each."""
    chance = np.random.default_rng(11)
    secrets, lines = [], []
    for n in range(CANARIES):
        secret, query = canary(n, chance)
        secrets.append(secret)
        second = f"[03/Mar/2026:{9 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d} +0000]"
        agent = f"tool/1.0 (token={secret}; +mailto:{secret}@mail.example)" if n % 3 == 0 else "Mozilla/5.0"
        where = f"https://shop.example/login?session={secret}"
        who = f"198.51.100.{7 if n % 2 else n % 200}"
        lines.append(
            f'{who} - - {second} "GET /api/v1/users/{5000 + n}?{query} HTTP/1.1" 200 512 "{where}" "{agent}"\n'
        )
    path = tmp_path_factory.mktemp("planted") / "access.log"
    path.write_text("".join(lines), encoding="ascii")
    return path, secrets


def test_no_secret_leaves(planted: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Table, JSON, cases, report, features, explanation, notice, block lists, other schemas: none holds a secret."""
    log, secrets = planted
    file, cases = tmp_path / "incidents.jsonl", tmp_path / "cases"
    printed = []
    for arguments in (
        ("replay", log, "--incidents", file, "--cases", cases, "--report", tmp_path / "report.html"),
        ("replay", log, "--features", tmp_path / "features.parquet", "--top", "5", "--output", "json"),
        ("replay", log, "--incidents", tmp_path / "ocsf.jsonl", "--incident-schema", "ocsf", "-q"),
        ("replay", log, "--incidents", tmp_path / "incidents.parquet", "-q"),
        ("report", file, "--notice", "latest"),
        ("explain", file, "latest"),
        ("incidents", "show", "latest", "--cases", cases),
        ("incidents", "block", "latest", "--cases", cases, "--format", "nginx"),
        ("replay", log, "--client", "198.51.100.7", "-q"),
        ("inspect", log),
    ):
        done = run(*arguments)
        assert done.exit_code == 0, (arguments, done.output)
        printed.append(done.output)
    left = "\n".join(printed).encode() + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"198.51.100.7" in left
    assert b"/api/v1/users/" in left
    assert [secret for secret in secrets if secret.encode() in left] == []
