"""A sink of inference events in the test's own process."""

import asyncio
import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from trimtab.adapters.processes.loopback import Reservation, reserve


@dataclass
class Collecting:
    """A sink in a thread of the test: what it took, and how it answers next.

    Attributes:
        status: what it answers; 0 closes the connection without an answer, after taking the events.
        delay_s: before it answers.
    """

    port: int = 0
    status: int = 202
    delay_s: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    connections: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _reserved: Reservation | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def open(self) -> None:
        """Listen; on the port of before, if there was one."""
        self._reserved = self._reserved or reserve("sink", self.port)
        self.port = self._reserved.port
        opened = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(opened)), daemon=True)
        self._thread.start()
        assert opened.wait(60)

    def shut(self) -> None:
        """Close the port and all connections, as a killed process does."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)
            assert not self._thread.is_alive()
            self._loop = None

    def close(self) -> None:
        """Shut it for good."""
        self.shut()
        if self._reserved is not None:
            self._reserved.close()

    async def _serve(self, opened: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listening = await asyncio.start_server(self._connected, "127.0.0.1", self.port, reuse_address=True)
        opened.set()
        await self._stop.wait()
        listening.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                assert found is not None
                assert b"application/cloudevents-batch+json" in head
                batch = json.loads(await reader.readexactly(int(found[1])))
                self.batches.append(len(batch))
                self.events.extend(batch)
                await asyncio.sleep(self.delay_s)
                if self.status == 0:
                    return
                writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n\r\n" % self.status)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
