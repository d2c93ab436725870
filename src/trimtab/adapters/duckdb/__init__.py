"""The SQL engine: DuckDB over Delta versions and source files."""

from trimtab.adapters.duckdb.engine import DuckEngine

__all__ = ["DuckEngine"]
