"""Commits: walking a history, what a commit changed, and change-prediction samples (PAPER §3)."""
