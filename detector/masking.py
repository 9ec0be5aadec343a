"""What may be shown of a text out of a log: words, numbers and names; never what opens a door or names a person.

For what people look at (`inspect`, `explain`, the first lines of a log that cannot be read), a few lines at a time.
Results never need it: the resolver reads of a query string only the keys that name objects, and keeps hashes of those.

Shapes: e-mail addresses; payment cards (13 to 19 digits that pass the Luhn check, ISO/IEC 7812-1 annex B); runs of 16
or more letters and figures mixed, which is where `records.shape` begins to see a token; beginnings that issuers gave
their secrets so that scanners find them (GitHub, Stripe, Slack, AWS, Google, JWT).
"""

from __future__ import annotations

MASK = "***"

SECRET_WORDS = (  # parts of the names of parameters and headers whose values are never shown
    *("token", "secret", "passw", "pwd", "apikey", "api_key", "api-key", "access_key", "auth", "sig", "sess", "sid"),
    *("jwt", "cred", "code", "otp", "pin", "card", "cvv", "cvc", "iban", "ssn", "mail", "phone", "mobile", "tel"),
    *("msisdn", "birth", "dob", "cookie", "private", "nonce", "state", "hash", "hmac", "x-amz", "user", "login"),
)
PREFIXES = (
    "eyJ",
    "sk_",
    "pk_",
    "rk_",
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "ASIA",
    "AIza",
)
PREFIX_LEAST = 12  # bytes of a word that begins like a secret: shorter ones are words
RUN_LEAST = 16  # `path_kernel.MIN_TOKEN_RUN`
CARD_DIGITS = (13, 19)  # ISO/IEC 7812-1
PLAIN_VALUE = 16  # longest value of a query shown: a word or a number, no sentence
_BREAKS = " \t\"'()<>[]{},;|=&?#"


def masked_target(text: str) -> str:
    """A request's target: the path without what looks like a secret, the query's plain words and numbers only."""
    path, mark, query = text.partition("?")
    path = "/".join(MASK if is_secret(part) else part for part in path.split("/"))
    return path + mark + masked_query(query) if mark else path


def masked_query(text: str) -> str:
    """A query string, every value but plain words and numbers of innocent keys left out."""
    return "&".join(_masked_pair(pair) for pair in text.split("&"))


def masked_text(text: str) -> str:
    """Free text, such as a user agent or a whole line: each word that looks like a secret left out."""
    shown, word = [], ""
    for letter in text + " ":
        if letter not in _BREAKS:
            word += letter
            continue
        shown.append(masked_target(word) if "/" in word else MASK if is_secret(word) else word)
        shown.append(letter)
        word = ""
    return "".join(shown)[:-1]


def masked_line(text: str) -> str:
    """A whole log line as it came: secrets by their shape, and values behind keys that name secrets."""
    parts = masked_text(text).replace("?", "&?").split("&")  # after either, a key may stand
    return "".join(part if at == 0 else _behind(part) for at, part in enumerate(parts))


def masked_field(name: str, text: str) -> str:
    """A field of `formats.fields.FIELDS` as it may be shown: keys and sessions are secrets as a whole."""
    return MASK if name in ("key", "session") else _BY_FIELD.get(name, masked_text)(text)


def is_secret(word: str) -> bool:
    """Whether a word looks like a credential, a card or an e-mail address."""
    if len(word) >= PREFIX_LEAST and word.startswith(PREFIXES):
        return True
    name, at, domain = word.replace("%40", "@").partition("@")
    if at and name and "." in domain:
        return True
    return _has_token(word) or _is_card(word)


def _masked_pair(pair: str) -> str:
    key, mark, value = pair.partition("=")
    plain = len(value) <= PLAIN_VALUE and value.replace("-", "").replace("_", "").isalnum() and value.isascii()
    plain &= value.isdigit() or not any(c.isdigit() for c in value)
    if not value or (plain and not names_secret(key) and not is_secret(value)):
        return pair
    return f"{MASK if is_secret(key) else key}{mark}{MASK}"


def _behind(part: str) -> str:
    """A part of a line that followed ``&``, or that begins with ``?``."""
    return "?" + _keyed(part[1:]) if part.startswith("?") else "&" + _keyed(part)


def _keyed(part: str) -> str:
    """``key=value and the rest``, the value left out where the key names a secret."""
    key, mark, rest = part.partition("=")
    if not mark or not names_secret(key):
        return part
    end = next((i for i, c in enumerate(rest) if c in _BREAKS), len(rest))
    return key + mark + MASK + rest[end:]


def names_secret(key: str) -> bool:
    """Whether a parameter or header is called like one that holds a secret or names a person."""
    key = key.lower()
    return key == "key" or key.endswith(("_key", "-key")) or any(word in key for word in SECRET_WORDS)


def _has_token(word: str) -> bool:
    run = digits = letters = 0
    for c in word:
        if not (c.isascii() and c.isalnum()):
            run = digits = letters = 0
            continue
        run, digits, letters = run + 1, digits + c.isdigit(), letters + c.isalpha()
        if run >= RUN_LEAST and digits and letters:
            return True
    return False


def _is_card(word: str) -> bool:
    digits = [int(c) for c in word if c.isdigit() and c.isascii()]
    if not CARD_DIGITS[0] <= len(digits) <= CARD_DIGITS[1] or any(not (c.isdigit() or c in "-. +%") for c in word):
        return False
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return sum(digits[-1::-2] + doubled) % 10 == 0


_BY_FIELD = {"target": masked_target, "query": masked_query, "referer": masked_target}
