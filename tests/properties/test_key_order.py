"""What the scanner of JSON remembers of the order of keys changes nothing it reads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detector.formats import load
from detector.formats.jsonlines import JsonFormat
from detector.formats.reference_json import parse
from tests.format_lines import PLAIN, parsed, scan

JSON = sorted(name for name in PLAIN if isinstance(load(name), JsonFormat))


def written(rng: np.random.Generator, line: bytes) -> bytes:
    """The line with its keys in another order, left out, escaped, apart from their colons, and cut now and then."""
    items = list(json.loads(line).items())
    if rng.random() < 0.3:
        rng.shuffle(items)
    if rng.random() < 0.3:
        items.insert(int(rng.integers(len(items) + 1)), ("not in the map", {"status": "1", "time": [1, "x"]}))
    parts = []
    for key, value in items:
        name = json.dumps(key)
        if rng.random() < 0.05:
            name = f'"\\u{ord(key[0]):04x}{key[1:]}"'
        if rng.random() < 0.05:
            name = name[:-2] + name[-1]
        colon = (":", ":", ":", ":", ": ", " :", "", "::")[rng.integers(8)] if rng.random() < 0.2 else ":"
        if rng.random() > 0.05:
            parts.append(name + colon + json.dumps(value, separators=(",", ":")))
    text = ("{" + ",".join(parts) + "}").encode()
    return text[: int(rng.integers(len(text)))] if rng.random() < 0.1 else text


@pytest.mark.parametrize("name", JSON)
def test_keys_in_any_order(name: str) -> None:
    """Lines whose keys come as before, otherwise, escaped or not at all are read as the reference reads each alone."""
    rng = np.random.default_rng(7)
    lines = [written(rng, PLAIN[name]) if rng.random() < 0.7 else PLAIN[name] for _ in range(400)]
    format = load(name)
    fields, buffer = scan(format, lines)
    for i, line in enumerate(lines):
        assert parsed(fields, buffer, i) == parse(format, line), line
