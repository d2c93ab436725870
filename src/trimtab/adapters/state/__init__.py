"""The loop's memory on one machine: a SQLite file (ports.state.State)."""

from trimtab.adapters.state.sqlite import SqliteState

__all__ = ["SqliteState"]
