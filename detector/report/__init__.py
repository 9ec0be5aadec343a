"""Incidents told to people: a page that needs nothing but a browser, and the facts a notice asks for."""
