"""Claims from inside a pod: the few calls that a pipeline task makes to the API server, with its service account."""

import http.client
import json
import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.claims.config_map import as_object, claim_name, from_object
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.claims import Claim, Effect

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S: Final = 10.0
PAUSES_S: Final = (0.2, 1.0, 3.0, 10.0)
CREATED, OK, NOT_FOUND, CONFLICT = 201, 200, 404, 409


class InClusterClaims:
    """`trimtab.ports.claims.Claims` over the ConfigMaps of one namespace.

    A call that fails on the way is made again, four times within fifteen seconds: hours of training hang on it,
    and every one of them may be repeated.

    Args:
        address: https://HOST:PORT of the API server; None for the pod's own.
        account: folder with the service account's `token` and `ca.crt`; None for the pod's own.
        owner: an entry of ownerReferences, with which claims made here go; None for nobody.
    """

    def __init__(
        self,
        namespace: str,
        address: str | None = None,
        account: Path | None = None,
        pause: Callable[[float], None] = time.sleep,
        owner: Mapping[str, Any] | None = None,
    ) -> None:
        self._owner = owner
        parts = urllib.parse.urlsplit(address or pod_address())
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._namespace, self._account, self._pause = namespace, account or ACCOUNT, pause

    def take(self, key: str, run: str) -> Claim:
        status, body = self._call("POST", "", as_object(Claim(key, run), self._namespace, self._owner))
        if status == CREATED:
            return from_object(body)
        if status != CONFLICT:
            raise self._refused("create", claim_name(key), status, body)
        held = self._read(key)
        return self.take(key, run) if held is None else from_object(held)

    def settle(self, key: str, run: str, effect: Effect) -> None:
        while (held := self._read(key)) is not None:
            claim = from_object(held)
            if claim.run != run or claim.effect == effect:
                return
            changed = {**held, "data": as_object(replace(claim, effect=effect), self._namespace)["data"]}
            status, body = self._call("PUT", f"/{claim_name(key)}", changed)
            if status == OK:
                return
            if status != CONFLICT:
                raise self._refused("update", claim_name(key), status, body)

    def _read(self, key: str) -> dict[str, Any] | None:
        status, body = self._call("GET", f"/{claim_name(key)}")
        if status == NOT_FOUND:
            return None
        if status != OK:
            raise self._refused("get", claim_name(key), status, body)
        return body

    def _call(self, method: str, name: str, obj: object = None) -> tuple[int, dict[str, Any]]:
        """The status and body of an answer; a 5xx and 429 count as failed on the way."""
        path = f"/api/v1/namespaces/{urllib.parse.quote(self._namespace, safe='')}/configmaps{name}"
        because = ""
        for pause_s in (*PAUSES_S, None):
            try:
                status, content = self._once(method, path, obj)
                if status < 500 and status != 429:
                    return status, json.loads(content)
                because = f"it answered {status}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                because = str(error) or type(error).__name__
            if pause_s is not None:
                self._pause(pause_s)
        raise SurroundingsFailed(
            f"the API server at {self._host}:{self._port} does not answer ({because})",
            remedy="run it again once the cluster answers: a claim that was made is kept",
        )

    def _once(self, method: str, path: str, obj: object) -> tuple[int, bytes]:
        trusted = ssl.create_default_context(cafile=self._account / "ca.crt")
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=trusted)
        headers = {"authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
                   "accept": "application/json", "content-type": "application/json"}  # fmt: skip
        try:
            connection.request(method, path, None if obj is None else json.dumps(obj), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _refused(self, verb: str, name: str, status: int, body: dict[str, Any]) -> InputRefused:
        because = f"({status}): {body.get('message', '')}"
        return InputRefused(
            f"the API server refuses to {verb} ConfigMap {self._namespace}/{name} {because}",
            remedy=f"let the run's service account create, get and update configmaps in {self._namespace}",
        )


def pod_address() -> str:
    """The API server's address in a pod.

    Raises:
        InputRefused: this is no pod.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise InputRefused("`claims` names a namespace, but this is no pod", remedy="leave `claims` empty")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
