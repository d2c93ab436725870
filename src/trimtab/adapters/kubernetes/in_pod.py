"""The API server as a pod calls it: the few calls of a task, with its own service account."""

import http.client
import json
import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from trimtab.api.errors import InputRefused, SurroundingsFailed

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S: Final = 10.0
PAUSES_S: Final = (0.2, 1.0, 3.0, 10.0)
Answer = TypeVar("Answer")
OK, CREATED, ACCEPTED, NOT_FOUND, CONFLICT = 200, 201, 202, 404, 409


class PodApi:
    """Calls for people who wait for hours: one that fails on the way is made again, four times within fifteen seconds.

    So each must be one that may be repeated: a POST of which only the answer was lost meets 409.

    Args:
        address: https://HOST:PORT of the API server; None for the pod's own.
        account: folder with the service account's `token`, `ca.crt` and `namespace`; None for the pod's own.
        remedy: what to do when it does not answer.
        pauses_s: before each further try.

    Raises:
        InputRefused: no address is given, and this is no pod; or no service account is mounted.
    """

    def __init__(
        self,
        address: str | None = None,
        account: Path | None = None,
        pause: Callable[[float], None] = time.sleep,
        remedy: str = "run it again once the cluster answers",
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        parts = urllib.parse.urlsplit(address or pod_address())
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._account, self._pause, self._remedy = account or ACCOUNT, pause, remedy
        self._pauses_s = pauses_s
        missing = [name for name in ("token", "ca.crt") if not (self._account / name).exists()]
        if missing:
            raise InputRefused(
                f"this pod has no service account mounted ({self._account / missing[0]} is not there)",
                remedy="let its service account be mounted (automountServiceAccountToken)",
            )

    @property
    def namespace(self) -> str:
        """The pod's own."""
        return (self._account / "namespace").read_text(encoding="utf-8").strip()

    def call(self, method: str, path: str, obj: object = None) -> tuple[int, dict[str, Any]]:
        """The status and body of an answer.

        Raises:
            SurroundingsFailed: it does not answer, or with 5xx or 429, again and again.
        """
        return self._answer(method, path, obj, "application/json", _read)

    def text(self, path: str) -> tuple[int, str]:
        """The status and the text of an answer that is none of JSON: a pod's log.

        Raises:
            SurroundingsFailed: as `call`.
        """
        return self._answer("GET", path, None, "*/*", lambda _, content: content.decode(errors="replace"))

    def _answer(
        self, method: str, path: str, obj: object, accept: str, read: Callable[[int, bytes], Answer]
    ) -> tuple[int, Answer]:
        because = ""
        for pause_s in (*self._pauses_s, None):
            try:
                status, content = self._once(method, path, obj, accept)
                if status < 500 and status != 429:
                    return status, read(status, content)
                because = f"it answered {status}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                because = str(error) or type(error).__name__
            if pause_s is not None:
                self._pause(pause_s)
        raise SurroundingsFailed(
            f"the API server at {self._host}:{self._port} does not answer ({because})", remedy=self._remedy
        )

    def _once(self, method: str, path: str, obj: object, accept: str) -> tuple[int, bytes]:
        trusted = ssl.create_default_context(cafile=self._account / "ca.crt")
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=trusted)
        headers = {"authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
                   "accept": accept, "content-type": "application/json"}  # fmt: skip
        try:
            connection.request(method, path, None if obj is None else json.dumps(obj), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _read(status: int, content: bytes) -> dict[str, Any]:
    """Of a group that it does not know the API server says so in plain text."""
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError:
        if status < 400:
            raise
        return {"message": content.decode(errors="replace").strip()}
    return found


def pod_address() -> str:
    """The API server's address in a pod.

    Raises:
        InputRefused: this is no pod.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise InputRefused("this is no pod of a cluster", remedy="run it in one")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
