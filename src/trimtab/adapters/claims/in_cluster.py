"""Claims from inside a pod, with the service account of its task."""

import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab.adapters.claims.config_map import as_object, claim_name, from_object
from trimtab.adapters.kubernetes.in_pod import CONFLICT, CREATED, NOT_FOUND, OK, PodApi
from trimtab.api.errors import InputRefused
from trimtab.ports.claims import Claim, Effect


class InClusterClaims:
    """`trimtab.ports.claims.Claims` over the ConfigMaps of one namespace.

    Args:
        address: https://HOST:PORT of the API server; None for the pod's own.
        account: folder with the service account's `token` and `ca.crt`; None for the pod's own.
        owner: an entry of ownerReferences, with which claims made here go; None for nobody.

    Raises:
        InputRefused: no address is given, and this is no pod.
    """

    def __init__(
        self,
        namespace: str,
        address: str | None = None,
        account: Path | None = None,
        pause: Callable[[float], None] = time.sleep,
        owner: Mapping[str, Any] | None = None,
    ) -> None:
        self._owner, self._namespace = owner, namespace
        again = "run it again once the cluster answers: a claim that was made is kept"
        try:
            self._api = PodApi(address, account, pause, again)
        except InputRefused as error:
            raise InputRefused(
                f"`claims` names a namespace, but {error.message}",
                remedy=f"{error.remedy}, or leave `claims` empty",
            ) from error

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
        namespace = urllib.parse.quote(self._namespace, safe="")
        return self._api.call(method, f"/api/v1/namespaces/{namespace}/configmaps{name}", obj)

    def _refused(self, verb: str, name: str, status: int, body: dict[str, Any]) -> InputRefused:
        because = f"({status}): {body.get('message', '')}"
        return InputRefused(
            f"the API server refuses to {verb} ConfigMap {self._namespace}/{name} {because}",
            remedy=f"let the run's service account create, get and update configmaps in {self._namespace}",
        )
