"""Composition root of the commands that work on a project's folder: adapters over its `.trimtab`."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab import bundled
from trimtab.adapters.projects.bundle import pack
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.api.platform import Platform

if TYPE_CHECKING:
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.adapters.mlflow import MlflowRegistry, MlflowServer
    from trimtab.control import Loop
    from trimtab.ports.clock import Clock
    from trimtab.ports.evidence import Evidence
    from trimtab.ports.gateway import Gateway
    from trimtab.ports.runs import Runs
    from trimtab.ports.servers import Servers
    from trimtab.ports.state import State

PLATFORM_VARIABLE = "TRIMTAB_PLATFORM"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project ready to run.

    Attributes:
        bundle: its content, by digest.
        ir: the pipeline, compiled for its environment.
        openlineage: where runs send what they read and wrote; None sends nothing.
    """

    loaded: Loaded
    home: Home
    bundle: Path
    ir: Path
    openlineage: str | None = None


def open_project(folder: Path, platform: str | None = None) -> tuple[Loaded, Home]:
    """The project in a folder, and its `.trimtab`.

    Raises:
        InputRefused: no project there, no such platform, or files that are wrong.
    """
    loaded = load(folder)
    load_platform(folder, platform)
    if platform is not None:
        os.environ[PLATFORM_VARIABLE] = platform
    return loaded, Home.of(folder)


def platform_of(loaded: Loaded) -> Platform:
    """The platform that was chosen when the project was opened."""
    return load_platform(loaded.root, os.environ.get(PLATFORM_VARIABLE) or None)


def tables_here(loaded: Loaded, home: Home) -> "DeltaTables":
    """The project's tables, where that platform has them."""
    from trimtab.bootstrap.workplace import tables_of

    return tables_of(platform_of(loaded), home)


def prepare(loaded: Loaded, home: Home, place: tuple[str, Platform] | None = None) -> Prepared:
    """Pack the project as it stands now, and compile its pipeline.

    Args:
        place: the platform whose pods its tasks are, and its name; None where they are processes.
    """
    from trimtab.adapters.kfp.compile import compile_pipeline

    bundle = pack(loaded, home.bundles)
    placed = f"-{place[0]}" if place else ""
    ir = home.runs / f"{bundle.name}-{graph_digest()[:8]}{placed}.yaml"
    if not ir.exists():
        making = ir.with_suffix(f".{os.getpid()}.yaml")
        compile_pipeline("training", loaded.project, making, place)
        making.replace(ir)
    return Prepared(loaded, home, bundle, ir, platform_of(loaded).openlineage)


def graph_digest() -> str:
    """sha256 over the sources of components and pipelines, hex: another release compiles anew."""
    root = bundled.path()
    files = sorted(path for part in ("components", "pipelines") for path in (root / part).rglob("*.py"))
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return whole.hexdigest()


def pipeline_host(home: Home, *, in_pods: bool = False) -> "PipelineHost":
    """A host whose fork server imports what this project's steps need, ready when its imports are done; or without one,
    where each step is a pod."""
    from trimtab.adapters.kfp.client import PipelineHost

    return PipelineHost(home.runs / "host.log", in_pods=in_pods)


def registry(home: Home) -> "MlflowRegistry":
    from trimtab.adapters.mlflow import MlflowRegistry
    from trimtab.adapters.mlflow.client import local_uri

    return MlflowRegistry(local_uri(home.mlflow / "mlflow.db"))


def mlflow_server(loaded: Loaded) -> "MlflowServer | None":
    """The MLflow server that registers the chosen platform's runs; None where `.trimtab/mlflow` does.

    The platform says where its tasks reach it; TRIMTAB_MLFLOW says where this process does.
    """
    from trimtab.adapters.http import REACHABLE
    from trimtab.adapters.mlflow import MlflowServer
    from trimtab.bootstrap.workplace import MLFLOW_VARIABLE, UNTRACKED

    address = os.environ.get(MLFLOW_VARIABLE) or platform_of(loaded).mlflow
    if address is None or address == UNTRACKED:
        return None
    forwarded = f"kubectl port-forward and {MLFLOW_VARIABLE}=http://127.0.0.1:PORT reach one inside a cluster"
    return MlflowServer(address, remedy=f"{REACHABLE}; {forwarded}")


def stable_version(loaded: Loaded, home: Home) -> str:
    """The registry version in service here; "" when there is none."""
    if not (home.mlflow / "mlflow.db").exists():
        return ""
    held = registry(home).alias(loaded.project.name, "stable")
    return held.version if held else ""


def run_parameters(until: datetime | None, window: str | None, stable: str, force: bool) -> Mapping[str, Any]:
    """The pipeline's arguments but for its project and key."""
    end = until or datetime.now(UTC)
    return {"until": end.isoformat(), "window": window or "", "stable": stable, "force_past_gate": force}


def write_expectations(folder: Path) -> Path:
    """A first expectations.yaml from what the project's sources hold.

    Raises:
        InputRefused: there is one already.
    """
    from trimtab.api.errors import InputRefused
    from trimtab.bootstrap.workplace import Workplace
    from trimtab.steps.expect import expect
    from trimtab.steps.ingest import ingest

    loaded, home = open_project(folder)
    target = folder / (loaded.project.expectations or "expectations.yaml")
    if target.exists():
        raise InputRefused(f"{target} is there already", remedy="remove it first, or edit it")
    place = Workplace.open(str(pack(loaded, home.bundles)))
    taken = {
        name: ingest(name, place.source(name), files=place.files, engine=place.engine, tables=place.tables)
        for name in loaded.project.sources
    }
    keys = {name: source.load.key for name, source in loaded.project.sources.items() if source.load.key}
    pointers = {name: one.pointer for name, one in taken.items()}
    target.write_text(expect(pointers, keys, engine=place.engine, tables=place.tables), encoding="utf-8")
    return target


def control_loop(
    loaded: Loaded,
    clock: "Clock",
    state: "State",
    evidence: "Evidence",
    gateway: "Gateway",
    servers: "Servers",
    registry: Any,
    runs: "Runs",
    tick: timedelta,
    poll_every: timedelta = timedelta(seconds=60),
) -> "Loop":
    """The loop of one project's model over its plane.

    Args:
        tick: how often it looks; elapsed time is credited two ticks at most.
        poll_every: how often the registry is asked for a candidate that no run of ours made.
    """
    from trimtab.adapters.profiles import FolderProfiles
    from trimtab.control import Loop, ReconcileMonitor, ReconcileRetrain, ReconcileRollout, Target
    from trimtab.ports.evidence import BlockCut

    project, profiles = loaded.project, FolderProfiles()
    target = Target(
        name=project.name,
        cut=BlockCut(zone=project.time_zone),
        mature_after=project.examples.label.mature_after,
        tick=tick,
        poll_every=poll_every,
    )
    rollout = ReconcileRollout(
        project.rollout, target, clock=clock, state=state, evidence=evidence, gateway=gateway, servers=servers,
        registry=registry, profiles=profiles,
    )  # fmt: skip
    monitor = ReconcileMonitor(
        project.monitor, target, state=state, evidence=evidence, gateway=gateway, profiles=profiles
    )
    retrain = ReconcileRetrain(
        project.retrain, target, state=state, evidence=evidence, runs=runs, candidacy=rollout.candidacy
    )
    return Loop(target, rollout, monitor, retrain, clock=clock, state=state, gateway=gateway, servers=servers)
