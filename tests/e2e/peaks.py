"""What each pod of a node takes of memory at its peak, by its control group."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.cluster.kube import node_cgroups
from tests.cluster.kube.background import Background
from trimtab.adapters.kserve.kinds import POD
from trimtab.api.errors import TrimtabError

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

EVERY_S: Final = 1.0
NAMES_EVERY: Final = 5
"""Pods are listed at each fifth look."""
PEAK: Final = "peak"
OF_ONE: Final = re.compile(r"(-[0-9a-f]{8,16}\b|-[0-9]+$)")
"""What tells a revision's Deployment, a ReplicaSet or a Job from the next."""
MB: Final = 1e6


@dataclass(slots=True)
class Used:
    """
    Attributes:
        working_set: peak of what cannot be taken back (without file pages that nobody used of late), bytes, by looks.
        all: peak with the page cache, bytes, as the kernel noted it.
    """

    working_set: int = 0
    all: int = 0


class Peaks(Background):
    """Looks in a thread.

    Attributes:
        used: by the pod's uid.
        names: of the pods, `NAMESPACE/PART`, by uid.
    """

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self._node = node
        self.used: dict[str, Used] = {}
        self.names: dict[str, str] = {}

    def tell(self, note: "Note") -> None:
        """A row for each part, for the run's end: the most that one pod of it took."""
        parts: dict[str, list[Used]] = {}
        for uid, used in self.used.items():
            if uid in self.names:
                parts.setdefault(self.names[uid], []).append(used)
        for part, pods in sorted(parts.items()):
            working_set, everything = max(one.working_set for one in pods), max(one.all for one in pods)
            note(PEAK, f"{working_set / MB:7.0f} MB {everything / MB:7.0f} MB  {len(pods):3d}  {part}")

    def work(self) -> None:
        look = 0
        while not self.stopping.wait(EVERY_S):
            for uid, folder in self._groups():
                used = self.used.setdefault(uid, Used())
                try:
                    told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                    held = int((folder / "memory.usage_in_bytes").read_text())
                    used.all = max(used.all, int((folder / "memory.max_usage_in_bytes").read_text()))
                except OSError:
                    continue  # it has just ended
                used.working_set = max(used.working_set, held - int(told["total_inactive_file"]))
            if look % NAMES_EVERY == 0:
                self._name()
            look += 1

    def _groups(self) -> Iterator[tuple[str, Path]]:
        """(uid, control group of memory) of each pod."""
        for parent in node_cgroups.parents():
            if parent.is_relative_to(node_cgroups.ROOT / "memory"):
                for folder in (parent / self._node.cgroup).rglob("pod*-*"):
                    yield folder.name.removeprefix("pod"), folder

    def _name(self) -> None:
        try:
            pods = self._node.cluster.list(POD, "")
        except (TrimtabError, OSError):
            return  # the next look will do
        for pod in pods:
            meta = pod["metadata"]
            owner = next(iter(meta.get("ownerReferences") or ()), {"name": meta["name"]})["name"]
            self.names[meta["uid"]] = f"{meta['namespace']}/{OF_ONE.sub('-…', OF_ONE.sub('-…', owner))}"
