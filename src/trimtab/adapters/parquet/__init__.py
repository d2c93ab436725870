"""Parquet files of a table read a few rows at a time, for what learns from more rows than memory holds."""

from trimtab.adapters.parquet.numbered import ParquetRows

__all__ = ["ParquetRows"]
