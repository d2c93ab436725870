"""The loop of one project on this machine: control's reconciles over the plane, the registry and the state file."""

from datetime import timedelta

from trimtab.adapters.collector import Collector
from trimtab.adapters.mlflow.client import local_uri
from trimtab.adapters.mlflow.registry import MlflowRegistry
from trimtab.adapters.profiles import FolderProfiles
from trimtab.adapters.projects.home import Home
from trimtab.adapters.state import SqliteState
from trimtab.api.project import Project
from trimtab.control import Loop, ReconcileMonitor, ReconcileRetrain, ReconcileRollout, Target
from trimtab.local.plane import Plane
from trimtab.ports.clock import Clock
from trimtab.ports.evidence import BlockCut
from trimtab.ports.runs import Runs


def steer(project: Project, home: Home, plane: Plane, clock: Clock, runs: Runs, tick: timedelta) -> Loop:
    """A loop over a plane that is up.

    Args:
        tick: how often it looks; elapsed time of a step is credited two ticks a look at most.
    """
    target = Target(
        name=project.name,
        cut=BlockCut(zone=project.time_zone),
        mature_after=project.examples.label.mature_after,
        tick=tick,
    )
    state, evidence, profiles = SqliteState(home.state), Collector(plane.collector_url), FolderProfiles()
    gateway, servers = plane.gateway, plane.servers
    rollout = ReconcileRollout(
        project.rollout,
        target,
        clock=clock,
        state=state,
        evidence=evidence,
        gateway=gateway,
        servers=servers,
        registry=MlflowRegistry(local_uri(home.mlflow / "mlflow.db")),
        profiles=profiles,
    )
    monitor = ReconcileMonitor(
        project.monitor, target, state=state, evidence=evidence, gateway=gateway, profiles=profiles
    )
    retrain = ReconcileRetrain(
        project.retrain, target, state=state, evidence=evidence, runs=runs, candidacy=rollout.candidacy
    )
    return Loop(target, rollout, monitor, retrain, clock=clock, state=state, gateway=gateway, servers=servers)
