"""What the shipped rules call the incidents of a pattern (`configs/source/alerts.yaml`; a test holds them equal)."""

from __future__ import annotations

ENUMERATION, CAMPAIGN, CONSENT = "DetectorEnumeration", "DetectorCampaign", "DetectorConsentBreach"
BULK = "DetectorBulkExtraction"
PAGES = {
    **dict.fromkeys(("walk", "sweep", "guessing", "lookup"), ENUMERATION),
    **dict.fromkeys(("campaign", "fan_out"), CAMPAIGN),
    "consent": CONSENT,
}  # what is not named here is bulk extraction

PAGING = ("low", "medium", "high", "critical")  # severities; informational is for the curious


def alert_of(pattern: str) -> str:
    """The alert, and the runbook, of a pattern."""
    return PAGES.get(pattern, BULK)
