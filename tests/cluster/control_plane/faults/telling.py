"""How a Retraining is set up: its namespace, its runs' account, its engine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from tests.cluster.control_plane.faults.engines import Fate, Jobs, Runs, workflows
from tests.cluster.control_plane.faults.flights import Recording
from tests.cluster.control_plane.faults.machine import Machine
from tests.cluster.control_plane.faults.retraining import Retraining
from tests.cluster.control_plane.faults.settings import Setting
from tests.cluster.control_plane.runs.conftest import PIPELINES, mounted
from tests.cluster.control_plane.runs.shelf import Shelf
from tests.cluster.kube.control_plane import ControlPlane
from trimtab.adapters.claims import InClusterClaims


@contextmanager
def retraining(
    plane: ControlPlane,
    machine: Machine,
    folder: Path,
    recording: Recording,
    engine: str,
    fate: Fate,
    setting: Setting,
) -> Iterator[Retraining]:
    """One story in a new namespace, over `engine`: "Job" or "KFP", about what is served in a setting."""
    namespace, shelf = f"r-{uuid4().hex[:10]}", Shelf()
    plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"name": PIPELINES, "namespace": namespace}
    plane.cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    claims = InClusterClaims(namespace, plane.url, mounted(plane, namespace, PIPELINES, folder / namespace))
    runs = Runs(claims, shelf, recording, fate)
    with ExitStack() as held:
        played = (
            held.enter_context(workflows(runs)) if engine == "KFP" else Jobs(machine.cluster, namespace, runs)
        )
        yield Retraining(machine, namespace, folder, recording, shelf, played, setting)
