"""Changes of a consent ledger as columns, and as the file a partner platform would keep."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.simulate.site import HOST, consent_id
from detector.simulate.traffic import Ints

ACTIONS = ("view", "grant", "decline", "revoke")
VIEW, GRANT, DECLINE, REVOKE = range(len(ACTIONS))
MANNERS = ("", "explicit", "default_ticked", "bundled")
NOT_SAID, EXPLICIT, TICKED, BUNDLED = range(len(MANNERS))
PAGES = (
    f"https://{HOST}/settings/partners",
    f"https://{HOST}/partners",
    f"https://{HOST}/welcome",
    f"https://{HOST}/annual-bill",
)
"""Where people are asked. The last is Sesame's: a box under the annual bill."""
ANNUAL_BILL = len(PAGES) - 1

COLUMNS = (
    *("time", "received_at", "action", "subject", "partner", "class", "purpose", "manner", "viewed_at", "referrer"),
    "consent_id",
)


@dataclass(frozen=True)
class Changes:
    """n changes as equal-length columns.

    Attributes:
        time_us: int64, when it happened.
        received_us: int64, when the ledger had it.
        action: int8, index into ACTIONS.
        subject: int64, number of the person.
        partner, data_class, purpose: object, texts.
        manner: int8, index into MANNERS.
        viewed_us: int64, when the person was asked; -1 = not said.
        page: int8, index into PAGES; -1 = none.
        consent: int64, number of the consent; -1 = none.
    """

    time_us: Ints
    received_us: Ints
    action: npt.NDArray[np.int8]
    subject: Ints
    partner: npt.NDArray[np.object_]
    data_class: npt.NDArray[np.object_]
    purpose: npt.NDArray[np.object_]
    manner: npt.NDArray[np.int8]
    viewed_us: Ints
    page: npt.NDArray[np.int8]
    consent: Ints

    def __len__(self) -> int:
        return len(self.time_us)

    @classmethod
    def of(cls, time_us: Ints, **columns: npt.ArrayLike) -> Changes:
        """Changes at these moments; a column is an array or one value for all, what is not given gets its default."""
        given: dict[str, Any] = {
            "time_us": time_us,
            "received_us": time_us,
            "manner": NOT_SAID,
            "viewed_us": -1,
            "page": -1,
            "consent": -1,
            **columns,
        }
        types = {"action": np.int8, "manner": np.int8, "page": np.int8}
        texts = ("partner", "data_class", "purpose")
        made = []
        for field in fields(cls):
            kind: Any = np.object_ if field.name in texts else types.get(field.name, np.int64)
            made.append(np.broadcast_to(np.asarray(given[field.name], kind), (len(time_us),)).copy())
        return cls(*made)

    def take(self, rows: npt.NDArray[Any]) -> Changes:
        """The rows of an index array or a mask."""
        return Changes(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, parts: list[Changes]) -> Changes:
        """All parts in the order in which the ledger had them."""
        whole = cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))
        return whole.take(np.lexsort((whole.action, whole.time_us, whole.received_us)))

    def documents(self) -> Iterator[dict[str, str]]:
        """Each change as the texts a ledger holds; what is not said is left out."""
        when, had, seen = (_isos(column) for column in (self.time_us, self.received_us, self.viewed_us))
        for row in range(len(self)):
            page = int(self.page[row])
            found = (
                *(when[row], had[row], ACTIONS[self.action[row]], str(self.subject[row]), self.partner[row]),
                *(self.data_class[row], self.purpose[row], MANNERS[self.manner[row]]),
                *(seen[row] if self.viewed_us[row] >= 0 else "", PAGES[page] if page >= 0 else ""),
                consent_id(int(self.consent[row])).strip("-"),
            )
            yield {name: text for name, text in zip(COLUMNS, found, strict=True) if text}

    def write(self, path: Path) -> None:
        """Writes a table where the name ends in ``.csv``, else a JSON object a line, as the ledger had them.

        Raises:
            OSError: the file cannot be written.
        """
        with path.open("w", encoding="ascii", newline="") as file:
            if path.suffix == ".csv":
                table = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
                table.writeheader()
                table.writerows(self.documents())
            else:
                file.writelines(json.dumps(document) + "\n" for document in self.documents())


def _isos(time_us: Ints) -> list[str]:
    """ISO 8601 UTC to the millisecond."""
    texts: list[str] = np.datetime_as_string(time_us.astype("datetime64[us]"), unit="ms").tolist()
    return [f"{text}Z" for text in texts]
