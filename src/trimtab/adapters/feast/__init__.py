"""Feast: registration of a project's views, and two stores behind Feast's SDK.

The offline store reads as of each example's time with DuckDB; the online store is the packed one that the model
server reads. Importing feast takes seconds: `as_of_reader` does without it, and the model server never sees it.
"""
