"""The key files of one cluster, as kube-apiserver and its controllers want them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kube.kubeconfig import Login
from tests.cluster.kube.pki import Authority, PairFiles, signing_pair

SERVICE_HOSTS = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "10.96.0.1",
)
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Attributes:
        folder: where all of them lie.
        authority: can give out more.
        ca: certificate and key of the authority.
        apiserver: what the API server answers with.
        accounts: signs service accounts' tokens; its "certificate" is the public key.
        to_kubelet: how the API server calls a kubelet.
        front_proxy: how it calls an aggregated API.
    """

    folder: Path
    authority: Authority
    ca: PairFiles
    apiserver: PairFiles
    accounts: PairFiles
    to_kubelet: PairFiles
    front_proxy: PairFiles

    def login(self, server: str, user: str, groups: Sequence[str] = ()) -> Login:
        """The API server takes whoever our authority vouches for."""
        return Login(server, self.authority.certificate, self.authority.client(user, groups))

    def admin(self, server: str) -> Login:
        return self.login(server, "admin", [MASTERS])


def make_keys(folder: Path, hosts: Sequence[str] = ()) -> Keys:
    """
    Args:
        hosts: further names and addresses of the API server.
    """
    authority = Authority()
    server = authority.server("kube-apiserver", [*SERVICE_HOSTS, *hosts])
    return Keys(
        folder=folder,
        authority=authority,
        ca=authority.pair.write(folder, "ca"),
        apiserver=server.write(folder, "apiserver"),
        accounts=signing_pair().write(folder, "accounts"),
        to_kubelet=authority.client("kube-apiserver-kubelet-client", [MASTERS]).write(folder, "to-kubelet"),
        front_proxy=authority.client("front-proxy-client").write(folder, "front-proxy"),
    )
