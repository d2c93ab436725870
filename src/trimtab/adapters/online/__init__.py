"""The packed online store: a row's columns in one value, so that a request's look-ups are one query.

Used inside the model server: numpy and sqlite3 only.
"""

from trimtab.adapters.online.sqlite import SqliteOnlineStore

__all__ = ["SqliteOnlineStore"]
