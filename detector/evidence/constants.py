"""Numbers the evidence rests on, each with its origin."""

from __future__ import annotations

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000

CREEP = 1.01
"""What a pinned week's figure may grow a day: a doubling takes seventy days (detection facts, boiling frog)."""

RUN = 128
"""Ids in order that convict one client at cold start. A gallery of 60 thumbnails makes a run of 59, so a bound derived
from an average step share is too low; twice the longest benign run measured, rounded to a power of two."""

REACH = 64
"""How far beyond the stretch an id may lie and still belong to it: answers of parallel workers arrive out of order by
about the number of requests under way, which browsers and crawlers keep below a few dozen."""

CAP = 8
"""Trials of one client and day that teach its route's baseline, so that nobody teaches it his own normality."""

PRIOR_COLD = (5.0, 10.0)
"""Cold reads and reads a route is believed to have had before the first: a short log is half cold (.47 to .71 was
measured on ten-minute logs), so nothing is made of coldness until ordinary clients have shown their own."""

ESTABLISHED = 3
"""Reads, its owner's in separate hours, from which it is known who reads a record: twice a page is left open or sent to
somebody, three times somebody comes back (judgement; what it costs where they are not the owner's is learnt)."""

OTHERS_RATIO = 3
"""Hours of its owner for each read by anybody else, at least, in a record that is its owner's: a clerk or a harvester
takes nothing from its being so, a family or a team that shares it does (judgement, as above)."""

PRIOR_MISS = (1.5, 50.0)
"""Misses and tries before the first: 3 %, the share of unknown ids in ordinary API traffic."""

EMPTY_BYTES = 3
"""Bytes of a body that hold no record: ``{}``, ``[]`` or ``""`` and a line's end (RFC 8259; the shortest word, null or
true, has four). An envelope around nothing is longer and passes for a record. No bytes at all may be an answer that was
cut or not counted."""

FAMILIAR_TRIES = 64.0
"""Tries on a route in the last hour, `CAP` of each of eight clients, from which its share of misses counts as known:
its error is then a sixteenth at most, about the narrowest spread believed (`learn.MISS_NARROWEST`)."""

MISS_MIN = 8
"""Misses before guessing is weighed: the fewest that can prove it at one false alarm in a million (TRW, null .03)."""

BLOCK_IDS = 1024
BLOCK_MIN_HITS = 64
"""Ids a block, and the cold first reads it needs before its order is weighed (the identity-free scan)."""

GROUP = 64
"""Rows whose slots are asked for ahead: two dozen lines of cache each, 100 kB together, wait in a second-level cache of
half a megabyte; with 256 rows judging took a sixth longer."""

FADES = 1440
"""Minutes whose fades are kept in a table: nearly all cells count something again within a day, or are new."""

DECAYS = 1024
"""Whole seconds whose decays of a client's rates are kept in a table of 16 kB: who comes back comes back sooner."""

COHORT_ENDS_US = (3_600_000_000, DAY_US, 7 * DAY_US)
"""Ages at which a client passes to the next cohort: an hour, a day, a week (detection facts, A7)."""

SAMPLED_FIRST = 4
"""Trials of a client's day that are all sampled; later one an octave, so that nobody counts for more than ten of them a
day, whatever he reads, and decoys first do not help."""

WINDOW_TRIALS, WINDOW_LAST = 4, 256
"""Trials of a client's day held to be able to complete a window of eight: the fifth can be its fifth cold one; beyond
256 trials whoever can cross has crossed."""

CELL_PRIOR = 16.0
"""Counts with which a cell is believed to be like the others: one over the variance of the logarithm of its usual ratio
(cells of a simulated portal: .25 squared)."""

CELL_SETTLED_MINUTES = 360
"""Age of a route before its cells are judged: as long as coldness takes to mean anything (`evidence.learn`)."""

SUSPECT_NATS = 5.0
"""A score at which a cell teaches nothing: chance leads there once in exp(5) = 150 minutes at most."""

FIRST_SIGMA, FIRST_DISPERSION = 0.15, 0.02
"""Wander of levels and 1 / r of minutes until a day has shown them: those of a simulated portal had less."""

SIGMA_BOUNDS, DISPERSION_BOUNDS = (0.05, 1.0), (0.002, 1.0)
"""No site is as even as the lower ones; at the upper ones a minute must bring ten times the usual to say anything."""

