"""trimtab's port `Cluster` over HTTPS, with no cache: each read is of the API server."""

import json
import ssl
import tempfile
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx

from tests.cluster.kube.kubeconfig import Login
from tests.cluster.kube.poll import eventually
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import FIELD_MANAGER, Kind, Object, Refused, happened
from trimtab.ports.state import Conflict

TIMEOUT_S = 30.0
INITIALIZING = "storage is (re)initializing"
"""Said with 429 for a moment after a CRD came or changed: its watch cache fills, and the call is to be made again."""
INITIALIZED_WITHIN_S = 120.0

Json = dict[str, Any]


class Direct:
    """Threads may share one; each has its own connections.

    httpcore 1.0 may close a connection that idled too long while another thread is just taking it.

    Args:
        login: who calls.
    """

    def __init__(self, login: Login, timeout_s: float = TIMEOUT_S) -> None:
        self.login = login
        token = login.credentials if isinstance(login.credentials, str) else None
        self._made: list[httpx.Client] = []
        self._own = threading.local()
        self._new = partial(
            httpx.Client,
            base_url=login.server,
            verify=_context(login),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_s,
            trust_env=False,
        )
        self._plurals: dict[str, dict[str, Kind]] = {}

    def close(self) -> None:
        for one in self._made:
            one.close()

    @property
    def _http(self) -> httpx.Client:
        """This thread's."""
        if not hasattr(self._own, "http"):
            self._own.http = self._new()
            self._made.append(self._own.http)
        http: httpx.Client = self._own.http
        return http

    # --- the port

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self.read(kind, namespace, name)

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        answer = self.call("GET", path_of(kind, namespace) + query)
        items: Sequence[Json] = answer["items"]
        said = {"apiVersion": kind.api_version, "kind": kind.kind}
        return [{**said, **item} for item in items]

    def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return self.call("GET", path_of(kind, namespace, name))
        except NotFound as absent:
            if absent.of_kind:
                raise SurroundingsFailed(f"{kind.kind} of {kind.api_version} is not installed") from None
            return None

    def events(self, kind: Kind, namespace: str, name: str, reason: str) -> Sequence[Object]:
        fields = f"involvedObject.kind={kind.kind},involvedObject.name={name},reason={reason}"
        answer = self.call(
            "GET", f"/api/v1/namespaces/{namespace}/events?{urlencode({'fieldSelector': fields})}"
        )
        return sorted(answer["items"], key=happened)

    def installed(self, kind: Kind) -> bool:
        return kind.kind in self._kinds(kind.api_version, fresh=True)

    def create(self, obj: Object, *, account: str = "") -> Object | None:
        kind = self.kind_of(obj)
        path = path_of(kind, _namespace(obj)) + f"?fieldManager={FIELD_MANAGER}"
        try:
            return self.call("POST", path, obj, account=_user(obj, account))
        except AlreadyExists:
            return None

    def apply(self, obj: Object, *, account: str = "", dry_run: bool = False) -> Object:
        path = path_of(self.kind_of(obj), _namespace(obj), obj["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        return self.call(
            "PATCH",
            f"{path}?{urlencode(query)}",
            obj,
            account=_user(obj, account),
            content_type="application/apply-patch+yaml",
        )

    def replace(self, obj: Object, *, account: str = "") -> Object:
        _needs_version(obj)
        path = path_of(self.kind_of(obj), _namespace(obj), obj["metadata"]["name"])
        return self.call("PUT", f"{path}?fieldManager={FIELD_MANAGER}", obj, account=_user(obj, account))

    def write_status(self, obj: Object) -> Object:
        _needs_version(obj)
        path = path_of(self.kind_of(obj), _namespace(obj), obj["metadata"]["name"])
        return self.call("PUT", f"{path}/status?fieldManager={FIELD_MANAGER}", obj)

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", account: str = "") -> None:
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        user = f"system:serviceaccount:{namespace}:{account}" if account else ""
        try:
            self.call("DELETE", path_of(kind, namespace, name), options, account=user)
        except (NotFound, Conflict):
            return

    def report(
        self,
        about: Object,
        reason: str,
        note: str,
        *,
        warning: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        regarding = {
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": meta["name"],
            "namespace": meta.get("namespace", ""), "uid": meta.get("uid", ""),
        }  # fmt: skip
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name'][:200]}.{uuid4().hex[:16]}",
                "namespace": namespace,
                "annotations": dict(annotations or {}),
            },
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "trimtab.dev/tests",
            "reportingInstance": "tests",
            "action": reason,
            "reason": reason,
            "regarding": regarding,
            "note": note[:1024],
            "type": "Warning" if warning else "Normal",
        }
        try:
            self.call("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)
        except (SurroundingsFailed, Refused, Conflict):
            return

    # --- what tests need besides

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        account: str = "",
        content_type: str = "application/json",
    ) -> Json:
        """One request, as JSON. Raises as the port says, and NotFound or AlreadyExists, which are Refused."""
        answer: Json = json.loads(self._request(method, path, body, account, content_type))
        return answer

    def text(self, path: str) -> str:
        """A page that is not JSON: /readyz, /metrics, a pod's log."""
        return self._request("GET", path, None, "", "").decode()

    def merge(self, kind: Kind, namespace: str, name: str, patch: Object, *, status: bool = False) -> Object:
        """A JSON merge patch, as a person's `kubectl patch` or `annotate` sends it."""
        path = path_of(kind, namespace, name) + ("/status" if status else "")
        return self.call("PATCH", path, patch, content_type="application/merge-patch+json")

    def kind_of(self, obj: Object) -> Kind:
        """Where the API server serves such an object; raises SurroundingsFailed if it does not."""
        api_version, kind = obj["apiVersion"], obj["kind"]
        found = self._kinds(api_version).get(kind) or self._kinds(api_version, fresh=True).get(kind)
        if found is None:
            raise SurroundingsFailed(f"{kind} of {api_version} is not installed", remedy="install its CRD")
        return found

    def _kinds(self, api_version: str, *, fresh: bool = False) -> dict[str, Kind]:
        if fresh or api_version not in self._plurals:
            group, _, version = api_version.rpartition("/")
            try:
                served = self.call("GET", f"/apis/{api_version}" if group else f"/api/{version}")["resources"]
            except NotFound:
                return {}
            self._plurals[api_version] = {
                entry["kind"]: Kind(group, version, entry["kind"], entry["name"], entry["namespaced"])
                for entry in served
                if "/" not in entry["name"]
            }
        return self._plurals[api_version]

    def _request(self, method: str, path: str, body: Object | None, account: str, content_type: str) -> bytes:
        headers = {"Accept": "application/json, */*"}
        if body is not None:
            headers["Content-Type"] = content_type
        if account:
            headers["Impersonate-User"] = account
        content = None if body is None else json.dumps(body)

        def asked() -> httpx.Response | None:
            answer = self._http.request(method, path, content=content, headers=headers)
            return None if answer.status_code == 429 and INITIALIZING in answer.text else answer

        try:
            answer = eventually(f"{method} {path} is answered", asked, INITIALIZED_WITHIN_S, 0.2)
        except httpx.TransportError as error:
            raise SurroundingsFailed(f"the API server at {self.login.server}: {error!r}") from error
        if answer.is_success:
            return answer.content
        raise refusal(method, path, answer)


