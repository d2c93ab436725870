"""What runs on a node, with the flags and files that make it run in namespaces of its own.

Each flag that is not Kubernetes' usual one stands for something that a machine within a machine must not, or
cannot, do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.cluster.kube import arguments
from tests.cluster.kube.binaries import binary, folder
from tests.cluster.kube.images import PAUSE
from tests.cluster.kube.keys import Keys, make_keys
from tests.cluster.kube.node_init import ADDRESS
from tests.cluster.kube.pki import PairFiles

NAME: Final = "node1"
PORT: Final = 6443
SERVER: Final = f"https://{ADDRESS}:{PORT}"
ETCD_PORT: Final = 2379
PODS: Final = "10.244.0.0/24"
DNS_SERVICE: Final = "10.96.0.10"


@dataclass(frozen=True, slots=True)
class Program:
    """A process to start inside."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        return json.dumps({"name": self.name, "argv": self.argv, "env": dict(self.env)})


class Machine:
    """Writes the files of one node under `place` and says how its programs are started.

    Args:
        path: folders that are searched for programs first, joined by colons.
        cgroup: the group that holds the pods' groups.
    """

    def __init__(self, place: Path, path: str, cgroup: str) -> None:
        self.place, self.cgroup = place, cgroup
        self.env = {"PATH": path}
        self.keys: Keys = make_keys(place / "pki", [ADDRESS])
        self.etc = place / "etc"
        self.etc.mkdir(exist_ok=True)
        self.socket = place / "containerd.sock"

    def etcd(self) -> Program:
        return self._program("etcd", *arguments.etcd(self.place / "etcd", ETCD_PORT))

    def api_server(self) -> Program:
        more = arguments.audit(self.place)
        return self._program(
            "kube-apiserver", *arguments.apiserver(self.keys, ADDRESS, PORT, ETCD_PORT), *more
        )

    def controller_manager(self) -> Program:
        login = self._login("system:kube-controller-manager")
        return self._program("kube-controller-manager", *arguments.controller_manager(self.keys, login))

    def scheduler(self) -> Program:
        return self._program("kube-scheduler", *arguments.scheduler(self._login("system:kube-scheduler")))

    def containerd(self) -> Program:
        config = self.etc / "containerd.toml"
        config.write_text(self._containerd())
        return self._program("containerd", f"--config={config}")

    def kubelet(self) -> Program:
        server = self.keys.authority.server(
            f"system:node:{NAME}", [NAME, "127.0.0.1", ADDRESS], ["system:nodes"]
        )
        config = self._write("kubelet", self._kubelet(server.write(self.keys.folder, "kubelet")))
        return self._program(
            "kubelet",
            f"--config={config}",
            f"--kubeconfig={self._login(f'system:node:{NAME}', 'system:nodes')}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
            f"--root-dir={self.place / 'kubelet'}",
            f"--cert-dir={self.place / 'kubelet' / 'pki'}",
            "--v=2",
        )

    def proxy(self) -> Program:
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": "127.0.0.1",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clusterCIDR": PODS,
            "clientConnection": {"kubeconfig": str(self._login("system:kube-proxy"))},
            # the host's connection tracking stays as it is
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
        written = self._write("kube-proxy", config)
        return self._program("kube-proxy", f"--config={written}", f"--hostname-override={NAME}")

    def policies(self) -> Program:
        """kube-router, and of it only what keeps NetworkPolicies.

        Pods share a bridge; that netfilter sees their packets is the default of a new network namespace
        (net.bridge.bridge-nf-call-iptables).
        """
        return self._program(
            "kube-router",
            f"--kubeconfig={self._login('kube-router', 'system:masters')}",
            f"--hostname-override={NAME}",
            f"--service-cluster-ip-range={arguments.SERVICES}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--health-port=0",
            "--v=1",
        )

    def network(self) -> None:
        """The CNI configuration: a bridge, addresses by host-local, ports by portmap."""
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(self.place / "addresses"),
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
        (self.etc / "cni").mkdir(exist_ok=True)
        conflist = {"cniVersion": "1.0.0", "name": "bridge", "plugins": plugins}
        (self.etc / "cni" / "10-bridge.conflist").write_text(json.dumps(conflist))

    def _kubelet(self, serving: PairFiles) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "port": 10250,
            "healthzBindAddress": "127.0.0.1",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.keys.ca.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "clusterDomain": "cluster.local",
            "clusterDNS": [DNS_SERVICE],
            "podLogsDir": "/var/log/pods",
            "volumePluginDir": str(self.place / "volume-plugins"),
            "resolvConf": "",
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "nodeStatusUpdateFrequency": "5s",
            "maxPods": 250,
        }

    def _containerd(self) -> str:
        return f"""\
version = 3
root = '{self.place / "containerd"}'
state = '{self.place / "containerd-state"}'
oom_score = 0
[grpc]
  address = '{self.socket}'
[ttrpc]
  address = '{self.socket}.ttrpc'
[plugins.'io.containerd.internal.v1.opt']
  path = '{self.place / "opt"}'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE}'
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = '{binary("runc")}'
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['{folder("cni")}']
    conf_dir = '{self.etc / "cni"}'
"""

    def _program(self, name: str, *argv: str) -> Program:
        return Program(name, (str(binary(name)), *argv), self.env)

    def _login(self, user: str, *groups: str) -> Path:
        login = self.keys.login(SERVER, user, groups)
        return login.write(self.etc / f"{user.replace(':', '-')}.kubeconfig")

    def _write(self, name: str, config: dict[str, Any]) -> Path:
        file = self.etc / f"{name}.json"
        file.write_text(json.dumps(config))
        return file
