"""What can be configured of names that leave the house, and of what lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.config_rule import Rule
from detector.config_rule import option as _option


@dataclass(frozen=True)
class PrivacyConfig:
    """What leaves under another name, what lies encrypted, and for how long it is kept."""

    pseudonym_key_file: Path | None = _option(
        None,
        Rule(
            "secret of at least 16 bytes: clients and networks leave as pseudonyms under it; `detector unmask` joins "
            "them again",
            check="file",
        ),
    )
    encryption_key_file: Path | None = _option(
        None,
        Rule("secret of at least 16 bytes that encrypts cases, pages and snapshots where they lie", check="file"),
    )
    case_days: float = _option(
        400.0,
        Rule(
            "how long the sidecar keeps the case of an incident that has ended: a year and the time to notice that it "
            "was one (judgement); one on hold is kept",
            1,
            36_500,
        ),
    )
