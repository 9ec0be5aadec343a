"""The small shop of the sample logs: whole in memory, as text; its bytes are kept as they are."""
