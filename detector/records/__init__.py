"""Requests as columns: who asks (`identity`, `resolve`), what is asked (`shape`, `routes`), and the noun `batch`."""
