"""The tables: every pattern and every confuser. A new one is a file and a line here."""

from __future__ import annotations

from detector.records.declared import Partner
from detector.simulate.addresses import LOAD_NETWORK
from detector.simulate.confusers.analyst import N13
from detector.simulate.confusers.carrier import N3
from detector.simulate.confusers.catalogue_drop import N11
from detector.simulate.confusers.confuser import Confuser
from detector.simulate.confusers.crawler import N1
from detector.simulate.confusers.desk import N8
from detector.simulate.confusers.flash import N4
from detector.simulate.confusers.holiday import N14
from detector.simulate.confusers.load import N6
from detector.simulate.confusers.partner import N2
from detector.simulate.confusers.probe import N5
from detector.simulate.confusers.release import N10
from detector.simulate.confusers.replayed import N15
from detector.simulate.confusers.retries import N12
from detector.simulate.confusers.seller import N9
from detector.simulate.confusers.warmer import N7
from detector.simulate.patterns.campaign import P4
from detector.simulate.patterns.contacts import P7
from detector.simulate.patterns.forged import P10
from detector.simulate.patterns.guess import P5
from detector.simulate.patterns.lookup import P6
from detector.simulate.patterns.metronome import P13
from detector.simulate.patterns.mill import P8
from detector.simulate.patterns.overfetch import P12
from detector.simulate.patterns.pattern import Pattern
from detector.simulate.patterns.rogue import P11
from detector.simulate.patterns.slow import P2
from detector.simulate.patterns.stolen import P9
from detector.simulate.patterns.sweep import P3
from detector.simulate.patterns.walk import P1
from detector.simulate.shop.machines import DECLARED as _SHOP

PATTERNS: dict[str, Pattern] = {p.key: p for p in (P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13)}
CONFUSERS: dict[str, Confuser] = {n.key: n for n in (N1, N2, N3, N4, N5, N6, N7, N8, N9, N10, N11, N12, N13, N14, N15)}

# What the world's owner declares: the configuration's section `partners`.
DECLARED = (
    *_SHOP,
    # Load tests come when they come: a range of one's own is agreed to be of any size.
    {"name": "own-machines", "match": {"networks": [LOAD_NETWORK]}, "contract": {"learn": False}},
)

PARTNERS = tuple(
    Partner(d["name"], tuple(d["match"].get("accounts", ())), (), tuple(d["match"].get("networks", ())))
    for d in DECLARED
)
"""The same, as the resolver takes them."""
