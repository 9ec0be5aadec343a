"""``python -m detector`` is the same program as ``detector``."""

from detector.cli.main import main

if __name__ == "__main__":
    main()
