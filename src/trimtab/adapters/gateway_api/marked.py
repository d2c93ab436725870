"""One marked request through a gateway's listener."""

import http.client
import socket
import ssl
from typing import Final, Protocol
from uuid import uuid4

MARK: Final = "x-trimtab-warmup"


class Ask(Protocol):
    """Its status; None where it may have been sent and was not answered. Raises OSError where nobody listens."""

    def __call__(
        self, address: str, port: int, path: str, host: str, within_s: float, *, tls: bool
    ) -> int | None: ...


def marked(address: str, port: int, path: str, host: str, within_s: float, *, tls: bool) -> int | None:
    """Ask. The certificate is not looked at: nothing is told, and the answer is believed only as far as the
    collector has seen the request."""
    connection = http.client.HTTPConnection(address, port, timeout=within_s)
    sock = socket.create_connection((address, port), within_s)
    try:
        connection.sock = _wrapped(sock, host) if tls else sock
        headers = {"Host": host, "X-Request-Id": str(uuid4()), MARK: "1", "Connection": "close"}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return None
    finally:
        connection.close()
        sock.close()


def _wrapped(sock: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=host)