class NotFound(Refused):
    """No such object, or no such kind."""

    of_kind = False


class AlreadyExists(Refused):
    """An object of this name is there."""


def refusal(method: str, path: str, answer: httpx.Response) -> Exception:
    """What a status code and its Status object mean in the port's words."""
    try:
        said = answer.json()
    except ValueError:
        said = {}
    reason = said.get("reason", "")
    message = f"{method} {path}: {answer.status_code} {said.get('message') or answer.text[:300]}"
    match answer.status_code:
        case 404:
            absent = NotFound(message, reason=reason)
            absent.of_kind = not said.get("details", {}).get("name")
            return absent
        case 409 if reason == "AlreadyExists":
            return AlreadyExists(message, reason=reason)
        case 409:
            return Conflict(message)
        case 429 | 500 | 502 | 503 | 504:
            return SurroundingsFailed(message)
        case 401:
            return SurroundingsFailed(message)
    return Refused(message, reason=reason)


def path_of(kind: Kind, namespace: str, name: str = "") -> str:
    """
    >>> path_of(Kind("apps", "v1", "Deployment", "deployments"), "n", "d")
    '/apis/apps/v1/namespaces/n/deployments/d'
    >>> path_of(Kind("", "v1", "Node", "nodes", namespaced=False), "")
    '/api/v1/nodes'
    """
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    inside = f"/namespaces/{namespace}" if namespace and kind.namespaced else ""
    return f"{root}{inside}/{kind.plural}" + (f"/{name}" if name else "")


def _namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def _user(obj: Object, account: str) -> str:
    return f"system:serviceaccount:{_namespace(obj)}:{account}" if account else ""


def _needs_version(obj: Object) -> None:
    if not obj["metadata"].get("resourceVersion"):
        raise ValueError("a replacement names the resourceVersion that it was decided on")


def _context(login: Login) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=login.authority.decode())
    if not isinstance(login.credentials, str):
        with tempfile.TemporaryDirectory() as folder:  # ssl reads a client's certificate from files only
            files = login.credentials.write(Path(folder), "client")
            context.load_cert_chain(files.certificate, files.key)
    return context
