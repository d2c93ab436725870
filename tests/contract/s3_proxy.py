"""A proxy before an S3 server: python s3_proxy.py PORT SERVER_PORT

It counts, and does harm to order: POST /-proxy {"cycle": [503, null, 0], "methods": ["PUT"]} answers requests of these
methods (all, if none is named) in turn with status 503, as the server does, and by hanging up. GET /-proxy tells how
many requests came since the last GET, how many were harmed, and how many bytes of Parquet files were served.
"""

import http.client
import itertools
import json
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT, SERVER = int(sys.argv[1]), int(sys.argv[2])
NONE = {"requests": 0, "harmed": 0, "served": 0}
counts, lock = dict(NONE), threading.Lock()
rule: dict[str, Any] = {"methods": [], "cycle": itertools.repeat(None)}


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        with suppress(ConnectionError):  # who asked has gone meanwhile
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/-proxy":
                self.said(200, json.dumps(self.ordered(json.loads(body))).encode())
            else:
                self.passed_on(body)

    def ordered(self, order: Any) -> dict[str, int]:
        with lock:
            if order:
                rule["methods"] = order["methods"]
                rule["cycle"] = itertools.cycle(order["cycle"] or [None])
            told = dict(counts)
            counts.update(NONE)
            return told

    def passed_on(self, body: bytes) -> None:
        with lock:
            meant = not rule["methods"] or self.command in rule["methods"]
            status = next(rule["cycle"]) if meant else None
            counts["requests"] += 1
            counts["harmed"] += status is not None
        if status == 0:
            self.close_connection = True
        elif status is not None:
            self.said(status, b"")
        else:
            self.forwarded(body)

    def forwarded(self, body: bytes) -> None:
        behind = http.client.HTTPConnection("127.0.0.1", SERVER, timeout=60)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            behind.putheader(name, value)  # with the Host that was signed
        behind.endheaders(body)
        held = behind.getresponse()
        content = held.read()
        behind.close()
        if self.command == "GET" and self.path.endswith(".parquet"):
            with lock:
                counts["served"] += len(content)
        kept = [one for one in held.getheaders()
                if one[0].lower() not in ("transfer-encoding", "connection", "content-length")]  # fmt: skip
        length = held.getheader("Content-Length") if self.command == "HEAD" else None
        self.said(held.status, content, kept, length)

    def said(self, status: int, content: bytes, headers: Any = (), length: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer


if __name__ == "__main__":
    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer(("127.0.0.1", PORT), Passing).serve_forever()
