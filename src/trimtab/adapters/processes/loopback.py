"""Ports on 127.0.0.1 that stay ours from the moment they are chosen.

A bound socket that never listens keeps the kernel from giving its port to anyone who asks for a free one,
or as the near end of a connection; a process that names the port and sets SO_REUSEADDR, as servers do, can
still listen on it. So there is no moment between choosing a port and using it.
"""

import errno
import socket
from contextlib import suppress
from pathlib import Path

from trimtab.api.errors import SurroundingsFailed

LISTENING = "0A"


class PortTaken(SurroundingsFailed):
    """Somebody else listens where we were told to."""

    def __init__(self, what: str, port: int) -> None:
        holder = holder_of(port)
        super().__init__(
            f"port {port} for {what} is taken" + (f" by {holder}" if holder else ""),
            remedy="stop it, or choose another port (0 lets the kernel choose)",
        )
        self.port = port


class Reservation:
    """One reserved port; close it to give the port back."""

    def __init__(self, held: socket.socket) -> None:
        self._held = held
        self.port: int = held.getsockname()[1]

    def close(self) -> None:
        self._held.close()


def reserve(what: str, port: int = 0) -> Reservation:
    """Reserve `port`, or one that the kernel chooses.

    Raises:
        PortTaken: somebody listens there.
        SurroundingsFailed: this user may not listen there.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", port))
        if port and _listener_inode(port):
            raise OSError(errno.EADDRINUSE, "another process listens")
    except (OSError, OverflowError) as error:
        held.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise PortTaken(what, port) from None
        raise SurroundingsFailed(
            f"{what} cannot listen on port {port}: {error}", remedy="choose another port: 0, or 1024 to 65535"
        ) from error
    return Reservation(held)


def holder_of(port: int) -> str | None:
    """`process 123 (name)` that listens on the port, where this user may see it."""
    inode = _listener_inode(port)
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and wanted in _opened(process):
            with suppress(OSError):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return None


def _opened(process: Path) -> list[str]:
    """What a process has open; none where it is gone, or another user's."""
    found: list[str] = []
    with suppress(OSError):
        for opened in (process / "fd").iterdir():
            with suppress(OSError):
                found.append(opened.readlink().name)
    return found


def _listener_inode(port: int) -> str | None:
    """Inode of the socket that listens on the port on 127.0.0.1 or all addresses."""
    wanted = {f"0100007F:{port:04X}", f"00000000:{port:04X}"}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] in wanted and fields[3] == LISTENING:
            return fields[9]
    return None
