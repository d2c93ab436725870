"""A whole Kubernetes node in namespaces of its own: real pods, and no trace on the machine when it ends.

The caller stays outside. It reaches what is inside over ports of 127.0.0.1 (`Node.forward`), or starts processes
in the node's network (`Node.inside`). Everything of a node lies in its folder.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.cluster.kube import images_environment, node_cgroups, node_debian, node_init, node_store
from tests.cluster.kube.binaries import NODE, POLICIES, binary, ensure, folder
from tests.cluster.kube.direct import Direct
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.images import Images
from tests.cluster.kube.images_oci import Image
from tests.cluster.kube.keys import Keys
from tests.cluster.kube.kubeconfig import Login
from tests.cluster.kube.node_dns import DNS
from tests.cluster.kube.node_forward import Forwarder
from tests.cluster.kube.node_programs import NAME, PORT, Machine, Program
from tests.cluster.kube.poll import eventually

ADDRESS = node_init.ADDRESS
"""The node's own address. What listens on it inside is reached by pods."""

_numbers = itertools.count(1)


class Node:
    """One node and its control plane, from `start` to `stop`."""

    def __init__(self, place: Path, *, keeps_policies: bool = False) -> None:
        """
        Args:
            place: an empty folder, on a disk that overlays can lie on.
            keeps_policies: whether NetworkPolicies are more than words: kube-router enforces them.
        """
        self.place = place
        self.kubeconfig = place / "kubeconfig"
        self._keeps_policies = keeps_policies
        self.audit_log = place / "audit.jsonl"
        self.cgroup = f"{node_cgroups.PREFIX}-{os.getpid()}-{next(_numbers)}"
        self.keys: Keys
        self.ended: list[str] = []
        self._inside: list[subprocess.Popen[Any]] = []
        self._images = Images(node_debian.unpacked())
        self._loaded: set[str] = set()
        self._layers: set[str] = set()

    def start(self) -> None:
        """Start all of it; returns when the node is Ready and names are resolved."""
        _can_run_here()
        ensure((*NODE, *POLICIES) if self._keeps_policies else NODE)
        node_cgroups.sweep()
        first = self._images.lasting()
        self._unshare()
        self.forwarder = Forwarder(self.pid)
        path = f"{node_debian.wrappers(self.place / 'sbin')}:{folder('containerd')}:{os.environ['PATH']}"
        machine = Machine(self.place, path, self.cgroup)
        self.keys, self._socket = machine.keys, machine.socket
        self.url = f"https://127.0.0.1:{self.forward(ADDRESS, PORT)}"
        self.keys.admin(self.url).write(self.kubeconfig)
        machine.network()
        for program in (machine.etcd(), machine.api_server()):
            self._tell(program)
        node_store.begin(first, self.place / "containerd")
        self._loaded = {image.name for image in first}
        self._layers = {layer.digest for image in first for layer in image.layers}
        self._tell(machine.containerd())
        self._eventually("containerd answers", lambda: self._ctr("version"))
        self._eventually("the API server is ready", lambda: self._answers("get", "--raw=/readyz"))
        for program in (
            machine.controller_manager(),
            machine.scheduler(),
            machine.kubelet(),
            machine.proxy(),
        ):
            self._tell(program)
        self.apply(*DNS)
        self._eventually("the node is Ready", self._is_ready)
        if self._keeps_policies:
            self._tell(machine.policies())
        self.wait_for_rollout("kube-system", "coredns")

    def stop(self) -> None:
        """End every process of it, and remove its control groups and its bulky files."""
        for process in self._inside:
            process.kill()
            process.wait()
        if "cluster" in self.__dict__:
            self.cluster.close()
        self.forwarder.close()
        assert self._init.stdin is not None
        self._init.stdin.close()
        self._init.wait(30)
        self._listener.join(10)
        eventually("the control groups are gone", lambda: not node_cgroups.remove(self.cgroup), 15)
        for name in ("containerd", "containerd-state", "upper", "work", "kubelet", "etcd"):
            shutil.rmtree(self.place / name, ignore_errors=True)

    def __enter__(self) -> "Node":
        try:
            self.start()
        except BaseException:
            if hasattr(self, "forwarder"):
                self.stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    # reaching in

    def forward(self, address: str, port: int) -> int:
        """The port on 127.0.0.1 of this host that leads to `port` of an address inside: a pod's, a Service's."""
        return self.forwarder.port(address, port)

    def service(self, namespace: str, name: str, port: int = 80) -> int:
        """The port on 127.0.0.1 of this host that leads to a Service."""
        return self.forward(self.get("service", name, namespace)["spec"]["clusterIP"], port)

    def inside(self, *argv: str | Path, **more: Any) -> subprocess.Popen[Any]:
        """A process with this host's files and the node's network. It ends with the node at the latest.

        Args:
            more: as for `subprocess.Popen`.
        """
        command = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *(str(part) for part in argv)]
        self._inside.append(subprocess.Popen(command, **more))
        return self._inside[-1]

    def load(self, images: Iterable[Image]) -> None:
        """Give the node images; those that it has are left out."""
        new = [image for image in images if image.name not in self._loaded]
        if not new:
            return
        node_store.give(self._socket, new, frozenset(self._layers))
        images_environment.link(self.place / "containerd")
        self._layers |= {layer.digest for image in new for layer in image.layers}
        self._loaded |= {image.name for image in new}

    def load_archive(self, archive: Path) -> None:
        """Give the node the images of a docker or OCI archive, under the names that stand in it."""
        node_store.give_archive(self._socket, archive)

    def forget(self, image: str) -> None:
        """Take an image's name away, as a kubelet that is short of disk does; what runs goes on."""
        assert self._ctr("--namespace=k8s.io", "images", "rm", image)
        self._loaded.discard(image)

    @property
    def images(self) -> Images:
        """What images can be made for `load`."""
        return self._images

    # talking to the API server

    @cached_property
    def cluster(self) -> Direct:
        """trimtab's port to it, as admin, uncached."""
        return Direct(self.keys.admin(self.url))

    def login(self, user: str, groups: Sequence[str] = ()) -> Login:
        """Anybody, by a certificate: RBAC says what they may."""
        return self.keys.login(self.url, user, groups)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints. Raises ClusterToolFailed with what it says on standard error."""
        ended = self._kubectl(*arguments, given=given)
        if ended.returncode:
            raise ClusterToolFailed(f"kubectl {' '.join(arguments)}: {ended.stderr.strip()}")
        return ended.stdout

    def apply(self, *objects: dict[str, Any], server_side: bool = True) -> None:
        """Apply objects, whoever else owns fields of them."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        more = ("--server-side", "--force-conflicts") if server_side else ()
        self.kubectl("apply", *more, "-f", "-", given=listed)

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        more = ("-l", selector) if selector else ()
        found = json.loads(self.kubectl("get", kind, "-n", namespace, "-o", "json", *more))
        items: list[dict[str, Any]] = found["items"]
        return items

    def wait(
        self, condition: str, kind: str, name: str, namespace: str = "default", within_s: float = 90
    ) -> None:
        """Wait for a condition, and if it does not come tell what the namespace's pods say.

        Args:
            condition: of the object's status; or `create`, `delete`, `jsonpath={…}=…` as kubectl has them.
        """
        said = self._kubectl(
            "wait",
            f"--for={_waited_for(condition)}",
            f"{kind}/{name}",
            "-n",
            namespace,
            f"--timeout={within_s}s",
        )
        if said.returncode:
            raise ClusterToolFailed(
                f"{kind}/{name}: not {condition}: {said.stderr}\n{self.explain(namespace)}"
            )

    def wait_for_rollout(self, namespace: str, name: str, within_s: float = 90) -> None:
        """Wait until a Deployment's pods are there and ready."""
        said = self._kubectl(
            "rollout", "status", f"deployment/{name}", "-n", namespace, f"--timeout={within_s}s"
        )
        if said.returncode:
            raise ClusterToolFailed(f"{name} is not ready: {said.stderr}\n{self.explain(namespace)}")

    def explain(self, namespace: str) -> str:
        """Pods, latest events and logs of a namespace, for a person who reads why something did not come."""
        pods = self._kubectl("get", "pods", "-n", namespace, "-o", "wide").stdout
        events = self._kubectl("get", "events", "-n", namespace, "--sort-by=.lastTimestamp").stdout
        logs = [f"-- {path.parent.name}\n{_tail(path)}" for path in self._pod_logs(namespace)]
        return "\n".join([pods, *events.splitlines()[-15:], *logs])

    def _pod_logs(self, namespace: str) -> Iterable[Path]:
        """The newest log of each container."""
        for container in sorted(self.place.glob(f"var-log/pods/{namespace}_*/*")):
            yield from sorted(container.glob("*.log"), key=lambda path: int(path.stem))[-1:]

    # how it is made

    def _unshare(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        namespaces = ["unshare", "-C", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc"]
        program = [sys.executable, node_init.__file__, str(self.place), self.cgroup]
        with (self.place / "init.log").open("w") as log:
            self._init = subprocess.Popen(
                namespaces + program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._init.stdout is not None
        if self._init.stdout.readline() != "prepared\n":
            self._init.kill()
            self._init.wait()
            said = (self.place / "init.log").read_text()
            raise ClusterToolFailed(f"the node's namespaces could not be prepared:\n{said}")
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text()
        self.pid = int(children.split()[0])
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._init.stdout is not None
        for line in self._init.stdout:
            self.ended.append(json.loads(line)["name"])

    def _tell(self, program: Program) -> None:
        assert self._init.stdin is not None
        self._init.stdin.write(program.line() + "\n")
        self._init.stdin.flush()

    def _eventually(self, what: str, probe: Any, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not probe():
            if self.ended or time.monotonic() > deadline:
                raise ClusterToolFailed(f"{what}: not within {within_s} s\n{self._logs()}")
            time.sleep(0.05)

    def _logs(self) -> str:
        told = []
        for name in self.ended or sorted(path.stem for path in (self.place / "log").glob("*.log")):
            tail = _tail(self.place / "log" / f"{name}.log")
            told.append(f"-- {name}{' ended' if name in self.ended else ''}\n{tail}")
        return "\n".join(told)

    def _ctr(self, *arguments: str) -> bool:
        command = [
            str(binary("ctr")),
            "-a",
            str(self._socket),
            "--timeout=2s",
            "--connect-timeout=1s",
            *arguments,
        ]
        return subprocess.run(command, capture_output=True).returncode == 0

    def _answers(self, *arguments: str) -> bool:
        return self._kubectl(*arguments).returncode == 0

    def _is_ready(self) -> bool:
        ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        return self._kubectl("get", "node", NAME, "-o", ready).stdout == "True"

    def _kubectl(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [str(binary("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True)


def _waited_for(condition: str) -> str:
    """As kubectl says it: a condition's name is what is meant unless it is another form."""
    return condition if condition in ("create", "delete") or "=" in condition else f"condition={condition}"


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(line[:500] for line in log.read_text(errors="replace").splitlines()[-lines:])


def _can_run_here() -> None:
    if os.geteuid() != 0:
        raise ClusterToolFailed("a node needs root, for its namespaces", remedy="run the suite as root")
    if not (node_cgroups.ROOT / "memory").is_dir():
        raise ClusterToolFailed(
            "a node needs control groups of version 1 (cpu, memory, … under /sys/fs/cgroup)"
        )
