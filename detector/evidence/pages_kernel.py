"""Pages of lists that nobody else opens, and how few clients go as far back.

A list nobody uses is walked through page by page before any single page of it is far back: by the tenth page all ten
were opened by one client alone. So a page is one trial, like a record: whether anybody else has opened that page of
that route in the last 24 hours (`state.tables_kernel.touch_object`), against the share of such pages among those that
ordinary clients open. A client teaches that share its first, second, fourth ... answer of the day, so that deep readers
are heard as well as others, and nobody by more than the logarithm of what he reads. A route is believed to be like the
site for its first thousand pages.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import SIZES_KEPT, SIZES_PRIOR
from detector.evidence.steps_kernel import STEPS
from detector.state.tables_kernel import COLD, OWN

PAGES = 128  # where the histogram of pages begins in ``sizes``


@njit
def unread(c, r, site, seen):
    """Counts a page a client has opened; returns whether nobody else opens it, as far as the site is known.

    Args:
        c: the client's slot; its ``answers`` count this one.
        r, site: the route's row and the site's.
        seen: what `touch_object` said of the page.
    """
    if seen == OWN:
        return False
    share = (site.pages[1] + 0.5) / (site.pages[0] + 1.0)
    c.unread_expected[0] += (r.pages[1] + SIZES_PRIOR * share) / (r.pages[0] + SIZES_PRIOR)
    is_known = site.pages[0] >= SIZES_PRIOR
    n = np.int64(c.answers[0])
    if n & (n - 1) == 0 and c.incident == 0:
        _teach(r, seen == COLD)
        _teach(site, seen == COLD)
    return is_known and seen == COLD


@njit
def _teach(table, is_unread):
    table.pages[0] += 1
    table.pages[1] += is_unread
    if table.pages[0] >= SIZES_KEPT:
        table.pages[0] //= 2
        table.pages[1] //= 2


@njit
def depth_nats(r, site, step, own):
    """Minus the log of the share of a route's other clients that ever go back so far in a day.

    Args:
        r, site: the route's row and the site's, whose shape the route is believed to have at first.
        step: of the page, see `page_step`.
        own: whether the client itself is among those counted there.
    """
    n = at_least = site_n = site_at_least = 0
    for other in range(STEPS):
        n += np.int64(r.sizes[PAGES + other])
        site_n += np.int64(site.sizes[PAGES + other])
        if other >= step:
            at_least += np.int64(r.sizes[PAGES + other])
            site_at_least += np.int64(site.sizes[PAGES + other])
    if site_n <= SIZES_PRIOR:
        return 0.0
    share = (max(site_at_least - own, 0) + 1.0) / (site_n + 1.0)
    return -math.log((max(at_least - own, 0) + SIZES_PRIOR * share) / (n + SIZES_PRIOR))
