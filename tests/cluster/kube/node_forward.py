"""Ports of this host that lead into a node's network.

A socket belongs to the network namespace of the thread that made it. The thread here enters the node's and makes
the outgoing connections; the listening sockets come from the caller's thread, which stays outside. No interface
and no route of the host is touched.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
CHUNK_BYTES = 1 << 16


class Forwarder:
    """Carries TCP connections from 127.0.0.1 to addresses inside the network namespace of a process."""

    def __init__(self, pid: int) -> None:
        self._ports: dict[tuple[str, int], int] = {}
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._entered: str | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pid, ready), name="forward", daemon=True)
        self._thread.start()
        ready.wait()
        if self._entered is not None:
            raise OSError(self._entered)

    def port(self, address: str, port: int) -> int:
        """The port on 127.0.0.1 that leads to `port` of `address` inside."""
        if (address, port) not in self._ports:
            listening = socket.create_server(("127.0.0.1", 0))
            serving = asyncio.run_coroutine_threadsafe(self._serve(listening, address, port), self._loop)
            serving.result(10)
            self._ports[address, port] = listening.getsockname()[1]
        return self._ports[address, port]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, pid: int, ready: threading.Event) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{pid}/ns/net").open() as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                self._entered = os.strerror(ctypes.get_errno())
        ready.set()
        if self._entered is None:
            self._loop.run_forever()
            self._loop.run_until_complete(_cancel_all())
            for server in self._servers:
                server.close()
        self._loop.close()

    async def _serve(self, listening: socket.socket, address: str, port: int) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection(address, port)
            except OSError:
                writer.transport.abort()
                return
            try:
                await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))
            except asyncio.CancelledError:
                pass  # asyncio before 3.12 reports a handler that ends so as a fault
            finally:
                there[1].close()
                writer.close()

        self._servers.append(await asyncio.start_server(connected, sock=listening))


async def _cancel_all() -> None:
    carrying = asyncio.all_tasks() - {asyncio.current_task()}
    for task in carrying:
        task.cancel()
    await asyncio.gather(*carrying, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
    except OSError:
        writer.transport.abort()
