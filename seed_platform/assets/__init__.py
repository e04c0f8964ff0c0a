"""The Dagster face of the flow: each asset brings one step of its batches up to date and says what it saw."""

import warnings

import dagster as dg

# Backfill policies and owners on assets are marked beta in Dagster 1.13, and warn once per asset at import.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
