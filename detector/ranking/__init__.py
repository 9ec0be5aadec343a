"""A second opinion for people: which clients are most unlike the others, and in what. It never alerts."""

from __future__ import annotations

from detector.ranking.ranking import Ranking, Unusual

__all__ = ["Ranking", "Unusual"]
