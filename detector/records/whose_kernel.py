"""Machine code: whose record was read, for what, and under which consent, as keyed hashes."""

from __future__ import annotations

from .hash_kernel import U0, field
from .path_kernel import to_number, value_hash

DIGITS = 18


def whose(buf, span, fields, rows, key, first, out):
    """Fills ``out``, uint64 (k, n), with the hashes of k fields from ``first`` on; 0 where a line has none.

    A number is hashed as a number, so that a person is the same one in a path, in a field and in a map.
    """
    for row in range(rows.size):
        line = rows[row] * fields
        for k in range(out.shape[0]):
            words = field(buf, span, line, first + k)
            if words[0] == words[1]:
                out[k, row] = U0
                continue
            digits = 0
            for i in range(words[0], words[1]):
                digits += 48 <= buf[i] <= 57
            number = to_number(buf, words[0], words[1]) if digits == words[1] - words[0] <= DIGITS else -1
            out[k, row] = value_hash(buf, words[0], words[1], number, key[0], key[1])
    return rows.size
