"""What comes from a log reaches the terminal as printable ASCII only: an escape sequence in a request line could
otherwise rewrite the screen of whoever reads the report."""

from __future__ import annotations


def printable(text: str, *, keep_lines: bool = False) -> str:
    """``text`` with everything outside space to ``~`` written as ``\\xNN`` or ``\\uNNNN``.

    Args:
        text: anything, lone surrogates included.
        keep_lines: leaves line feeds alone, for messages of several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" or (keep_lines and c == "\n") else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
