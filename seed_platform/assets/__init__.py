"""The Dagster face of the flow: each asset brings one step of its batches up to date and says what it saw."""
