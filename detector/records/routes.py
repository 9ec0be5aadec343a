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

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.errors import SnapshotDamaged, UsageError
from detector.packing import Arrays, adopted
from detector.records.batch import DEPTH, Batch
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.looks import Looks
from detector.records.probing import places
from detector.records.shape import CLASS_MASK, CLASSES, FORMS, METHODS, NUMBER, QUERY, QUERY_PAGE
from detector.records.texts import NO_AGENTS, NO_NETWORKS, PARENT, TEXT, Texts

SLUG_AFTER = 32  # distinct odd literals: versions, years and codes of one resource stay below a few dozen (judgement)
PLAIN_FACTOR = 4  # 128 words: GitHub's REST API, wide as APIs go, has some 60 below /repos/{owner}/{repo}
MAX_ROUTES = 4_096  # the number of the last route, which holds what came when the table was full
MAX_NODES = 16_384
EDGE_SLOTS = 32_768  # twice MAX_NODES: open addressing at most half full

OTHER = MAX_ROUTES
_RECORD, _LIST, _ASSET = 1, 2, 4
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

NODE = np.dtype([("parent", "i4"), ("token", "u8"), ("odd", "i4"), ("plain", "i4"), ("fixed", "i4"), ("state", "u1")])
ROW = np.dtype([("node", "i4"), ("method", "u1"), ("flags", "u1")])
PATH = np.dtype([("route", "u4"), ("method", "u1"), ("tokens", "u8", DEPTH)])

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

    @property
    def mark(self) -> str:
        """What hashes of this key look like, as 16 hexadecimal digits: tokens of another key mean nothing here."""
        return blake2b(b"mark", key=self._key.tobytes(), digest_size=8).hexdigest()

    @property
    def looks(self) -> Looks:
        """What agents and networks are called."""
        return self._texts.looks

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of the tree (dtype NODE, the root first), the routes (dtype ROW, from number 1) and the texts."""
        parents, tokens, counts, states = self._tree[3:7]
        nodes = np.zeros(int(self._tree[8][0]), NODE)
        n = len(nodes)
        nodes["parent"], nodes["token"], nodes["state"] = parents[:n], tokens[:n], states[:n]
        nodes["odd"], nodes["plain"], nodes["fixed"] = counts[:n].T
        rows = np.zeros(len(self), ROW)
        for field, column in zip(("node", "method", "flags"), self._table, strict=True):
            rows[field] = column[1 : len(self) + 1]
        return {"nodes": nodes, "rows": rows, **self._texts.save()}

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave, into a table not used yet; limits stay as configured.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        nodes, rows = adopted(arrays["nodes"], NODE), adopted(arrays["rows"], ROW)
        n, below = len(nodes), len(nodes) - 1
        if not 1 <= n <= MAX_NODES or len(rows) >= MAX_ROUTES or np.any(nodes["parent"][1:] > np.arange(below)):
            raise SnapshotDamaged(f"snapshot: its {n} nodes and {len(rows)} routes do not fit the tree of routes")
        if np.any(rows["method"] >= len(METHODS)) or not np.all((rows["node"] >= 0) & (rows["node"] < n)):
            raise SnapshotDamaged("snapshot: it has routes outside the tree")
        edges, owners, children, parents, tokens, counts, states, by_node, sizes = self._tree
        parents[:n], tokens[:n], states[:n] = nodes["parent"], nodes["token"], nodes["state"]
        counts[:n] = np.stack([nodes["odd"], nodes["plain"], nodes["fixed"]], axis=1)
        at = places(_edge(nodes["parent"][1:], nodes["token"][1:]), EDGE_SLOTS)
        edges[at], owners[at], children[at] = nodes["token"][1:], nodes["parent"][1:], np.arange(1, n)
        for column, field in zip(self._table, ("node", "method", "flags"), strict=True):
            column[1 : len(rows) + 1] = rows[field]
        by_node[rows["node"], rows["method"]] = np.arange(1, len(rows) + 1)
        sizes[:2] = n, len(rows)
        looks = arrays.get("agents", NO_AGENTS), arrays.get("networks", NO_NETWORKS)
        self._texts.load(adopted(arrays["texts"], TEXT), adopted(arrays["text_parents"], PARENT), *looks)

    def paths(self, routes: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Some routes in a form that another process's table can `adopt`: dtype PATH, and their texts (dtype TEXT)."""
        known = [route for route in np.unique(routes).tolist() if 0 < route <= len(self)]
        rows = np.zeros(len(known), PATH)
        for row, route in zip(rows, known, strict=True):
            tokens = self.tokens(route)
            row["route"], row["method"] = route, self._table[1][route]
            row["tokens"][: len(tokens)] = tokens
        return {"paths": rows, "path_texts": self._texts.of_tokens(rows["tokens"][rows["tokens"] > 0].tolist())}

    def adopt(self, arrays: Arrays) -> npt.NDArray[np.uint32]:
        """Learns the routes another process gave by `paths`; returns this table's number for each of its numbers.

        Where a place has become ``{slug}`` here, it is one for them too.
        """
        rows = adopted(arrays["paths"], PATH)
        self._texts.adopt(adopted(arrays["path_texts"], TEXT))
        asked = Batch.empty(len(rows))
        asked.tokens[:], asked.method[:], asked.status[:] = rows["tokens"], rows["method"], 200
        self.assign(asked)
        numbers = np.full(MAX_ROUTES + 1, OTHER, np.uint32)
        numbers[0] = 0
        numbers[rows["route"]] = asked.route
        return numbers


def _edge(parents: npt.NDArray[np.int32], tokens: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Where edges stand in an empty table: what the kernel computes edge by edge."""
    mixed = (tokens ^ (parents.astype(np.uint64) << np.uint64(17))) * _FACTOR
    return (mixed >> np.uint64(64 - (EDGE_SLOTS.bit_length() - 1))).astype(np.int64)
