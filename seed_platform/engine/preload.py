"""Imported once by the fork server, so that every worker starts with these modules loaded instead of importing them."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["np", "pa", "pl", "pq"]
