"""What other tools need for the bare counting on the same file: requests and distinct requests by client address.

Run as a program, ``python -m tests.benchmarks.rivals NAME FILE``; prints how many lines were read and clients seen, so
that the benchmark can see that each did the whole work. Each uses two threads where it can use threads at all.

``duckdb`` and ``polars`` count distinct request lines approximately (HyperLogLog) and split no path off, which is less
work than the detector's; ``re`` only counts by client.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable

COLUMNS = ("address", "ident", "account", "stamp", "zone", "request", "status", "size", "referer", "agent")
THREADS = 2

# Every field of the combined format is named, as a tool that judges lines needs them; the detector's scanner reads the
# same ones.
COMBINED = (
    rb"(?P<address>\S+) (?P<ident>\S+) (?P<account>\S+) \[(?P<time>[^\]]+)\] "
    rb'"(?P<method>[A-Z]+) (?P<target>\S+) (?P<protocol>[^"]*)" (?P<status>\d{3}) (?P<size>\d+|-) '
    rb'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)


def duckdb(path: str) -> tuple[int, int]:
    """Lines and clients by one SQL query."""
    import duckdb as library

    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    connection = library.connect(":memory:", config={"threads": THREADS})
    connection.execute(
        f"""
        CREATE TEMP TABLE clients AS
        SELECT address, count(*) AS requests, approx_count_distinct(request) AS seen
        FROM read_csv($path, delim=' ', quote='"', escape='"', header=false, auto_detect=false, columns={{{columns}}})
        GROUP BY address
        """,
        {"path": path},
    )
    found = connection.execute("SELECT sum(requests), count(*) FROM clients").fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def duckdb_json(path: str) -> tuple[int, int]:
    """The same query over JSON lines as nginx writes them; every key is named, as the detector's scanner reads them."""
    import duckdb as library

    keys = "time_iso8601 remote_addr remote_user request_method request_uri status body_bytes_sent http_referer"
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in (*keys.split(), "http_user_agent", "host", "request_time"))
    connection = library.connect(":memory:", config={"threads": THREADS})
    connection.execute(
        f"""
        CREATE TEMP TABLE clients AS
        SELECT remote_addr, count(*) AS requests, approx_count_distinct(request_uri) AS seen
        FROM read_json($path, format='newline_delimited', columns={{{columns}}})
        GROUP BY remote_addr
        """,
        {"path": path},
    )
    found = connection.execute("SELECT sum(requests), count(*) FROM clients").fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def polars(path: str) -> tuple[int, int]:
    """Lines and clients by a lazy frame, streamed."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)  # read when the library is imported
    import polars as pl

    schema = dict.fromkeys(COLUMNS, pl.String)
    lines = pl.scan_csv(path, separator=" ", quote_char='"', has_header=False, schema=schema)
    clients = lines.group_by("address").agg(pl.len().alias("requests"), pl.col("request").approx_n_unique())
    found = clients.collect(engine="streaming")
    return int(found["requests"].sum()), len(found)


def regex(path: str) -> tuple[int, int]:
    """Lines and clients by a loop over Python's compiled ``re``."""
    import re

    match = re.compile(COMBINED).match
    clients: Counter[bytes] = Counter()
    with open(path, "rb") as file:  # noqa: PTH123  the benchmark's loop as everybody writes it
        for line in file:
            found = match(line)
            if found:
                clients[found["address"]] += 1
    return clients.total(), len(clients)


RIVALS: dict[str, Callable[[str], tuple[int, int]]] = {
    "duckdb": duckdb,
    "duckdb_json": duckdb_json,
    "polars": polars,
    "re": regex,
}


def main() -> None:
    """Runs the rival named and prints what it counted."""
    lines, clients = RIVALS[sys.argv[1]](sys.argv[2])
    print(json.dumps({"lines": lines, "clients": clients}))


if __name__ == "__main__":
    main()
