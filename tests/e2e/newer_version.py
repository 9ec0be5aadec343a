"""A later version of the program, whose window snapshots have another layout: what learnt parts are for.

Run in place of ``detector`` (``python -m tests.e2e.newer_version run …``).
"""

from __future__ import annotations

import detector

detector.__version__ = "99.0.0"  # before anything else takes it from there

from detector.cli.main import main  # noqa: E402
from detector.engines import keeping  # noqa: E402

if __name__ == "__main__":
    keeping.LAYOUT += 1
    main()
