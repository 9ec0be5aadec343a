"""What people use today, on the same rows: rules on counts, and outlier models on hourly features."""

from __future__ import annotations

from detector.evaluate.rivals.rivals import Rivals

__all__ = ["Rivals"]
