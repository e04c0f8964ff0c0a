"""Seed Platform: raw repositories and web crawls in, explained training corpora for code language models out."""

__version__ = "0.1.0"
