"""Machine code: what user agents and networks are called, kept at first sight. See `looks`."""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, inner, plain
from .looks import AGENT_BYTES, AGENT_SLOTS, NETWORK_BYTES, NETWORK_SLOTS
from .name_kernel import put_network

AGENT_SHIFT, NETWORK_SHIFT = (np.uint64(65 - slots.bit_length()) for slots in (AGENT_SLOTS, NETWORK_SLOTS))
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@inner
def _free_place(keys, key, shift):
    """Where a key that is not kept yet belongs; -1 for one that is."""
    slot = np.int64((key * FACTOR) >> shift)
    while keys[slot] != U0:
        if keys[slot] == key:
            return np.int64(-1)
        slot = (slot + 1) & (keys.size - 1)
    return slot


@plain
def _put_agent(texts, at, buf, start, end):
    """The first bytes of an agent; those that are not printable ASCII as question marks."""
    for i in range(min(end - start, AGENT_BYTES)):
        byte = buf[start + i]
        texts[at + i] = byte if 32 <= byte < 127 else np.uint8(63)


@inner
def look(looks, buf, agent, span, net, kind, hi, lo):
    """Keeps the texts of a line's agent and network, unless they are kept or there is no room."""
    agent_keys, agent_texts, network_keys, network_texts, sizes = looks
    if agent != U0:
        slot = _free_place(agent_keys, agent, AGENT_SHIFT)
        if slot >= 0 and sizes[0] < AGENT_SLOTS // 2:
            _put_agent(agent_texts, slot * AGENT_BYTES, buf, span[0], span[1])
            agent_keys[slot] = agent
            sizes[0] += 1
    if net != U0:
        slot = _free_place(network_keys, net, NETWORK_SHIFT)
        if slot >= 0 and sizes[1] < NETWORK_SLOTS // 2:
            put_network(network_texts, slot * NETWORK_BYTES, kind, hi, lo)
            network_keys[slot] = net
            sizes[1] += 1
