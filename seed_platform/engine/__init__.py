"""Engines: where tasks run. A step is a list of independent tasks; an engine decides only where, never what."""
