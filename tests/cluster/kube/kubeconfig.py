"""Kubeconfig files: who calls which API server."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kube.pki import Pair


@dataclass(frozen=True, slots=True)
class Login:
    """What one user needs to call one API server.

    Attributes:
        server: https://…
        authority: the CA's certificate in PEM.
        credentials: a certificate of its own, or a bearer token.
        namespace: where a call goes that names none.
    """

    server: str
    authority: bytes
    credentials: Pair | str
    namespace: str = "default"

    def write(self, path: Path) -> Path:
        """JSON is YAML."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": self.server, "certificate-authority-data": _b64(self.authority)},
                }
            ],
            "users": [{"name": "u", "user": self._user()}],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": self.namespace}}
            ],
            "current-context": "x",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def _user(self) -> dict[str, str]:
        if isinstance(self.credentials, str):
            return {"token": self.credentials}
        return {
            "client-certificate-data": _b64(self.credentials.certificate),
            "client-key-data": _b64(self.credentials.key),
        }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
