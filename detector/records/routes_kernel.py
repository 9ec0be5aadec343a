"""Machine code: tokens of requests into routes, in log order. See `routes` for the meaning, `shape` for the codes."""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, U1, inner, mix2

SLUG, PAGE, STATIC, MISSING, QUERY, QUERY_PAGE = 8, 9, 10, 11, 12, 13
F_PAGED, F_NAMED, F_MISS = 2, 4, 8
DEPTH = 8

ODD, PLAIN, FIXED = 0, 1, 2  # columns of the counts of children
# flags of a node: its odd, its plain literals are {slug}; somebody was served; a declared template has a parameter
# below it; it is part of a declared template
SLUG_ODD, SLUG_PLAIN, ANSWERED, PARAMETERS, TEMPLATE = 1, 2, 4, 8, 16
RECORD, LIST, ASSET = 1, 2, 4  # flags of a route
NODES, ROUTES = 0, 1  # places in `sizes`; 2 and 3: the limits for odd and plain literals
PARAMETER = np.uint64(15)
WELL_KNOWN = 3  # `routes.WELL_KNOWN`
MAX_FIXED = 64  # classes, suffixes and query keys below one node

U4 = np.uint64(4)
U15 = np.uint64(15)
U16 = np.uint64(16)
U32 = np.uint64(32)
SUFFIX_MASK = np.uint64(((1 << 22) - 1) << 6)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
EDGE_SHIFT = np.uint64(48)  # 64 - log2(routes.EDGE_SLOTS)


@inner
def find(trie, node, token):
    """The child of a node by its token, or -1 - the free place in the table."""
    tokens, nodes, children = trie[0], trie[1], trie[2]
    slot = np.int64(((token ^ (np.uint64(node) << np.uint64(17))) * FACTOR) >> EDGE_SHIFT)
    while nodes[slot] >= 0:
        if tokens[slot] == token and nodes[slot] == node:
            return children[slot]
        slot = (slot + 1) & (nodes.size - 1)
    return -1 - slot


@inner
def add(trie, node, token, place, column):
    """A new child in the free place ``place`` stands for; -1 where there is no room."""
    tokens, nodes, children, parents, names, counts, _, _, sizes = trie
    if sizes[NODES] >= parents.size:
        return -1
    slot = -1 - place
    child = sizes[NODES]
    sizes[NODES] += 1
    tokens[slot] = token
    nodes[slot] = node
    children[slot] = child
    parents[child] = node
    names[child] = token
    counts[node, column] += 1
    return child


@inner
def fixed(trie, node, token, served):
    """The child for a class; -1 where the tree is full.

    Suffixes and query keys are part of it while there is room for another one; a suffix also only when it was answered.
    """
    child = find(trie, node, token)
    if child >= 0 or token < U16:
        return child if child >= 0 else add(trie, node, token, child, FIXED)
    bare = token & U15
    suffixed = bare < np.uint64(QUERY)
    if trie[5][node, FIXED] < MAX_FIXED and (served or not suffixed):
        return add(trie, node, token, child, FIXED)
    child = find(trie, node, bare)
    return child if child >= 0 else add(trie, node, bare, child, FIXED)


@inner
def slug_token(token):
    """The class {slug} with a literal's suffix."""
    suffix = token & SUFFIX_MASK
    return np.uint64(SLUG) | suffix | U32 if suffix != U0 else np.uint64(SLUG)


@inner
def literal(trie, node, token, served):
    """One step along a literal: (child or -1, 1 = it is a {slug}, 2 = it ends in {missing})."""
    counts, states, sizes = trie[5], trie[6], trie[8]
    column = ODD if (token >> U4) & U1 else PLAIN
    promoted = SLUG_ODD if column == ODD else SLUG_PLAIN
    if states[node] & promoted:
        return fixed(trie, node, slug_token(token), served), 1
    child = find(trie, node, token)
    if child >= 0:
        return child, 0
    if served:
        if counts[node, column] + 1 < sizes[2 + column]:
            return add(trie, node, token, child, column), 0
        states[node] |= promoted
        return fixed(trie, node, slug_token(token), served), 1
    if states[node] & (SLUG_ODD | SLUG_PLAIN):
        return fixed(trie, node, slug_token(token), served), 1
    return fixed(trie, node, np.uint64(MISSING), served), 2


