"""Lineage: the questions users ask of the lake. Everything here only reads."""
