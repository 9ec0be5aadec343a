"""Text out of a log made harmless for the eye: nothing in it turns, hides or overprints what stands beside it."""

from __future__ import annotations

import unicodedata

LONGEST = 300  # characters of one text shown; a user agent of a browser has 150
_ESCAPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"))
"""General categories (Unicode, chapter 4.5) that are shown by their number: control and format characters, which
includes bidirectional marks and tags, surrogates, private and unassigned ones, line and paragraph separators, and
marks that stack up over others."""


def visible(text: str, longest: int = LONGEST) -> str:
    """The text with every character that does not show as itself written as ``⟨U+202E⟩``, cut to a length that is said.

    Spaces other than the plain one are shown so, too: they make two texts look alike.
    """
    cut = len(text) - longest
    if cut > 0:
        text = text[:longest]
    if not (text.isascii() and text.isprintable()):
        text = "".join(c if _shows(c) else f"⟨U+{ord(c):04X}⟩" for c in text)
    return f"{text}… ({cut:,} more characters)" if cut > 0 else text


def _shows(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category not in _ESCAPED and (category != "Zs" or letter == " ")
