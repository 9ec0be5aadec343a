"""Formats: bytes of a line -> where its fields lie. Formats know nothing of memory.

A format is data: a text layout (an nginx ``log_format`` or Apache ``LogFormat`` string) or a field map of JSON lines,
in ``configs/formats/*.yaml``. A new gateway needs no code.
"""

from __future__ import annotations

from detector.formats.detection import Detection, detect
from detector.formats.presets import Format, load, names

PRESETS = names()

__all__ = ["PRESETS", "Detection", "Format", "detect", "load", "names"]
