"""P14: reads without consent or against purpose, with honest partners beside them, a ledger and a policy."""
