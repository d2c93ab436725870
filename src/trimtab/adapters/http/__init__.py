"""Plain HTTP to the servers of providers: bounded in time and size, safe to share between threads."""

from trimtab.adapters.http.server import HttpServer
from trimtab.adapters.http.trust import trusted

__all__ = ["HttpServer", "trusted"]
