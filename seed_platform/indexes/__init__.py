"""Indexes: what later batches are compared with, in files of arrays that are checked as they are read."""
