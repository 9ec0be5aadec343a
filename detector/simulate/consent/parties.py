"""Who reads other people's data by agreement: partners, advertisers, staff; who keeps to it, and who does not.

Grant rates of honest partners lie in what people give when they are asked, 5 to 40 %; how many are asked and how often
a person is read are judgement.
"""

from __future__ import annotations

from dataclasses import dataclass

BILL, CHAT, PROFILE, INTEREST = "bill", "chat", "profile", "interest"
FORM_OF = {BILL: "bill", CHAT: "chat", PROFILE: "user", INTEREST: "interest"}
"""The request each class of data is read by, a name of `site.FORMS`."""


@dataclass(frozen=True)
class Party:
    """One party of the policy.

    Attributes:
        name: in policy and ledger.
        kind: partner, advertiser or staff.
        accounts: under which it signs in.
        data_class: what it reads: BILL, CHAT ...
        purpose: what for, a text of `site.PURPOSES`.
        asked: persons it asks for consent; 0 = its reads need none.
        grant_rate: share of them that say yes.
        revoking: share of the grants that are taken back before the log ends.
        reads: requests for each person who granted; of those that ask nobody, requests in all.
        opens, closes: hours of the day (UTC) in which it reads.
        prefix: whether the policy knows its accounts by what they begin with.
        also: a second purpose it may name; grants are then for either.
    """

    name: str
    kind: str
    accounts: tuple[str, ...]
    data_class: str
    purpose: str
    asked: int = 0
    grant_rate: float = 0.0
    revoking: float = 0.0
    reads: float = 2.5
    opens: int = 0
    closes: int = 24
    prefix: str = ""
    also: str = ""

    @property
    def form(self) -> str:
        """The request it works with."""
        return FORM_OF[self.data_class]


HONEST: tuple[Party, ...] = (
    Party("lender", "partner", ("lender-one",), BILL, "lending", 4000, 0.25, 0.3),
    Party("tax-aid", "partner", ("tax-aid",), BILL, "tax", 2000, 0.12, 0.1, opens=6, closes=22),
    Party("birthday", "partner", ("birthday-app",), PROFILE, "greeting", 1500, 0.35, 0.15, reads=4.0),
    Party("ad-net", "advertiser", ("ad-net",), INTEREST, "advertising", reads=1500),
    Party("desk", "staff", ("staff-17", "staff-23", "staff-40"), CHAT, "support", reads=120, prefix="staff-"),
)
"""Beside every breach."""

SESAME = Party("sesame", "partner", ("sesame-credit",), BILL, "scoring", reads=1.0)
QUIZ = Party("quiz", "partner", ("quiz-app",), PROFILE, "quiz", grant_rate=0.3)
COACH = Party("money-coach", "partner", ("money-coach",), BILL, "budgeting", 3000, 0.3, 0.4, reads=6.0)
WALLET = Party("wallet", "partner", ("wallet-app",), BILL, "budgeting", 10_000, 0.3)
REUNION = Party("reunion", "partner", ("reunion-app",), PROFILE, "greeting", 10_000, 0.3)
BROKER = Party("broker", "partner", ("broker-one",), BILL, "lending", 10_000, 0.3, also="advertising")
REACH = Party("ad-reach", "advertiser", ("ad-reach",), INTEREST, "targeting", reads=1500)
