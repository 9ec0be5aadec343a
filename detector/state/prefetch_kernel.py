"""Machine code: asks the processor to fetch what will be read soon.

A look-up in a table larger than any cache waits some hundred nanoseconds for memory, however fast the program is. A
place asked for a dozen rows ahead is there when its row comes; unlike a read, the request holds up nothing behind it.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

READ, KEEP, DATA = 0, 3, 1  # of LLVM's prefetch: for reading, into all caches, data


@intrinsic
def prefetch(_typing, table, row):
    """``prefetch(table, row)``: the cache line in which a row of a 2-d table begins is wanted soon."""

    def generate(context, builder, signature, values):
        array = context.make_array(signature.args[0])(context, builder, values[0])
        shape, strides = (cgutils.unpack_tuple(builder, packed, 2) for packed in (array.shape, array.strides))
        first = ir.Constant(ir.IntType(64), 0)
        item = cgutils.get_item_pointer2(context, builder, array.data, shape, strides, "C", [values[1], first])
        address = builder.bitcast(item, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(function, [address, number(READ), number(KEEP), number(DATA)])
        return context.get_dummy_value()

    return types.void(table, types.int64), generate
