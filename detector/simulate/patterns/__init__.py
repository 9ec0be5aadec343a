"""The attackers, a file each; the table of them is `catalogue.PATTERNS`."""
