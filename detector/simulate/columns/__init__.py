"""The simulator's inner loops: rows, the crowd's sessions, and rows as batches."""
