"""Processes that run in a cluster, each thin over the library."""
