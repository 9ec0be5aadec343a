"""Where records come from: bytes and their positions, whole lines only."""
