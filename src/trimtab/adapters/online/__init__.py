"""Online stores. The packed one holds a row's columns in one value, so that a request's look-ups are one query.

Its homes are a file and a server of Redis' protocol; Feast's HTTP server is only read. Used inside the model server:
numpy, sqlite3, and redis where an address says so.
"""

from trimtab.adapters.online.homes import online_reader, online_store, written_by_feast
from trimtab.adapters.online.sqlite import SqliteOnlineStore

__all__ = ["SqliteOnlineStore", "online_reader", "online_store", "written_by_feast"]
