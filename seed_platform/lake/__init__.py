"""The lake: Delta Lake tables under one root, the only place where state lives."""
