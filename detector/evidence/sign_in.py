"""Who has signed in: clients that have passed a route on which a session begins.

A forged or stolen token is never seen to begin (detection facts, A3: no-login). That is noted beside the judging, as a
bit of the client's slot; what it means follows from how many of those who read alike never sign in
(`learn`): where tokens live for days hardly anybody does, and it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from detector.evidence.judge import Judged
from detector.records.batch import Batch
from detector.records.routes import MAX_ROUTES
from detector.state.layout import SIGNED, State

WORDS = frozenset(
    [
        *("login", "logon", "signin", "sign-in", "sign_in", "log-in", "log_in", "session", "sessions"),
        *("oauth", "oauth2", "token", "authorize", "authenticate", "auth", "sso", "saml", "oidc", "callback"),
    ]
)
"""Words of a path for where a session begins (judgement: OAuth 2.0, RFC 6749, and the usual frameworks). Too many cost
nothing but power: who passes such a route counts as signed in."""


def is_sign_in(name: str) -> bool:
    """Whether a route, by its method and template, is one on which sessions begin."""
    path = name.partition(" ")[2].partition("?")[0].lower()
    return any(part.partition(".")[0] in WORDS for part in path.split("/"))


class SignIns:
    """Marks clients that pass a sign-in.

    Args:
        state: the tables.
        route_name: a route's method and template.
    """

    def __init__(self, state: State, route_name: Callable[[int], str]) -> None:
        self._state = state
        self._route_name = route_name
        self._is = np.zeros(MAX_ROUTES + 1, np.bool_)  # by route
        self._known = 1
        self._rows: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def meet(self, batch: Batch) -> None:
        """Looks which rows of a batch are sign-ins that were let in, once routes are assigned."""
        last = int(batch.route.max())
        for route in range(self._known, last + 1):
            self._is[route] = is_sign_in(self._route_name(route))
        self._known = max(self._known, last + 1)
        rows = np.flatnonzero(self._is[batch.route])
        status = batch.status[rows]
        self._rows = rows[(status == 0) | ((status >= 200) & (status < 400))]

    def note(self, batch: Batch, judged: Judged) -> None:
        """Marks those of the rows just judged, before anybody is weighed by them. A slot that another client, or the
        same one anew, has taken since is left alone, so that it does not matter how many rows are judged at once."""
        first, last = np.searchsorted(self._rows, [judged.first, judged.last]).tolist()
        if first == last:
            return
        rows = self._rows[first:last]
        slots = judged.slot[rows]
        rows, slots = rows[slots >= 0], slots[slots >= 0]
        clients, client, time_us = self._state.clients, batch.client[rows], batch.time_us[rows]
        held = slots[(clients["key"][slots] == client) & (clients["first_us"][slots] <= time_us)]
        clients["crossed"][held] = clients["crossed"][held] | SIGNED
        weighed = judged.client
        if weighed is not None and np.any((client == weighed["key"]) & (time_us >= weighed["first_us"])):
            weighed["crossed"] = int(weighed["crossed"]) | SIGNED
