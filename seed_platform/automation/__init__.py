"""Automation: partitions, sensors, conditions, and launching what is outstanding."""
