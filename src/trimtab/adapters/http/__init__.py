"""Plain HTTP to the servers of providers: bounded in time and size, safe to share between threads."""

from trimtab.adapters.http.server import REACHABLE, HttpServer
from trimtab.adapters.http.trust import trusted

__all__ = ["REACHABLE", "HttpServer", "trusted"]
