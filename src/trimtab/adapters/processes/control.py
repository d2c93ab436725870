"""Talk to a plane's supervisor: one JSON line there, one back, over a Unix socket in the plane's folder."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from trimtab.adapters.processes.child import ChildSpec, ChildStatus
from trimtab.adapters.processes.supervisor import Supervisor
from trimtab.api.errors import SurroundingsFailed, TrimtabError

SOCKET = "control.sock"
ANSWER_WITHIN_S = 90.0
LONGEST_LINE = 1 << 20

Json = dict[str, Any]


class PlaneDown(SurroundingsFailed):
    """No supervisor runs for this project."""

    def __init__(self) -> None:
        super().__init__("the local plane of this project is not up", remedy="trimtab up")


class Control:
    """The supervisor as its callers see it; each call is a connection of its own, from any process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pid(self) -> int | None:
        """The supervisor's process id; None if it does not run."""
        try:
            number: int = self._ask("pid")
        except PlaneDown:
            return None
        return number

    def is_up(self) -> bool:
        return self.pid() is not None

    def reserve(self, name: str, port: int = 0) -> int:
        """A port for a child that will be started; see Supervisor.reserve."""
        reserved: int = self._ask("reserve", name=name, port=port)
        return reserved

    def start(self, spec: ChildSpec) -> ChildStatus:
        return ChildStatus.from_json(self._ask("start", spec=spec.to_json()))

    def stop(self, name: str) -> None:
        """Returns when the child has ended."""
        self._ask("stop", name=name)

    def children(self, *, memory: bool = False) -> list[ChildStatus]:
        return [ChildStatus.from_json(held) for held in self._ask("list", memory=memory)]

    def tie(self, pid: int) -> None:
        """End the plane when process `pid` ends."""
        self._ask("tie", pid=pid)

    def shutdown(self) -> None:
        """End all children, then the supervisor; returns when the children have ended."""
        self._ask("shutdown")

    def _ask(self, what: str, **arguments: object) -> Any:
        with _short_path(self._directory) as path, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_WITHIN_S)
            try:
                line.connect(path)
                line.sendall(json.dumps({"do": what, **arguments}).encode() + b"\n")
                with line.makefile("rb") as file:
                    answer = json.loads(file.readline())
            except (FileNotFoundError, ConnectionError, json.JSONDecodeError):
                raise PlaneDown from None
            except TimeoutError:
                raise SurroundingsFailed(
                    "the plane's supervisor does not answer", remedy="trimtab down"
                ) from None
        if "error" in answer:
            raise SurroundingsFailed(answer["error"], remedy=answer["remedy"])
        return answer["answer"]


async def serve(
    directory: Path,
    supervisor: Supervisor,
    tie: Callable[[int], None],
    shutdown: Callable[[], Awaitable[None]],
) -> asyncio.AbstractServer:
    """Answer `Control` on the plane's socket until the server is closed."""

    async def act(order: Json) -> object:
        match order:
            case {"do": "pid"}:
                return os.getpid()
            case {"do": "reserve", "name": str(name), "port": int(port)}:
                return supervisor.reserve(name, port)
            case {"do": "start", "spec": dict(spec)}:
                return (await supervisor.start(ChildSpec.from_json(spec))).to_json()
            case {"do": "list", "memory": bool(memory)}:
                return [status.to_json() for status in supervisor.statuses(memory=memory)]
            case {"do": "stop", "name": str(name)}:
                await supervisor.stop(name)
                return None
            case {"do": "tie", "pid": int(pid)}:
                tie(pid)
                return None
            case {"do": "shutdown"}:
                await shutdown()
                return None
        raise SurroundingsFailed(
            f"the supervisor does not know {order}", remedy="trimtab down, then trimtab up"
        )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply: Json
        try:
            reply = {"answer": await act(json.loads(await reader.readline()))}
        except TrimtabError as error:
            reply = {"error": error.message, "remedy": error.remedy}
        except ValueError as error:
            reply = {"error": f"the supervisor cannot read the order: {error}", "remedy": None}
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()

    with _short_path(directory) as path:
        Path(path).unlink(missing_ok=True)
        return await asyncio.start_unix_server(answer, path, limit=LONGEST_LINE)


@contextlib.contextmanager
def _short_path(directory: Path) -> Iterator[str]:
    """A path of the socket below the kernel's limit of 107 bytes, however deep the project lies."""
    try:
        folder = os.open(directory, os.O_PATH)
    except FileNotFoundError:
        raise PlaneDown from None
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)
