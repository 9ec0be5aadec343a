"""The looks of a request: methods, classes of path segments, suffixes of assets, query keys that name objects.

A path is a row of **tokens** (uint64). A token below ``CLASSES`` is a class alone, ``{id}``. Any other is

====== ======================================================================================================
bits   meaning
====== ======================================================================================================
0-3    class; 0 = a literal
4      the literal looks odd (below): a value rather than a word of the interface
5      1, so that no such token is below ``CLASSES``
6-27   keyed hash of the suffix (``json`` of ``7.json``); 0 = none
28-63  keyed hash of the literal without its suffix, or of the query key; 0 for a class of path segment
====== ======================================================================================================

A literal is **odd** when it holds a digit (but for ``v1`` to ``v99``) or a byte outside ``A-Za-z-_.``, more than two of
``-`` and ``_``, or more than 24 bytes: interfaces are written in words, data in anything. `routes` turns odd
literals into ``{slug}`` after fewer distinct values than it does plain ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

METHODS = (
    "-",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "QUERY",
    "PROPFIND",
    "REPORT",
    "SEARCH",
    "PURGE",
    "OTHER",
)  # "-": none logged; RFC 9110 and its neighbours by name, whatever else is OTHER

CLASSES = 16
CLASS_MASK = CLASSES - 1
ODD = 16
HASHED = 32
SUFFIX_SHIFT = 6
SUFFIX_MASK = ((1 << 22) - 1) << SUFFIX_SHIFT

END, NUMBER, UUID, HEX, EMAIL, PHONE, TOKEN, DATE, SLUG, PAGE, STATIC, MISSING, QUERY, QUERY_PAGE, SUFFIX = range(15)
PARAMETER = 15  # of a declared template: its token has the hash of the parameter's name

FORMS = (
    "",
    "{id}",  # digits only
    "{uuid}",
    "{hash}",  # 16 or more hex digits, both letters and figures among them
    "{email}",
    "{phone}",  # + and 7 to 15 digits (E.164)
    "{token}",  # 16 or more letters and figures in one run, in at least 20 bytes; 7 or more digits parted by dashes
    "{date}",  # 2024-05-15 or 2024-05
    "{slug}",  # a literal whose place proved to hold values
    "{page}",  # the number after a segment "page"
    "{static}",  # the whole path of an asset
    "{missing}",  # what nobody was ever served: the rest of the path of a miss
)

OBJECT_CLASSES = frozenset({NUMBER, UUID, HEX, EMAIL, PHONE, TOKEN, DATE, SLUG, QUERY})

STATIC_SUFFIXES = (
    *("css", "js", "mjs", "map", "wasm", "webmanifest"),
    *("png", "jpg", "jpeg", "jpe", "gif", "svg", "svgz", "ico", "cur", "webp", "avif", "bmp", "xbm", "tif", "tiff"),
    *("woff", "woff2", "ttf", "eot", "otf"),
    *("mp3", "mp4", "m4a", "m4v", "webm", "ogg", "ogv", "wav", "au", "avi", "mov", "mpg", "mpeg", "flv", "swf"),
)

ID_KEYS = (
    *("id", "ids", "uid", "pid", "cid", "gid", "oid", "vid", "tid", "nid", "mid", "aid", "rid", "bid", "kid"),
    *("userid", "memberid", "accountid", "customerid", "contactid", "personid", "patientid", "studentid"),
    *("employeeid", "sellerid", "buyerid", "shopid", "storeid", "ownerid", "authorid", "profileid", "playerid"),
    *("itemid", "productid", "orderid", "invoiceid", "contractid", "ticketid", "cardid", "recordid", "fileid"),
    *("docid", "documentid", "articleid", "postid", "topicid", "threadid", "commentid", "messageid", "photoid"),
    *("imageid", "videoid", "albumid", "bookid", "listingid", "hotelid", "jobid", "groupid", "datasetid"),
    *("numiid", "auctionnumid", "bvid", "imdbid", "pmid", "doi", "isbn", "issn", "ean", "gtin", "upc", "asin", "sku"),
    *("vin", "iban", "ssn", "imei", "iccid", "imsi", "plate", "serial", "serialnumber", "serialno", "servicetag"),
    *("user", "username", "user_name", "login", "handle", "nick", "nickname", "screen_name", "screenname"),
    *("account", "accountno", "accountnumber", "account_number", "customer", "contact", "member", "patient"),
    *("orderno", "ordernumber", "order_number", "item", "product", "record", "slug", "barcode"),
)
UUID_KEYS = ("uuid", "guid")
EMAIL_KEYS = ("email", "mail", "e-mail", "e_mail", "emailaddress", "email_address")
PHONE_KEYS = (
    *("phone", "mobile", "tel", "telephone", "msisdn", "phonenumber", "phone_number", "phoneno", "phone_no"),
    *("mobilenumber", "mobile_number", "mobileno", "cellphone", "cell"),
)
PAGE_KEYS = (
    *("page", "pageno", "page_no", "pagenum", "page_num", "pagenumber", "page_number", "pageindex", "page_index"),
    *("currentpage", "current_page", "page[number]", "page[offset]", "page[cursor]", "page[after]", "paged"),
    *("offset", "start", "startindex", "start_index", "skip", "cursor", "after", "endcursor", "starting_after"),
    *("start_cursor", "pagetoken", "page_token", "nexttoken", "next_token", "nextpagetoken", "continuation"),
    *("marker", "scroll_id", "since_id", "max_id", "after_id", "before_id", "last_id", "from_id"),
)
OTHER_KEYS = (  # end like an id, and name the caller, the call or a campaign instead of a record
    *("session_id", "sessionid", "sid", "phpsessid", "jsessionid", "request_id", "requestid", "trace_id", "traceid"),
    *("span_id", "correlation_id", "correlationid", "client_id", "clientid", "app_id", "appid", "key_id", "keyid"),
    *("api_key_id", "tracking_id", "trackingid", "visitor_id", "visitorid", "device_id", "deviceid", "utm_id"),
    *("gclid", "fbclid", "msclkid", "tenant_id", "tenantid", "token_id", "nonce_id", "campaign_id", "install_id"),
    *("anonymous_id", "anonymousid", "ad_id", "adid", "partner_id", "channel_id", "channelid", "locale_id"),
)

OPERATION = 16  # of a query key: its value names what is done, as a word of the path would; no class of a token
OPERATION_KEYS = (
    "operationname",
    "operation_name",
    "opname",
)  # GraphQL over HTTP, 6.1; Apollo's clients; Relay's habit

KEY_BYTES = 16  # the longest query key the table holds; longer ones are judged by their end (`_id`, `Id`, `[id]`)
KEY_SLOTS = 1024  # a quarter full
STATIC_SLOTS = 256
SLOT_FACTOR = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: Knuth's multiplicative hash
NO_KEY = 255  # in the key table: known, and not an id

# What a byte can be, added up over a segment. The first eight tell what a segment is made of.
DIGIT, HEX_LETTER, LETTER, SEPARATOR, DOT, PERCENT, OTHER_BYTE = 1, 2, 4, 8, 16, 32, 64
PATH_END = 128  # / ; ? #
QUERY_END = 256  # = & #
IN_NAME = 512  # printable ASCII but the backslash
IN_TEMPLATE = 1024  # of these, what means nothing in the name of a route
FILLER = 2048  # what people put between the digits of a phone number


def byte_classes() -> npt.NDArray[np.uint16]:
    """uint16 (256,): what each byte can be."""
    table = np.full(256, OTHER_BYTE, np.uint16)
    for text, code in (
        (b"0123456789", DIGIT),
        (b"abcdefABCDEF", HEX_LETTER),
        (b"ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ", LETTER),
        (b"-_", SEPARATOR),
        (b".", DOT),
        (b"%", PERCENT),
    ):
        table[list(text)] = code
    printable = bytes(set(range(0x20, 0x7F)) - {0x5C})
    for text, code in (
        (b"/;?#", PATH_END),
        (b"=&#", QUERY_END),
        (printable, IN_NAME),
        (bytes(set(printable) - set(b' "/?{}')), IN_TEMPLATE),
        (b" -.()", FILLER),
    ):
        table[list(text)] |= code
    return table


def small_letters() -> npt.NDArray[np.uint8]:
    """uint8 (256,): every byte, capitals as small letters."""
    table = np.arange(256, dtype=np.uint8)
    table[65:91] += 32
    return table


def hex_values() -> npt.NDArray[np.uint8]:
    """uint8 (256,): the value of a hex digit, 255 for any other byte."""
    table = np.full(256, 255, np.uint8)
    for value, digit in enumerate(b"0123456789abcdef"):
        table[[digit, digit - 32 if digit > 96 else digit]] = value
    return table


def packed(text: str, words: int) -> list[int]:
    """ASCII text as little-endian words of eight bytes, zero padded."""
    raw = text.encode().ljust(8 * words, b"\0")
    return [int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(words)]


def method_words() -> npt.NDArray[np.uint64]:
    """uint64 (len(METHODS),): the packed names; none is longer than eight bytes."""
    return np.array([packed(name, 1)[0] for name in METHODS], np.uint64)


def static_table() -> npt.NDArray[np.uint64]:
    """uint64 (STATIC_SLOTS,): packed suffixes of assets, placed by `SLOT_FACTOR`, open addressing, 0 = free."""
    table = np.zeros(STATIC_SLOTS, np.uint64)
    for suffix in STATIC_SUFFIXES:
        if len(suffix) <= 8:
            (word,) = packed(suffix, 1)
            slot = _slot(word, STATIC_SLOTS)
            while table[slot]:
                slot = (slot + 1) % STATIC_SLOTS
            table[slot] = word
    return table


def key_table() -> npt.NDArray[np.uint64]:
    """uint64 (KEY_SLOTS * 3,): packed lower-case query key in two words, and the class its value is printed as."""
    table = np.zeros((KEY_SLOTS, 3), np.uint64)
    for keys, kind in (
        (ID_KEYS, NUMBER),
        (UUID_KEYS, UUID),
        (EMAIL_KEYS, EMAIL),
        (PHONE_KEYS, PHONE),
        (PAGE_KEYS, PAGE),
        (OPERATION_KEYS, OPERATION),
        (OTHER_KEYS, NO_KEY),
    ):
        for key in keys:
            low, high = packed(key, 2)
            slot = _slot(low ^ high, KEY_SLOTS)
            while table[slot, 2]:
                slot = (slot + 1) % KEY_SLOTS
            table[slot] = low, high, kind
    return table.reshape(-1)


def _slot(word: int, slots: int) -> int:
    return ((word * SLOT_FACTOR) & ((1 << 64) - 1)) >> (64 - (slots.bit_length() - 1))
