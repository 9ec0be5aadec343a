"""Machine code: who visits, and what each visitor does. See `columns.crowd` for the meaning.

All chance comes from SplitMix64 (Steele, Lea, Flood 2014), seeded anew for each session, so that a stretch of log time
is the same whatever was made before it. Who a visitor is follows from a hash of his slot, so that no table of eight
million people is needed.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit

U = np.uint64
GOLDEN = U(0x9E3779B97F4A7C15)
# places in `ints`
SEED, SLOTS, SLOT_STEP, IDS, SHELF, STEP, TAIL, EPOCH, RELEASE, NEW_AGENT, GALLERIES, CAP_US, VERSIONS = range(13)
# places in `floats`
CHURN_KNOWN, CHURN_STRANGER, KNOWN, APP, EVEN, ZIPF, BIG, SIX, ROAM, ORDERS, RELEASE_SHARE, RELEASE_DAYS = range(12)
# places in `codes`
(
    HOME, LOGIN, REGISTER, SEARCH, ITEMS, ITEM, REVIEWS, USER, GALLERY, ORDER, ORDERLIST, BUY, PHOTO, THUMB, LOOKUP,
    WARRANTY, CSS, JS, LOGO, FONT, ICON,
) = range(21)  # fmt: skip
DAY = 86_400_000_000
SPREAD_US = 65_536  # jitter on the table of reading times, so that no two gaps are the same


@njit
def mix(x):
    """SplitMix64's finalizer."""
    x = U(x)
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit
def draw(r):
    """The next 64 random bits."""
    r[0] += GOLDEN
    return mix(r[0])


@njit
def unit(r):
    """The next number in [0, 1)."""
    return np.float64(draw(r) >> U(11)) * 1.1102230246251565e-16


@njit
def below(r, n):
    """The next integer in [0, n), n far below 2^53."""
    return np.int64(unit(r) * n)


