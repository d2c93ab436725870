"""Row 12: what one operator costs that looks after a thousand rollouts and two hundred monitors.

On a real control plane: etcd, kube-apiserver, Kubernetes' controllers for Deployments and its scheduler, and kwok,
which plays the kubelet, so that every server is a Pod object. Players stand in for KServe's manager and a gateway:
these would use most of a small machine, and the operator is what is measured. Each monitor watches a rollout that
follows an alias of a real MLflow server, which has the model's profile, and asks a real collector. CPU and memory are
those of the operator's process, read from /proc; API calls are its own count. A look is woken by a change below the
rollout that means nothing, and goes through all that a look goes through: it reads the resource and its children from
the caches, asks the server whether it is ready, decides, and finds that nothing is to be written.

    python benchmarks/reconcile.py [--rollouts 1000] [--monitors 200] [--quick]
"""

# ruff: noqa: E402  # the tests' cluster is imported from the repository's root, which no script has on its path

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from beside import table

from tests.cluster.control_plane.scale.fleet import Cost, Fleet, namespaces
from tests.cluster.control_plane.scale.models import Models, described_models
from tests.cluster.kube import versions
from tests.cluster.kube.control_plane import ControlPlane
from tests.cluster.kube.controllers import controller_manager, scheduler
from tests.cluster.kube.fake_nodes import fake_kubelet
from tests.cluster.kube.manifests import install
from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
from tests.cluster.kube.planes import running_control_plane
from tests.cluster.kube.poll import eventually

MIB = 2**20
REST_S = 60.0
ROUNDS = 3
CONTROLLERS = (
    "deployment-controller,replicaset-controller,serviceaccount-controller,node-lifecycle-controller"
)
WITHIN_S = 3600.0
TARGET_MS = 2.0


def took(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def calls(cost: Cost) -> str:
    """By verb and resource."""
    named = ((verb, resource.split(".")[0], sub) for verb, resource, sub in cost.calls)
    counts = zip(named, cost.calls.values(), strict=True)
    return ", ".join(f"{n} {' '.join(filter(None, name))}" for name, n in sorted(counts)) or "none"


def spoken(cost: Cost) -> int:
    return sum(
        n for (verb, resource, _), n in cost.calls.items() if verb != "watch" and "leases" not in resource
    )


def measure(fleet: Fleet, models: Models, rollouts: int, monitors: int, rest_s: float) -> list[list[str]]:
    rows = []
    settings = {
        "namespaces": "[]",
        "collector": f"{{address: '{models.collector}'}}",
        "providers": f"{{mlflow: [{{name: models, url: '{models.mlflow}'}}]}}",
    }
    fleet.apply(rollouts, monitors)
    operator = fleet.operate(**settings)
    ready_s = took(lambda: fleet.wait_ready(rollouts, WITHIN_S))
    told_s = took(lambda: fleet.wait_watched(monitors, WITHIN_S))
    operator.rested(WITHIN_S, quiet_s=5.0, share=0.04)
    fleet.rest()
    cold = operator.cost()
    rows.append(
        ["from apply to all Ready and watched", f"{ready_s + told_s:.0f} s, {cold.cpu_s:.0f} s of CPU"]
    )
    writes = sum(n for (verb, *_), n in cold.calls.items() if verb in ("create", "update", "patch"))
    rows.append(["writes a rollout until then", f"{writes / rollouts:.1f}"])
    rows.append(["of them status writes", f"{cold.status_writes() / (rollouts + monitors):.1f}"])
    rows.append(["memory then", f"{cold.memory_bytes / MIB:.0f} MiB"])

    time.sleep(rest_s)
    rest = operator.cost().since(cold)
    rows.append([f"API calls in {rest_s:.0f} s at rest", calls(rest)])
    rows.append(["of them other than watches and the lease", str(spoken(rest))])
    rows.append(["CPU at rest", f"{100 * rest.cpu_s / rest_s:.2f} % of one core"])

    costs = []
    for number in range(ROUNDS):
        before = operator.cost()
        fleet.nudge(number)
        operator.rested(WITHIN_S)
        costs.append(operator.cost().since(before))
    best = min(costs, key=lambda cost: cost.cpu_s / max(1, cost.looked))
    each = ", ".join(f"{1000 * cost.cpu_s / cost.looked:.2f}" for cost in costs)
    rows.append(["CPU a look, ms", f"{each} (target ≤ {TARGET_MS:g}: {1000 * best.cpu_s / best.looked:.2f})"])
    rows.append([f"API calls of {best.looked} looks", calls(best)])
    rows.append(["memory after them", f"{costs[-1].memory_bytes / MIB:.0f} MiB"])

    operator.process.stop(within_s=30.0)
    began = time.monotonic()
    again = fleet.operate(**settings)
    eventually(
        "all are looked at again",
        lambda: again.cost().looks.get("ModelRollout", 0) >= rollouts,
        WITHIN_S,
        every_s=1.0,
    )
    rows.append(["from restart to all looked at", f"{time.monotonic() - began:.0f} s"])
    again.rested(WITHIN_S)
    rows.append(["status writes after the restart", str(again.cost().status_writes())])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--monitors", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    rollouts, monitors = (60, 10) if asked.quick else (asked.rollouts, asked.monitors)
    with tempfile.TemporaryDirectory() as made, cluster() as plane:
        folder = Path(made)
        with (
            described_models(folder / "models", [f"model-{n:04}" for n in range(monitors)]) as models,
            namespaces(plane.cluster, 20) as names,
            Fleet(plane, folder, names, pods=True, registered=monitors, every_s=3.0) as fleet,
        ):
            rows = measure(fleet, models, rollouts, monitors, 15.0 if asked.quick else REST_S)
    print(table([f"{rollouts} rollouts, {monitors} monitors, one operator", ""], rows))
    print(
        f"\nPython {platform.python_version()}; Pods by kwok {versions.KWOK}; players for KServe and the gateway."
    )


@contextmanager
def cluster() -> Iterator[ControlPlane]:
    """With whatever makes Pods of Deployments."""
    with ExitStack() as held:
        plane = held.enter_context(running_control_plane(audit=False))
        install(plane.cluster, [REPOSITORY / "manifests/crds", *gateway_api_crds(), *kserve_crds()])
        held.enter_context(controller_manager(plane, CONTROLLERS))
        held.enter_context(scheduler(plane))
        held.enter_context(fake_kubelet(plane))
        yield plane


if __name__ == "__main__":
    main()
