"""A control plane: etcd and kube-apiserver on 127.0.0.1, in a folder of its own. About three seconds to start.

    with ControlPlane(folder) as plane:
        Direct(plane.admin)                       # or KUBECONFIG=plane.kubeconfig
        plane.etcd.pause()                        # a fault

Nothing here runs pods, fills namespaces with a default account, deletes what a deleted object owned or empties a
namespace: that is `controllers`.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cluster.kube import arguments
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.direct import Direct
from tests.cluster.kube.keys import make_keys
from tests.cluster.kube.kubeconfig import Login
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.adapters.processes.loopback import reserve
from trimtab.api.errors import SurroundingsFailed

READY_WITHIN_S = 60.0
DAY_S = 86400


class ControlPlane:
    """
    Args:
        folder: empty or not there; everything that the plane writes is in it, and it is yours to remove.
        audit: write every call to `audit_log`.

    Attributes:
        etcd, apiserver: may be stopped, killed, paused and started again by a test; ports and data stay.
        url: https://127.0.0.1:PORT
        admin: a login that may do everything.
        kubeconfig: the same as a file.
    """

    def __init__(self, folder: Path, *, audit: bool = True, extra: Sequence[str] = ()) -> None:
        self.folder = folder
        (folder / "log").mkdir(parents=True)
        self.keys = make_keys(folder / "pki")
        self._reservations = [reserve("etcd"), reserve("kube-apiserver")]
        etcd_port, port = (held.port for held in self._reservations)
        self.url = f"https://127.0.0.1:{port}"
        self.admin = self.keys.admin(self.url)
        self.kubeconfig = self.admin.write(folder / "kubeconfig")
        self.audit_log = folder / "audit.jsonl"
        self.etcd = Process(
            "etcd",
            [binary("etcd"), *arguments.etcd(folder / "etcd", etcd_port)],
            folder / "log" / "etcd.log",
        )
        self.apiserver = Process(
            "kube-apiserver",
            [
                binary("kube-apiserver"),
                *arguments.apiserver(self.keys, "127.0.0.1", port, etcd_port),
                *(arguments.audit(folder) if audit else ()),
                *extra,
            ],
            folder / "log" / "kube-apiserver.log",
        )

    def start(self) -> None:
        self.etcd.start()
        self.apiserver.start()
        self.wait_until_ready()

    def stop(self) -> None:
        """The API server first: without etcd it would not end when asked to."""
        if self.apiserver.running:
            self.etcd.resume()
            self.apiserver.resume()
        self.apiserver.stop()
        self.etcd.stop()
        self.cluster.close()
        for held in self._reservations:
            held.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @cached_property
    def cluster(self) -> Direct:
        """As admin."""
        return Direct(self.admin)

    def wait_until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Until /readyz says ok; raises ClusterToolFailed with the log of what ended instead."""
        eventually("the control plane is ready", self._ready, within_s)

    def _ready(self) -> bool:
        self.etcd.check()
        self.apiserver.check()
        try:
            return self.cluster.text("/readyz") == "ok"
        except SurroundingsFailed:
            return False

    def login(self, user: str, groups: Sequence[str] = ()) -> Login:
        """Anybody, by a certificate: RBAC says what they may."""
        return self.keys.login(self.url, user, groups)

    def account(self, namespace: str, name: str) -> Login:
        """A service account that exists, by a token."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.cluster.call(
            "POST",
            path,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": DAY_S},
            },
        )
        token: str = answer["status"]["token"]
        return Login(self.url, self.keys.authority.certificate, token, namespace)

    @property
    def authority_base64(self) -> str:
        """The CA as a webhook configuration or an APIService wants it."""
        return base64.b64encode(self.keys.authority.certificate).decode()

    def calls(self, since: int = 0) -> Iterator[dict[str, Any]]:
        """The audit log's lines from the `since`th byte on: user, verb, objectRef, responseStatus, …"""
        with self.audit_log.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):
                    yield json.loads(line)
