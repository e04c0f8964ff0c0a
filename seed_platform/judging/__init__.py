"""Judging: a language model rates documents under a versioned rubric (PAPER §1.2, §4.4)."""
