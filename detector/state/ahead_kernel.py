"""Asking for memory ahead of its use, so that the processor waits for many lines of it at once instead of one by one.

The tables are far larger than the caches, and hashes say where a row's slots lie: hardware cannot foresee it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from detector.compiled import njit
from detector.state.aligned import LINE
from detector.state.cells import CELL, NETWORK_CELL, NETWORK_NEW_CELL, PAST
from detector.state.layout import BLOCK, CLIENT, WAYS
from detector.state.tables_kernel import mix

U = np.uint64
CLIENT_BYTES, PAST_BYTES = CLIENT.itemsize, PAST.itemsize
BLOCK_BYTES, CELL_BYTES = WAYS * BLOCK.itemsize, WAYS * CELL.itemsize  # of a bucket


@intrinsic
def prefetch(typing_context: Any, table: Any, place: Any, byte: Any) -> Any:
    """Asks for the line with a byte of an element of a table; past the end of the table nothing happens."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte_pointer = ir.IntType(8).as_pointer()
        start = builder.mul(arguments[1], array.itemsize)
        at = builder.gep(builder.bitcast(array.data, byte_pointer), [builder.add(start, arguments[2])])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, number, number, number])
        # llvmlite knows how this LLVM spells the pointer in the name of an intrinsic.
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte_pointer], kind)
        builder.call(function, [at, number(0), number(3), number(1)])  # to read, to keep in all caches, data
        return context.get_dummy_value()

    return types.void(table, types.int64, types.int64), build


@intrinsic
def lowest(typing_context: Any, word: Any) -> Any:
    """The place of the lowest bit set of a word that is not zero."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


@njit
def ahead_of_cell(cells, hashed, route, kind, value):
    """The bucket `cells_kernel.find_cell` will look through."""
    base = np.int64(mix(value, U(route) * U(8) + U(kind)) & U(hashed // WAYS - 1)) * WAYS
    for byte in range(0, CELL_BYTES, LINE):
        prefetch(cells, base, byte)


@njit
def ahead_of_cells(cells, hashed, route, network):
    """The buckets `note_trial` will look through for a new client's network; agents are few, their cells at hand."""
    if network != 0:
        ahead_of_cell(cells, hashed, route, NETWORK_CELL, U(network))
        ahead_of_cell(cells, hashed, route, NETWORK_NEW_CELL, U(network))


@njit
def ahead_of_index(index, client):
    """A client's place in the index."""
    prefetch(index, np.int64(client & U(index.shape[0] - 1)), 0)


@njit
def ahead_of_object(objects, key):
    """An object's bucket: one line, see `aligned.aligned`."""
    prefetch(objects, np.int64((key >> U(32)) & U(objects.shape[0] // WAYS - 1)) * WAYS, 0)


@njit
def ahead_of_client(key, index, clients):
    """The slot that is a client's if its tag can be trusted, or -1: asks for it, does not look into it."""
    mask = U(index.shape[0] - 1)
    at = U(key) & mask
    tag = U(key) >> U(32)
    while True:
        entry = index[at]
        if entry == U(0):
            return np.int64(-1)
        if (entry >> U(32)) == tag:
            slot = np.int64(entry & U(0xFFFFFFFF)) - 1
            for byte in range(0, CLIENT_BYTES, LINE):
                prefetch(clients, slot, byte)
            return slot
        at = (at + U(1)) & mask


@njit
def ahead_of_block(blocks, route, block):
    """The first half of the bucket `find_block` will look through: blocks lie in the foremost free places of theirs."""
    base = np.int64(mix(U(block), U(route)) & U(blocks.shape[0] // WAYS - 1)) * WAYS
    for byte in range(0, BLOCK_BYTES // 2, LINE):
        prefetch(blocks, base, byte)


@njit
def ahead_of_past(cells, past, place):
    """A cell and its past, to be judged soon."""
    prefetch(cells, place, 0)
    for byte in range(0, PAST_BYTES, LINE):
        prefetch(past, place, byte)
