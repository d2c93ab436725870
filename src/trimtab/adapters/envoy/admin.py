"""What Envoy says of itself, over its loopback admin listener and its probe host."""

import http.client
import json
from pathlib import Path
from typing import Any

from trimtab.adapters.envoy.routes import PROBE_HOST
from trimtab.api.errors import SurroundingsFailed

TIMEOUT_S = 10.0


class Admin:
    """Reads counters and configuration; each call opens its own connection.

    Args:
        address_file: where Envoy wrote the admin listener's address at its start.
    """

    def __init__(self, address_file: Path) -> None:
        self._address_file = address_file

    def started(self) -> str:
        """Another text after each start of Envoy."""
        try:
            return str(self._address_file.stat().st_mtime_ns)
        except FileNotFoundError:
            raise _unreachable("it has not started") from None

    def counters(self, pattern: str) -> dict[str, str]:
        """Statistics whose name matches the RE2 `pattern`, as text by name."""
        lines = self._get(f"/stats?filter={pattern}").decode().splitlines()
        return {name: value.strip('"') for name, _, value in (line.partition(": ") for line in lines)}

    def config(self, resource: str) -> list[dict[str, Any]]:
        """One repeated field of /config_dump; empty if Envoy holds none."""
        configs: list[dict[str, Any]] = json.loads(self._get(f"/config_dump?resource={resource}")).get(
            "configs", []
        )
        return configs

    def drain(self) -> None:
        """Take no new connections; what is in flight goes on."""
        self._ask("POST", "/drain_listeners")

    def _get(self, path: str) -> bytes:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str) -> bytes:
        try:
            address = self._address_file.read_text().strip()
        except FileNotFoundError:
            raise _unreachable("it has not started") from None
        status, body = ask(int(address.rpartition(":")[2] or 0), path, method=method)
        if status not in {200, 404}:
            raise _unreachable(f"{path} was answered by {status}: {body[:200].decode(errors='replace')}")
        return body if status == 200 else b"{}"


def routed_version(port: int) -> int | None:
    """Version of the routes that the worker now uses; None while it has none."""
    status, body = ask(port, "/", host=PROBE_HOST)
    return int(body) if status == 200 and body.isdigit() else None


def ask(port: int, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, bytes]:
    """One request to a loopback port. Raises SurroundingsFailed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, headers={"Host": host, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(f"port {port}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _unreachable(why: str) -> SurroundingsFailed:
    return SurroundingsFailed(
        f"the gateway (Envoy) cannot be reached: {why}",
        remedy="see `trimtab status` and `trimtab logs envoy`",
    )
