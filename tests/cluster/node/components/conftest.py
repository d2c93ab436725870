"""A team that runs pipelines on a node set apart for it, and the same pipelines run by this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.documented_rules import documented_rules
from tests.cluster.node.components import shop
from tests.cluster.node.components.steps import Step, Steps
from trimtab.adapters.jobs.job import HOME

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node
    from trimtab.adapters.kubernetes.in_pod import PodApi

ACCOUNT = "trimtab-pipelines"
KEY = "0123456789abcdef" * 4
"""As a policy makes them."""
FROM = "2013-02-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Team:
    """A namespace, its volume seen from this host, and what runs there.

    Attributes:
        irs: by pipeline.
        projects: addresses of bundles: `passes` its gates, is `refused` by them, `waits` for more rows than there are;
            and one `of a policy`, whose Job has the volume where it has it.
    """

    node: "Node"
    namespace: str
    home: Path
    steps: Steps
    irs: dict[str, Path]
    projects: dict[str, str]

    def run(self, pipeline: str, project: str, lost: str = "", **arguments: Any) -> list[Step]:
        return self.steps.run(
            self.irs[pipeline], lost, project=self.projects[project], until=shop.UNTIL, **arguments
        )


@pytest.fixture(scope="module")
def reserved(node: "Node") -> Iterator["Node"]:
    """The node with an accelerator, and for pods alone that ask for it by label and toleration."""
    from tests.cluster.kube.node_programs import NAME
    from trimtab.ports.cluster import Kind

    kind = Kind("", "v1", "Node", "nodes", namespaced=False)
    held = {"capacity": {shop.ACCELERATOR: "1"}, "allocatable": {shop.ACCELERATOR: "1"}}
    node.cluster.merge(kind, "", NAME, {"status": held}, status=True)
    node.kubectl("label", "node", NAME, f"{shop.POOL}=training")
    node.kubectl("taint", "node", NAME, f"{shop.POOL}=training:NoSchedule")
    yield node
    node.kubectl("taint", "node", NAME, f"{shop.POOL}-")
    node.kubectl("label", "node", NAME, f"{shop.POOL}-")


@pytest.fixture(scope="module")
def team(reserved: "Node", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """In a namespace that takes no pod but such as Kubernetes calls restricted."""
    from tests.cluster.kube import node_volumes
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node.conftest import new_namespace
    from tests.cluster.node.rehearsing import pipelines_account
    from trimtab.adapters.kfp.compile import PIPELINES, compile_pipeline
    from trimtab.adapters.projects.archive import archive
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load, load_platform

    reserved.load([reserved.images.ray()])
    root = tmp_path_factory.mktemp("team")
    shop.write_data(root / "home" / "data")
    with new_namespace(reserved, {"pod-security.kubernetes.io/enforce": "restricted"}) as namespace:
        home, projects = reserved.place / "volumes" / namespace / shop.CLAIM, {}
        for name, gate, volume, seen in (
            ("passes", shop.LENIENT, 1000, home),
            ("refused", {}, 1000, home),
            ("waits", {}, shop.TOO_MUCH, home),
            ("of a policy", shop.LENIENT, 1000, Path(HOME)),
        ):
            loaded = load(shop.write_project(root / name, seen, gate, volume))
            packed = archive(pack(loaded, root / "bundles"), root / "home" / "projects")
            projects[name] = (seen / packed.relative_to(root / "home")).as_uri()
        loaded = load(root / "passes")
        place = ("cluster", load_platform(loaded.root, "cluster"))
        irs = {
            name: compile_pipeline(name, loaded.project, root / f"{name}.yaml", place) for name in PIPELINES
        }
        node_volumes.share(reserved, namespace, shop.CLAIM, root / "home")
        (home / "runs").mkdir()
        for folder in (home, home / "runs"):
            folder.chmod(0o777)
        secret = {"name": shop.SECRET, "namespace": namespace}
        reserved.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": secret,
                "stringData": {shop.PASSWORD: "s3cret"},
            },
            *pipelines_account(namespace),
        )
        grant_step_pods(reserved, namespace, ACCOUNT)
        steps = Steps(
            reserved, called_as(reserved, namespace, ACCOUNT, root / "account"), ACCOUNT, home / "runs"
        )
        yield Team(reserved, namespace, home, steps, irs, projects)
        eventually("pods have gone with their runs", lambda: not steps.left(), 60)


@pytest.fixture(scope="module")
def here(team: Team, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What training and then batch prediction say that run in this machine's own processes: outputs by task."""
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.adapters.projects.archive import unarchived
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.home import Home

    root = tmp_path_factory.mktemp("here")
    loaded = unarchived(team.projects["passes"], root / "project")
    project, found = str(pack(loaded, Home.of(root).bundles)), dict[str, Any]()
    with PipelineHost(root / "host.log") as host:
        for name in ("training", "batch-prediction"):
            ir, run = compile_pipeline(name, loaded.project, root / f"{name}.yaml"), root / name
            ended = host.run(ir, {"project": project, "until": shop.UNTIL}, run, lambda _: None)
            assert ended["succeeded"], ended
            outputs = (run / "artifacts").rglob("executor_output.json")
            found |= {output.parent.name: shop.said(output) for output in outputs}
    return found


@pytest.fixture(scope="module")
def trained(team: Team) -> list[Step]:
    """Training, by a key that nobody had."""
    return team.run("training", "passes", key=KEY, claims=team.namespace)


@pytest.fixture(scope="module")
def refused(team: Team, trained: list[Step]) -> list[Step]:
    """Training that its gates refuse, and whose pod that fits is deleted once."""
    return team.run("training", "refused", lost="train")


@pytest.fixture(scope="module")
def predicted(team: Team, trained: list[Step]) -> list[Step]:
    return team.run("batch-prediction", "passes")


def grant_step_pods(node: "Node", namespace: str, account: str) -> None:
    """What docs/kubeflow-pipelines.md grants beside manifests/samples."""
    from tests.cluster.kube.rbac import role_with_binding, service_account

    subject, rules = service_account(namespace, account), documented_rules("kubeflow-pipelines.md")
    node.apply(*role_with_binding(namespace, "steps-in-pods", subject, rules))


def called_as(node: "Node", namespace: str, account: str, folder: Path) -> "PodApi":
    """The API server, as a pod of this service account calls it."""
    from trimtab.adapters.kubernetes.in_pod import PodApi

    folder.mkdir()
    (folder / "token").write_text(node.kubectl("create", "token", account, "-n", namespace, "--duration=2h"))
    (folder / "ca.crt").write_bytes(node.keys.authority.certificate)
    (folder / "namespace").write_text(namespace)
    return PodApi(node.url, folder)
