"""The operator on a node: trimtab's kinds, and the operator as a process of this host in the node's network.

It resolves names by the cluster's DNS, so that it reaches Services and collectors as it would in a pod.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.kube import images
from tests.cluster.kube.manifests import install
from tests.cluster.kube.node_programs import DNS_SERVICE, SERVER

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

REPOSITORY = Path(__file__).parents[3]
RESOLV = f"nameserver {DNS_SERVICE}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n"
WITH_NAMES = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@dataclass
class Operator:
    """One replica."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def install_kinds(node: "Node") -> None:
    """trimtab's CRDs."""
    install(node.cluster, [REPOSITORY / "manifests" / "crds"])


def start(node: "Node", folder: Path, namespace: str, *, settle_s: int = 3) -> Operator:
    """Start a replica that looks after one namespace, its Lease there too."""
    folder.mkdir(parents=True, exist_ok=True)
    config, resolv, log = folder / "operator.yaml", folder / "resolv.conf", folder / "operator.log"
    kubeconfig = folder / "kubeconfig"
    node.keys.admin(SERVER).write(kubeconfig)
    resolv.write_text(RESOLV)
    config.write_text(
        f"namespaces: [{namespace}]\n"
        f"lease: {{namespace: {namespace}}}\n"
        "listen: {host: 127.0.0.1, port: 0}\n"
        f"settle: {settle_s}s\n"
        "tick: 2s\n"
        f"cache: {folder}/cache\n"
        f'collector: {{image: "{images.OPERATOR}", storage: ""}}\n'
    )
    with log.open("wb") as out:
        process = node.inside(
            "unshare", "-m", "sh", "-c", WITH_NAMES, resolv,
            sys.executable, "-m", "operators.drift", "--config", config, "--kubeconfig", kubeconfig,
            cwd=REPOSITORY, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
    return Operator(process, log)
