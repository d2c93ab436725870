"""An address at which somebody is away, and back: the same one throughout."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

CHUNK_BYTES: Final = 1 << 16


class Address:
    """Nobody answers there until somebody has come; when they are gone, connections are cut.

    Attributes:
        port: on 127.0.0.1.
        leads_to: the port of who is there; 0 for nobody.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # it does not listen yet: who connects is refused
        self.port: int = self._socket.getsockname()[1]
        self.leads_to = 0
        self._thread = threading.Thread(target=self._accept, name="address", daemon=True)
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def comes(self, port: int) -> None:
        """Who calls is led to this port from now on."""
        self.leads_to = port
        if not self._thread.is_alive():
            self._socket.listen()
            self._thread.start()

    def goes(self) -> None:
        self.leads_to = 0
        for one in tuple(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.goes()
        with suppress(OSError):  # ends a thread that waits for connections
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread.is_alive():
            self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                threading.Thread(target=self._lead, args=(caller,), daemon=True).start()

    def _lead(self, caller: socket.socket) -> None:
        with caller, suppress(OSError):
            if not self.leads_to:
                return
            with socket.create_connection(("127.0.0.1", self.leads_to)) as server:
                pair = {caller, server}
                self._open |= pair
                back = threading.Thread(target=_carry, args=(server, caller), daemon=True)
                back.start()
                _carry(caller, server)
                back.join()
                self._open -= pair


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while chunk := one.recv(CHUNK_BYTES):
            other.sendall(chunk)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
