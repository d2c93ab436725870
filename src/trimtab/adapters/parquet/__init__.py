"""Parquet files of a table read a row group at a time, for what learns from more rows than memory holds."""

from trimtab.adapters.parquet.blocks import ParquetBlocks

__all__ = ["ParquetBlocks"]
