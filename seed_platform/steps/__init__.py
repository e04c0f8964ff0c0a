"""Steps: what is computed for a batch, from which tables, and when that is outstanding.

A step reads tables of the lake and publishes tables of the lake. It knows nothing of Dagster, which is one way to run
steps (`assets/`); calling `Step.run` is another.
"""
