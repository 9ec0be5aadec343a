"""Routes learnt in log order: method and path template, with the places that proved to hold values as ``{slug}``.

Paths grow a tree of tokens (`shape`). Numbers, UUIDs and their like are classes from the first sight, by their look
alone. Literals are counted: at the k-th distinct one below a node that place becomes ``{slug}`` for good, this row
included. Odd literals (with figures in them, say) have k = `SLUG_AFTER`; plain words `PLAIN_FACTOR` times that, and
stay literals when only the odd ones are values: ``/users/me`` beside ``/users/{slug}``. A slug's suffix stays in the
template (``{slug}.nccsv``), its stem is folded into the object of the row.

Only what was answered teaches: a scanner's thousand guesses are misses, and must neither turn the root into ``{slug}``
nor fill the table. A miss follows what is known and ends in ``{missing}`` where it leaves it; a miss on a place that
others were served below still reads as what it asks for, ``GET /users/{id}``.

Everything here is a pure function of the rows in log order: how they were cut into batches changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.errors import UsageError
from detector.records.batch import Batch
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.shape import CLASS_MASK, CLASSES, FORMS, METHODS, NUMBER, QUERY, QUERY_PAGE
from detector.records.texts import Texts

SLUG_AFTER = 32  # distinct odd literals: versions, years and codes of one resource stay below a few dozen (judgement)
PLAIN_FACTOR = 4  # 128 words: GitHub's REST API, wide as APIs go, has some 60 below /repos/{owner}/{repo}
MAX_ROUTES = 4_096  # the number of the last route, which holds what came when the table was full
MAX_NODES = 16_384
EDGE_SLOTS = 32_768  # twice MAX_NODES: open addressing at most half full

OTHER = MAX_ROUTES
_RECORD, _LIST, _ASSET = 1, 2, 4

_U1, _U4, _U8, _I4, _I8 = Array("u1"), Array("u4"), Array("u8"), Array("i4"), Array("i8")
ASSIGN = Kernel(
    "detector.records.routes_kernel:assign",
    [
        *(Array("u8", 2), Array("u8", 2), _U1, Array("u2"), _U8, _I8, _U1, _U4, _U8),  # columns, key
        *(_U8, _I4, _I4, _I4, _U8, Array("i4", 2), _U1, Array("u4", 2), _I8),  # the tree
        *(_I4, _U1, _U1),  # the routes
    ],
)


class Routes:
    """The table of routes.

    Args:
        texts: the resolver's, for names.
        key: the resolver's.
        slug_after: distinct odd literals below one node that make it ``{slug}``. Raises ``UsageError`` below 2.
    """

    def __init__(self, texts: Texts, key: HashKey = REPLAY_KEY, slug_after: int = SLUG_AFTER) -> None:
        if slug_after < 2:
            raise UsageError(f"routes.slug_after: {slug_after}; at least 2, or every word of a path would be a value")
        self._texts = texts
        self._key = key.words()
        self._tree: tuple[npt.NDArray[Any], ...] = (
            np.zeros(EDGE_SLOTS, np.uint64),
            np.full(EDGE_SLOTS, -1, np.int32),
            np.zeros(EDGE_SLOTS, np.int32),
            np.zeros(MAX_NODES, np.int32),  # parent
            np.zeros(MAX_NODES, np.uint64),  # token
            np.zeros((MAX_NODES, 3), np.int32),  # children: odd, plain, fixed
            np.zeros(MAX_NODES, np.uint8),  # state
            np.zeros((MAX_NODES, len(METHODS)), np.uint32),  # route by method
            np.array([1, 0, slug_after, PLAIN_FACTOR * slug_after], np.int64),  # nodes, routes, limits
        )
        self._table: tuple[npt.NDArray[Any], ...] = (
            np.zeros(MAX_ROUTES + 1, np.int32),  # node
            np.zeros(MAX_ROUTES + 1, np.uint8),  # method
            np.zeros(MAX_ROUTES + 1, np.uint8),  # flags
        )

    def __len__(self) -> int:
        """Routes seen; their numbers are 1 to this, and `OTHER`."""
        return int(self._tree[8][1])

    def load(self) -> None:
        """Loads or compiles the kernel ahead of the first batch."""
        ASSIGN.load()

    def assign(self, batch: Batch) -> None:
        """Fills ``route``, and folds slugs into ``object``, ``number`` and ``flags``; rows must come in log order."""
        ASSIGN(
            *(batch.tokens, batch.slug, batch.method, batch.status, batch.object, batch.number, batch.flags),
            *(batch.route, self._key, *self._tree, *self._table),
        )

    def name(self, route: int) -> str:
        """``GET /users/{id}``: method and template, printable ASCII, at most 48 bytes a literal."""
        if route == OTHER:
            return "other"
        path = ""
        query = ""
        for token in self.tokens(route):
            kind = token & CLASS_MASK
            if kind in (QUERY, QUERY_PAGE):
                form = FORMS[self._texts.form(token) or NUMBER]
                key = self._texts.text(token) if token >= CLASSES else "*"
                query += f"{'&' if query else '?'}{key}={form}"
            elif kind:
                path += f"/{FORMS[kind]}{self._texts.suffix(token)}"
            else:
                path += "/" + self._texts.text(token)
        return f"{METHODS[int(self._table[1][route])]} {path.replace('/{static}', '{static}') or '/'}{query}"

    def tokens(self, route: int) -> list[int]:
        """The tokens of a route's template, from the root on."""
        node = int(self._table[0][route])
        found: list[int] = []
        while node > 0:
            found.append(int(self._tree[4][node]))
            node = int(self._tree[3][node])
        return found[::-1]

    def is_record(self, route: int) -> bool:
        """Whether the template names an object: by class, by slug or by a query key."""
        return bool(self._table[2][route] & _RECORD)

    def is_list(self, route: int) -> bool:
        """Whether the template has a page."""
        return bool(self._table[2][route] & _LIST)

    def is_static(self, route: int) -> bool:
        """Whether the route is that of assets."""
        return bool(self._table[2][route] & _ASSET)

    def flags(self) -> npt.NDArray[np.uint8]:
        """uint8 (MAX_ROUTES + 1,), shared: 1 = record, 2 = list, 4 = asset, by route."""
        return self._table[2]

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Everything the table is, as a snapshot keeps it."""
        return self._tree + self._table