@inner
def step(trie, node, token, served):
    """One step along any token: (child or -1, 0 plain, 1 = {slug}, 2 = {missing})."""
    if trie[6][node] & TEMPLATE and token & U15 < np.uint64(STATIC):
        child = find(trie, node, token)
        if child >= 0 and trie[6][child] & TEMPLATE:
            return child, 0
        if trie[6][node] & PARAMETERS:
            return find(trie, node, PARAMETER), 1 if token & U15 == U0 else 0
    if token >= U16 and token & U15 == U0:
        return literal(trie, node, token, served)
    child = find(trie, node, token)
    if child >= 0:
        return child, 0
    if served or trie[6][node] & ANSWERED or token == np.uint64(STATIC):
        return fixed(trie, node, token, served), 0
    return fixed(trie, node, np.uint64(MISSING), served), 2


@inner
def describe(trie, node):
    """The flags of a route that ends in a node."""
    parents, names = trie[3], trie[4]
    flags = 0
    while node > 0:
        kind = np.int64(names[node] & U15)
        if 1 <= kind <= SLUG or kind == QUERY or kind == 15:
            flags |= RECORD
        elif kind == PAGE or kind == QUERY_PAGE:
            flags |= LIST
        elif kind == STATIC:
            flags |= ASSET
        node = parents[node]
    return flags


@inner
def route_of(trie, table, node, method):
    """The route of a node and a method, a new one where there is none yet; the last number where there is no room."""
    by_node, sizes = trie[7], trie[8]
    route_node, route_method, route_flags = table
    number = np.int64(by_node[node, method])
    if number == 0:
        number = sizes[ROUTES] + 1
        if number >= route_node.size - 1:
            return route_node.size - 1
        sizes[ROUTES] = number
        by_node[node, method] = number
        route_node[number] = node
        route_method[number] = method
        route_flags[number] = describe(trie, node)
    return number


def assign(
    tokens, slug, method, status, client, objects, numbers, flags, routes, key,
    edge_tokens, edge_nodes, edge_children, parents, names, counts, states, by_node, sizes,
    last, seen, route_node, route_method, route_flags,
):  # fmt: skip
    """Fills ``routes`` row by row, and folds slugs into objects. Returns the number of rows."""
    trie = (edge_tokens, edge_nodes, edge_children, parents, names, counts, states, by_node, sizes)
    table = (route_node, route_method, route_flags)
    for row in range(routes.size):
        served = flags[row] & F_MISS == 0 and status[row] < 500
        node = np.int64(0)
        for depth in range(DEPTH):
            token = tokens[row, depth]
            if token == U0:
                break
            node, kind = step(trie, node, token, served)
            if node < 0 or kind == 2:
                break
            if served:
                states[node] |= ANSWERED
                if token & U16 and seen[node] < WELL_KNOWN:
                    if seen[node] == 0 or (last[node, 0] != client[row] and last[node, 1] != client[row]):
                        last[node, seen[node] & 1] = client[
                            row
                        ]  # the third is counted, not kept: its place is never read
                        seen[node] += 1
            if kind == 1:
                value = slug[row, depth]
                if objects[row] == U0 or flags[row] & F_PAGED:
                    numbers[row] = -1
                if objects[row] != U0:
                    value = mix2(objects[row], value, key[0], key[1])
                objects[row] = value
                flags[row] &= ~F_PAGED
                if numbers[row] < 0:
                    flags[row] |= F_NAMED
        if node < 0:
            routes[row] = route_node.size - 1
        else:
            routes[row] = route_of(trie, table, node, np.int64(method[row]))
    return routes.size