@njit
def scatter(rank, ints):
    """`site.scatter`: ranks 0..ids-1 over the ids 1..ids."""
    return (rank * ints[STEP] + ints[IDS] // 7) % ints[IDS] + 1


@njit
def identity(slot, time_us, ints, floats):
    """Who has a slot at this time: (hash, account or 0). Slots change hands as people come and go."""
    seed = U(ints[SEED])
    place = mix(seed ^ (U(slot) * U(0xD6E8FEB86659FD93)))
    known = np.float64(place & U(0xFFFFFF)) < floats[KNOWN] * 16777216.0
    churn = floats[CHURN_KNOWN] if known else floats[CHURN_STRANGER]
    phase = np.float64((slot * ints[SLOT_STEP]) % ints[SLOTS]) / np.float64(ints[SLOTS])
    turn = np.int64(math.floor(np.float64(time_us - ints[EPOCH]) / DAY * churn + phase))
    h = mix(place ^ (U(turn) * U(0xA0761D6478BD642F)))
    if not known:
        return h, np.int64(0)
    return h, scatter((slot + ints[SLOTS] * turn) % ints[IDS], ints)


@njit
def is_app(h, account, floats):
    """Whether somebody with an account uses the app."""
    return account > 0 and np.float64((h >> U(8)) & U(0xFFFF)) < floats[APP] * 65536.0


@njit
def place_of(h, ints, floats, nets, octets):
    """The address of a hash: large networks, shared by many, for half the people, small ones for the rest."""
    a = mix(h ^ U(0x9FB21C651E98DF25))
    if np.float64(a & U(0xFFFF)) < floats[BIG] * 65536.0:
        network = nets[np.int64((a >> U(16)) & U(4095))]
        host = np.int64((a >> U(32)) % U(254)) + 1
    else:
        network = 1000 + np.int64((a >> U(16)) % U(ints[TAIL]))
        host = np.int64((a >> U(48)) % U(254)) + 1
        if network % 50 == 0:
            host = np.int64(7)  # an office: everybody behind one address
    n = mix(U(network) ^ U(ints[SEED]) ^ U(0x51ED2701))
    if np.float64((a >> U(44)) & U(0xFFF)) < floats[SIX] * 4096.0:
        group = U(0x1000) + n % U(0xF000)
        last = U(0x1000) + (a >> U(20)) % U(0xF000)
        return (U(0x20010DB8) << U(32)) | (group << U(16)) | last
    return U(octets[n % U(octets.shape[0])]) << U(24) | ((n >> U(24)) & U(0xFFFF)) << U(8) | U(host)


@njit
def agent_of(h, time_us, app, ints, floats, platforms, cycles):
    """The agent of a hash at a time: a platform, and the version its user has come to."""
    a = mix(h ^ U(0x2545F4914F6CDD1D))
    platform = platforms[1 if app else 0, np.int64(a & U(1023))]
    if ints[RELEASE] > 0 and np.float64((a >> U(10)) & U(0xFFFF)) < floats[RELEASE_SHARE] * 65536.0:
        adopted = np.float64((a >> U(26)) & U(0xFFFF)) / 65536.0 * floats[RELEASE_DAYS] * DAY
        if time_us >= ints[RELEASE] + np.int64(adopted):
            return ints[NEW_AGENT]
    late = -math.log(np.float64(((a >> U(32)) & U(0xFFFF)) + U(1)) / 65537.0) * 6.0 * DAY  # six days on average
    if (a >> U(48)) & U(15) == U(0):
        late *= 12.0  # one in sixteen hardly ever updates
    version = (time_us - np.int64(late) - ints[EPOCH] + cycles[platform, 0]) // cycles[platform, 1]
    version = min(max(version, 0), ints[VERSIONS] - 1)
    return platform * ints[VERSIONS] + version


@njit
def popular(r, stray, ints, floats):
    """A record as people choose it: Zipf over the shelf, and now and then one from anywhere."""
    if unit(r) < stray:
        return below(r, ints[IDS]) + 1
    top = np.float64(ints[SHELF] + 1)
    u = unit(r)
    if abs(floats[ZIPF] - 1.0) < 1e-9:
        rank = math.exp(u * math.log(top))
    else:
        k = 1.0 - floats[ZIPF]
        rank = (u * (top**k - 1.0) + 1.0) ** (1.0 / k)
    return scatter(min(np.int64(rank), ints[SHELF]) - 1, ints)


@njit
def slot_of(u, ints, floats):
    """The slot of a visitor drawn by how often each comes: the busiest hundredth makes a tenth of the visits."""
    d = floats[EVEN]
    x = math.sqrt(d) + u * (math.sqrt(1.0 + d) - math.sqrt(d))
    return min(np.int64((x * x - d) * ints[SLOTS]), ints[SLOTS] - 1)


@njit
def put(out, n, time_us, who, form, number, page, status, referer, medians, counts, r, bell):
    """Writes one row; ``who`` = (address, account, agent)."""
    o = out[n]
    o.time_us = time_us
    o.address = who[0]
    o.who = who[1]
    o.agent = who[2]
    o.form = form
    o.number = number
    o.page = page
    o.status = status
    o.referer = referer
    o.rows = counts[form] if status < 400 else 0
    o.batch = 1
    o.actor = -1
    o.requests = 1
    o.flags = 0
    o.source = 0
    o.unused = 0
    size = medians[form] * bell[np.int64(draw(r) >> U(52))]
    o.size = 0 if status == 304 else (148 if status >= 400 else np.int64(size))
    return n + 1


@njit
def opening(out, n, time_us, who, known, app, is_new, codes, medians, counts, r, bell):
    """The first page of a visit with its assets; app users call the interface alone."""
    if is_new:
        n = put(out, n, time_us, who, codes[REGISTER], -1, -1, 200, 0, medians, counts, r, bell)
        n = put(out, n, time_us + 900_000, who, codes[LOGIN], -1, -1, 200, 0, medians, counts, r, bell)
    elif known and unit(r) < (0.15 if app else 0.8):  # apps keep their tokens for weeks, browsers for a visit
        n = put(out, n, time_us, who, codes[LOGIN], -1, -1, 200, 0, medians, counts, r, bell)
    else:
        form = codes[ITEMS] if app else codes[HOME]
        n = put(out, n, time_us, who, form, 1 if app else -1, -1, 200, 0 if app else 3, medians, counts, r, bell)
    if not app:
        for asset in range(CSS, ICON + 1):
            at = time_us + 20_000 + below(r, 580_000)
            status = 304 if unit(r) < 0.35 else 200
            n = put(out, n, at, who, codes[asset], -1, -1, status, 1, medians, counts, r, bell)
    return n


@njit
def gallery(out, n, time_us, who, app, number, codes, medians, counts, r, bell):
    """A gallery's page loads its 60 pictures at once; people then click through."""
    form = codes[PHOTO] if app else codes[THUMB]
    for k in range(60):
        at = time_us + 200_000 + k * 25_000 + below(r, 40_000)
        n = put(out, n, at, who, form, (number - 1) * 60 + 1 + k, -1, 200, 0, medians, counts, r, bell)
    shown = min(1 + np.int64(math.log(1.0 - unit(r)) / math.log(0.9)), 60)
    for k in range(shown):
        at = time_us + 3_000_000 + k * 2_400_000 + below(r, 1_900_000)
        n = put(out, n, at, who, codes[PHOTO], (number - 1) * 60 + 1 + k, -1, 200, 0, medians, counts, r, bell)
    return n


@njit
def geometric(r, p, most):
    """A geometric number from 1 on."""
    return min(1 + np.int64(math.log(1.0 - unit(r)) / math.log(1.0 - p)), most)


@njit
def chosen(kind, account, last_item, stray, ints, floats, r):
    """Number and page of a step of this kind."""
    number = np.int64(-1)
    page = np.int64(-1)
    if kind == ITEM or kind == LOOKUP:
        number = popular(r, stray, ints, floats)
    elif kind == REVIEWS:  # one reads the reviews of the item one looks at
        number = last_item if last_item > 0 else popular(r, stray, ints, floats)
        page = geometric(r, 0.6, 9)
    elif kind == USER:
        number = account if account > 0 and unit(r) < 0.6 else popular(r, stray, ints, floats)
    elif kind == ORDER:
        number = scatter((account * 5 + geometric(r, 0.5, 5)) % ints[IDS], ints)
    elif kind == ITEMS or kind == ORDERLIST:
        number = geometric(r, 0.55, 30)
    elif kind == GALLERY:
        number = popular(r, 0.0, ints, floats) % ints[GALLERIES] + 1
    elif kind == SEARCH:
        number = 34 + below(r, 14)
    elif kind == WARRANTY:
        number = below(r, ints[IDS]) + 1
    return number, page


@njit
def status_of(kind, app, r):
    """What a step is answered: 304 to browsers, 404 to dead links and typing errors, a fault now and then."""
    u = unit(r)
    record = kind == ITEM or kind == REVIEWS or kind == USER or kind == LOOKUP or kind == WARRANTY
    if record and u > 0.952:
        return 404
    if 0.5 < u < 0.501:
        return 500
    return 304 if u < 0.06 and not app and kind != LOOKUP and kind != WARRANTY else 200


def sessions(
    begin_us, span_us, count,
    newcomers, ints, floats, codes, steps, medians, counts, bell, gaps, nets, colds, platforms, cycles, octets, r, out,
):  # fmt: skip
    """Rows of the sessions that begin in a stretch of log time, unordered; returns how many. Ends early where ``out``
    is full."""
    n = 0
    for k in range(count + newcomers.shape[0]):
        r[0] = mix(mix(U(ints[SEED]) ^ U(begin_us)) ^ (U(k) * GOLDEN))
        start = begin_us + below(r, span_us)
        slot = slot_of(unit(r), ints, floats) if k < count else newcomers[k - count]
        h, account = identity(slot, start, ints, floats)
        app = is_app(h, account, floats)
        away = (h >> U(24)) & U(0xFF) < U(np.int64(floats[ROAM] * 256)) and unit(r) < 0.25
        address = place_of(h ^ U(0x5BF0) if away else h, ints, floats, nets, octets)
        agent = agent_of(h, start, app, ints, floats, platforms, cycles)
        who = (address, account, agent)
        stray = colds[np.int64((h >> U(40)) & U(1023))]
        z = math.sqrt(-2.0 * math.log(1.0 - unit(r))) * math.cos(6.283185307179586 * unit(r))
        pages = min(max(np.int64(math.exp(1.5965 + 0.9 * z)), 1), 400)  # mean 7.4
        now = start
        last_item = np.int64(-1)
        if n + 30 > out.shape[0]:
            return n
        n = opening(out, n, now, who, account > 0, app, k >= count, codes, medians, counts, r, bell)
        for _ in range(1, pages):
            bits = draw(r)
            now += gaps[np.int64(bits >> U(52))] + np.int64(bits & U(SPREAD_US - 1))
            if now - start > ints[CAP_US]:
                break
            if n + 150 > out.shape[0]:
                return n
            kind = np.int64(steps[1 if account > 0 else 0, np.int64((bits >> U(32)) & U(1023))])
            if kind == BUY:  # new orders are numbered as they are made, and read by their owners first
                n = put(out, n, now, who, codes[BUY], -1, -1, 200, 0, medians, counts, r, bell)
                number = ints[IDS] + 1 + np.int64(np.float64(now - ints[EPOCH]) * floats[ORDERS])
                at = now + 700_000 + below(r, 900_000)
                n = put(out, n, at, who, codes[ORDER], number, -1, 200, 0, medians, counts, r, bell)
                continue
            number, page = chosen(kind, account, last_item, stray, ints, floats, r)
            last_item = number if kind == ITEM else -1
            status = status_of(kind, app, r)
            if status == 404:
                number = 2 * ints[IDS] + 1 + below(r, ints[IDS])
                last_item = -1
            u = unit(r)
            referer = 0 if app or u < 0.3 else (1 if u < 0.6 else (2 if u < 0.9 else 3))
            n = put(out, n, now, who, codes[kind], number, page, status, referer, medians, counts, r, bell)
            if kind == GALLERY and status != 404:
                n = gallery(out, n, now, who, app, number, codes, medians, counts, r, bell)
            elif kind == ITEMS and not app and (bits >> U(20)) & U(1):  # half have the thumbnails cached
                for _ in range(12):
                    at = now + 50_000 + below(r, 850_000)
                    thumb = popular(r, stray, ints, floats)
                    code = 304 if unit(r) < 0.2 else 200
                    n = put(out, n, at, who, codes[THUMB], thumb, -1, code, 2, medians, counts, r, bell)
    return n


def traits(h, time_us, app, ints, floats, nets, platforms, cycles, octets, address, agent):
    """Address and agent of hashes, drawn as those of the crowd are. Returns their number."""
    for i in range(h.shape[0]):
        address[i] = place_of(h[i], ints, floats, nets, octets)
        agent[i] = agent_of(h[i], time_us[i], app[i] != 0, ints, floats, platforms, cycles)
    return h.shape[0]


def people(u, time_us, ints, floats, h, account):
    """Hash and account (0 = none) of visitors drawn by how often they come; ``u`` in [0, 1). Returns their number."""
    for i in range(u.shape[0]):
        h[i], account[i] = identity(slot_of(u[i], ints, floats), time_us[i], ints, floats)
    return u.shape[0]


def chosen_ids(stray, seed, ints, floats, r, out):
    """Records as people choose them. Returns their number."""
    r[0] = mix(U(seed))
    for i in range(out.shape[0]):
        out[i] = popular(r, stray, ints, floats)
    return out.shape[0]


def deal(rows, first_us, tile_us, starts, out):
    """Rows by tiles of time, those of a tile in the order they came; rows before the first tile are dropped.

    ``starts``, as long as there are tiles and one more, comes zeroed and becomes where each begins in ``out``. Returns
    how many rows are kept.
    """
    last = starts.shape[0] - 2
    for i in range(rows.shape[0]):
        if rows[i].time_us >= first_us:
            starts[min((rows[i].time_us - first_us) // tile_us, last) + 1] += 1
    for k in range(last + 1):
        starts[k + 1] += starts[k]
    for i in range(rows.shape[0]):
        if rows[i].time_us >= first_us:
            k = min((rows[i].time_us - first_us) // tile_us, last)
            out[starts[k]] = rows[i]
            starts[k] += 1
    for k in range(last + 1, 0, -1):
        starts[k] = starts[k - 1]
    starts[0] = 0
    return starts[last + 1]


def gather(rows, keys, out):
    """Rows in the order of the low halves of ``keys``. Returns their number."""
    for i in range(keys.shape[0]):
        out[i] = rows[keys[i] & 0xFFFFFFFF]
    return keys.shape[0]
