"""Routes learnt in log order: method and path template, with the places that proved to hold values as ``{slug}``.

Paths grow a tree of tokens (`shape`). Numbers, UUIDs and their like are classes from the first sight, by their look
alone. Literals are counted: at the k-th distinct one below a node that place becomes ``{slug}`` for good, this row
included. Odd literals (with figures in them, say) have k = `SLUG_AFTER`; plain words `PLAIN_FACTOR` times that, and
stay literals when only the odd ones are values: ``/users/me`` beside ``/users/{slug}``. A slug's suffix stays in the
template (``{slug}.nccsv``), its stem is folded into the object of the row.

Only what was answered teaches: a scanner's thousand guesses are misses, and must neither turn the root into ``{slug}``
nor fill the table. A miss follows what is known and ends in ``{missing}`` where it leaves it; a miss on a place that
others were served below still reads as what it asks for, ``GET /users/{id}``.

Templates that are declared (`templates`) override what is learnt: below a declared path a literal that is declared
stays one, and where a parameter is declared anything else is its value from the first sight. What is not declared is
learnt as ever.

A name must not tell what a request told. An odd literal is shown in it only where it is known well, served to three
clients, and has at most `FEW_ODD` odd neighbours; until then, and for good where values stand, the
name says ``{slug}``.

Everything here is a pure function of the rows in log order: how they were cut into batches changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from detector.records.shape import (
    CLASS_MASK,
    CLASSES,
    FORMS,
    HASHED,
    METHODS,
    NUMBER,
    ODD,
    PARAMETER,
    QUERY,
    QUERY_PAGE,
    SLUG,
)
from detector.records.templates import Template
from detector.records.texts import NO_AGENTS, NO_NETWORKS, PARENT, TEXT, Texts

SLUG_AFTER = 32  # distinct odd literals: versions, years and codes of one resource stay below a few dozen (judgement)
PLAIN_FACTOR = 4  # 128 words: GitHub's REST API, wide as APIs go, has some 60 below /repos/{owner}/{repo}
MAX_ROUTES = 4_096  # the number of the last route, which holds what came when the table was full
MAX_NODES = 16_384
EDGE_SLOTS = 65_536  # four times MAX_NODES: open addressing at most half full, a parameter having two edges
MAX_DECLARED = 8_192  # nodes of declared templates: half of the tree is left for what is learnt
WELL_KNOWN = 3  # clients: fewer could be one person, with and without an account (judgement)
FEW_ODD = 8  # odd words in one place of an interface, `v1.1` and `oauth2`; values come in dozens (judgement)

OTHER = MAX_ROUTES
_RECORD, _LIST, _ASSET = 1, 2, 4
_ANSWERED, _PARAMETERS, _TEMPLATE = 4, 8, 16  # `routes_kernel`
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

NODE = np.dtype(
    [
        ("parent", "i4"),
        ("token", "u8"),
        ("odd", "i4"),
        ("plain", "i4"),
        ("fixed", "i4"),
        ("state", "u1"),
        ("served", "u8", (2,)),
        ("seen", "u1"),
    ]
)
ROW = np.dtype([("node", "i4"), ("method", "u1"), ("flags", "u1")])
PATH = np.dtype([("route", "u4"), ("method", "u1"), ("tokens", "u8", DEPTH)])

_U1, _U4, _U8, _I4, _I8 = Array("u1"), Array("u4"), Array("u8"), Array("i4"), Array("i8")
ASSIGN = Kernel(
    "detector.records.routes_kernel:assign",
    [
        *(Array("u8", 2), Array("u8", 2), _U1, Array("u2"), _U8, _U8, _I8, _U1, _U4, _U8),  # columns, key
        *(_U8, _I4, _I4, _I4, _U8, Array("i4", 2), _U1, Array("u4", 2), _I8),  # the tree
        *(Array("u8", 2), _U1, _I4, _U1, _U1),  # who was served, the routes
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
        self._served = (np.zeros((MAX_NODES, 2), np.uint64), np.zeros(MAX_NODES, np.uint8))  # who was served, how many
        self._templates: tuple[Sequence[Template], npt.NDArray[np.uint64]] = ((), np.zeros((0, DEPTH), np.uint64))
        self._classes: dict[int, dict[int, set[str]]] = {}  # data classes by node and method
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
            *(batch.tokens, batch.slug, batch.method, batch.status, batch.client),
            *(batch.object, batch.number, batch.flags, batch.route, self._key),
            *(*self._tree, *self._served, *self._table),
        )

    def name(self, route: int) -> str:
        """``GET /users/{id}``: method and template, printable ASCII, at most 48 bytes a literal."""
        if route == OTHER:
            return "other"
        path = ""
        query = ""
        for node in self._nodes(route):
            token = int(self._tree[4][node])
            kind = token & CLASS_MASK
            if kind in (QUERY, QUERY_PAGE):
                form = FORMS[self._texts.form(token) or NUMBER]
                key = self._texts.text(token) if token >= CLASSES else "*"
                query += f"{'&' if query else '?'}{key}={form}"
            elif kind == PARAMETER:
                path += f"/{{{self._texts.text(token)}}}"
            elif not kind and token & ODD and not self._is_word(node):
                path += f"/{FORMS[SLUG]}{self._texts.suffix(token)}"
            elif kind:
                path += f"/{FORMS[kind]}{self._texts.suffix(token)}"
            else:
                path += "/" + self._texts.text(token)
        return f"{METHODS[int(self._table[1][route])]} {path.replace('/{static}', '{static}') or '/'}{query}"

    def tokens(self, route: int) -> list[int]:
        """The tokens of a route's template, from the root on."""
        return [int(self._tree[4][node]) for node in self._nodes(route)]

    def _nodes(self, route: int) -> list[int]:
        node = int(self._table[0][route])
        found: list[int] = []
        while node > 0:
            found.append(node)
            node = int(self._tree[3][node])
        return found[::-1]

    def _is_word(self, node: int) -> bool:
        """Whether an odd literal is part of the interface rather than a value."""
        if self._tree[6][node] & _TEMPLATE:
            return True
        few = int(self._tree[5][self._tree[3][node], 0]) <= FEW_ODD
        return few and int(self._served[1][node]) >= WELL_KNOWN

    def declare(self, templates: Sequence[Template], tokens: npt.NDArray[np.uint64]) -> None:
        """Templates that override what is learnt, from the next row on; those declared before are forgotten.

        Args:
            templates: what is declared.
            tokens: uint64 (n, DEPTH), `Resolver.tokens` of their paths, parameters as anything.

        Raises:
            UsageError: they are too many.
        """
        self._templates, self._classes = (templates, tokens), {}
        self._tree[6][:] &= 0xFF - _PARAMETERS - _TEMPLATE
        for template, row in zip(templates, tokens, strict=True):
            node = 0
            for depth, token in enumerate(row[row > 0].tolist()):
                self._tree[6][node] |= _TEMPLATE
                name = template.parameters.get(depth)
                node = self._step(node, token) if name is None else self._parameter(node, name)
            self._tree[6][node] |= _TEMPLATE
            by_method = self._classes.setdefault(node, {})
            by_method.setdefault(METHODS.index(template.method), set()).update(template.data_classes)

    def data_classes(self, route: int) -> tuple[str, ...]:
        """The declared classes of what a route hands out, sorted; of its method and of all methods."""
        if not self._classes or route == OTHER:
            return ()
        node = int(self._table[0][route])
        while node > 0 and int(self._tree[4][node]) & CLASS_MASK in (QUERY, QUERY_PAGE):
            node = int(self._tree[3][node])
        by_method = self._classes.get(node, {})
        return tuple(sorted(by_method.get(int(self._table[1][route]), set()) | by_method.get(0, set())))

    def _parameter(self, node: int, name: str) -> int:
        """The child for any value; another name for the same place changes nothing."""
        self._tree[6][node] |= _PARAMETERS
        slot = self._slot(node, PARAMETER)
        if self._tree[1][slot] >= 0:
            return int(self._tree[2][slot])
        word = HashKey(*self._key.tolist()).of_text(name.encode())
        token = (word >> 28 << 28) | HASHED | PARAMETER
        text = np.zeros(1, TEXT)
        text["token"], text["text"] = token, name.encode()
        self._texts.adopt(text)
        child = self._step(node, token)
        slot = self._slot(node, PARAMETER)
        edges, owners, children = self._tree[:3]
        edges[slot], owners[slot], children[slot] = PARAMETER, node, child
        return child

    def _step(self, node: int, token: int) -> int:
        """The child of a node by its token, a new one where there is none."""
        edges, owners, children, parents, tokens, _, _, _, sizes = self._tree
        slot = self._slot(node, token)
        if owners[slot] >= 0:
            return int(children[slot])
        child = int(sizes[0])
        if child >= MAX_DECLARED:
            raise UsageError(f"routes: the templates have more than {MAX_DECLARED} parts")
        sizes[0] += 1
        edges[slot], owners[slot], children[slot] = token, node, child
        parents[child], tokens[child] = node, token
        return child

    def _slot(self, node: int, token: int) -> int:
        """Where an edge stands, or where it would: what the kernel's `find` does."""
        edges, owners = self._tree[:2]
        slot = int(_edge(np.array([node], np.int32), np.array([token], np.uint64))[0])
        while owners[slot] >= 0 and not (int(edges[slot]) == token and int(owners[slot]) == node):
            slot = (slot + 1) % EDGE_SLOTS
        return slot

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
        nodes["served"], nodes["seen"] = self._served[0][:n], self._served[1][:n]
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
        edges[:], owners[:], states[:] = 0, -1, 0  # what was declared is declared anew
        self._served[0][:n], self._served[1][:n] = nodes["served"], nodes["seen"]
        parents[:n], tokens[:n], states[:n] = nodes["parent"], nodes["token"], nodes["state"]
        counts[:n] = np.stack([nodes["odd"], nodes["plain"], nodes["fixed"]], axis=1)
        at = places(_edge(nodes["parent"][1:], nodes["token"][1:]), EDGE_SLOTS)
        edges[at], owners[at], children[at] = nodes["token"][1:], nodes["parent"][1:], np.arange(1, n)
        for column, field in zip(self._table, ("node", "method", "flags"), strict=True):
            column[1 : len(rows) + 1] = rows[field]
        by_node[rows["node"], rows["method"]] = np.arange(1, len(rows) + 1)
        sizes[:2] = n, len(rows)
        looks = arrays.get("agents", NO_AGENTS), arrays.get("networks", NO_NETWORKS)
        self._texts.reset()
        self._texts.load(adopted(arrays["texts"], TEXT), adopted(arrays["text_parents"], PARENT), *looks)
        self.declare(*self._templates)

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
