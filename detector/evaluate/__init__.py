"""How good the answers were: incidents judged against the truth of a simulated log."""

from __future__ import annotations

from detector.evaluate.score import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