TAIL_POWERS = (3.0, 4.0)
"""Where the level of coldness moves by a factor, five (seven) of eight move by about its third (fourth) power: they are
too sparse to show their own wander."""

ROUTE_SIGMA = 0.25
"""Least wander of a whole route, which only its own past speaks for: a back-fill moved one by 1.37, a cold start by
1.9, and this asks for 3.3."""

MINUTE_EXPECTED, LEVEL_EXPECTED = 1.0, 10.0
"""Counts a cell must expect of a minute, an hour to teach the noise of its kind: below, chance is all there is."""

SIZES_PRIOR = 1000
"""Clients for which a route is believed to be like the whole site, and clients of the site before any answer is called
large: a share of one in a thousand cannot be known from fewer."""

OVER_SHARE = 1e-3
"""Share of a route's clients that ever get an answer as large in a day: the largest thousandth, as the tail of bytes or
page depth is cut in the measurement of over-fetch (12.9 nats after ten such answers, 10.8 after five)."""

HANDFUL = 5
"""Clients that do not yet make a size usual on a route: the catalogue's groups of accounts that share one task and no
disguise are three to eight."""

LESSONS = 16
"""Changes of a route's histograms after which its edge is found anew, where none of them came near it: sixteen clients
move a share of one in a thousand by a sixtieth of `SIZES_PRIOR`."""

SIZES_KEPT = 1 << 16
"""Clients in one step of a histogram before it is halved: sixty times what the thousandth needs."""

FEWEST_OVER = 3
"""Large answers before they are weighed: one or two are an export somebody makes of his own."""

BEAT = 64
BEAT_CV = 0.05
"""Requests before a beat is weighed, and the coefficient of variation of gaps below which they are a clock's. Of
200,000 clients with lognormal or exponential gaps the steadiest had .54 after 64 requests (simulation)."""

DEVOTED = 16
"""Requests for one list to each one for anything else from which it is asked whether that is a machine's: the share,
15 in 16, is where the mixture of extractors lies (`likelihood.EXTRACTOR`: .85 and .98)."""

APART_SECONDS = 60.0
"""Between two answers that are two visits: the pages and parts of one visit follow within seconds (a page is read in 9,
the simulated portal's median)."""

HALF_HOUR_US = 1_800_000_000
HALVES_A_DAY = 48.0
"""Clients that come again are counted over the running half hour and the one before: longer than a group of accounts
needs for two visits each, shorter than an hour's change of the crowd (`incidents.company.SUDDEN`)."""

NOISE_HOURS = 6.0
"""Hours of log that what is believed of noise at first counts for: after a day four fifths are the site's own."""

QUIET_MINUTES = 60
"""How long the cells of a route teach nothing after one of them has alarmed: what is going on is nobody's baseline."""

TALLY_SIGMA = FIRST_SIGMA * TAIL_POWERS[1]
"""Wander of how many accounts harvest: they are what is rarest in coldness, and move as seven of eight do. At a quarter
of it the readers of galleries, few in the night and many at noon, were an incident (simulation)."""

MATURE_MINUTES = 30
"""Age at which an account is looked at: longer than people read without doing anything else, and 47 minutes of new
clients fit into their ring at the design rate."""

STUB_REQUESTS = 4
"""Most requests of an account that was used for a read or two: one to four in the catalogue's forged tokens."""

SOURCE_FEWEST, SOURCE_NATS, SOURCE_FORGED, SOURCE_STRENGTH = 3, 6.0, 20.0, 4.0
"""When an address stands out: at odds of 400 to 1 that its accounts are stubs with Beta(20, 1), 95 % of them, not
with the site's own share and the widest over-dispersion believed. "Three stubs and 80 %" instead gave 2,489 alarms a
day where three in ten ordinary accounts are stubs (simulation); an office or a carrier shows the site's share."""

SOURCE_LARGE = 100
"""Stubs behind one address from which it counts again at each doubling: as many clients as any campaign must have."""

STUB_ACCOUNTS, STUB_PRIOR = 2, 200
"""Accounts of an address that teach the site's share of stubs, and accounts it must be known from: its error is then
three percent at most."""

HARVEST_READS = 8
"""Distinct records an account must have read in its first half hour: a window of eight, as cells use; the catalogue's
mass-made accounts read eight to a hundred and twenty by then."""
