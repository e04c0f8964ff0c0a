"""Filters: documents in, verdicts out. One module per filter; none knows another."""
